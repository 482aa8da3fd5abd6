"""Turns a claimed row into an assignment: the tool and its parameters, the login and the secrets out of the vault, the files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.engine import Assignment, Login, Options, Viewport
from agent.redaction import Hidden, Redactor
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.profiles import ProfileStore
from storage.tables import Account, Task
from storage.vault import Vault
from tools.catalog import Catalog
from tools.errors import AccountNotFound, InvalidParameters, NotFound

_VIEWPORT = Viewport()


class Orders:
    """What every worker needs to know to begin."""

    def __init__(
        self,
        catalog: Catalog,
        vault: Vault,
        accounts: AccountStore,
        profiles: ProfileStore,
        artifacts: ArtifactStore,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        """`proxies`: upstream proxies by country code, lower case. Tasks are stored with the code: a URL may hold a password."""
        self._catalog = catalog
        self._vault = vault
        self._accounts = accounts
        self._profiles = profiles
        self._artifacts = artifacts
        self._proxies = dict(proxies or {})

    async def assignment(self, task: Task, folder: Path) -> Assignment:
        """The assignment of a claimed task. Raises a Failure when the catalogue, the account or a file is not there any more."""
        tool = self._catalog.tool(task.platform, task.tool)
        try:
            parameters = tool.parameters.model_validate(task.parameters)
        except ValidationError as error:
            message = f"The task's parameters do not fit this version's '{tool.name}': create it again."
            raise InvalidParameters(message) from error
        return Assignment(
            task_id=task.id,
            tool=tool,
            site=self._catalog.site(task.platform) if tool.account else None,
            parameters=parameters,
            options=replace(options_of(task.options), proxy=self._proxies.get(task.options.get("proxy", ""))),
            folder=folder,
            login=await self._login(task),
            secrets=self._vault.unseal(task.secrets) if task.secrets is not None else {},
            files=await self._files(task, folder),
        )

    async def keep_profile(self, task: Task, login_state: Mapping[str, Any] | None) -> None:
        """Keeps the browser's login for the next task with the same profile."""
        if task.profile_id is not None and login_state is not None:
            await self._profiles.keep(task.profile_id, self._vault.seal(login_state))

    @staticmethod
    def redactor(assignment: Assignment) -> Redactor:
        """Hides every text of the assignment that may appear nowhere."""
        found = dict(assignment.secrets)
        if assignment.login is not None and assignment.login.credentials is not None:
            own = assignment.login.credentials.items()
            found |= {f"account_{name}": value for name, value in own if name != "username"}
        return Redactor(Hidden(name, value) for name, value in found.items())

    async def _login(self, task: Task) -> Login | None:
        if task.account_id is None:
            return await self._profile(task)
        account = await self._accounts.get(task.account_id)
        if account is None:
            raise AccountNotFound.named(task.account_name or task.account_id, task.platform)
        return login_of(account, self._vault)

    async def _profile(self, task: Task) -> Login | None:
        profile = await self._profiles.get(task.profile_id) if task.profile_id is not None else None
        if profile is None:
            return None
        state = self._vault.unseal(profile.login_state) if profile.login_state else None
        return Login(account_id=profile.id, account_name=profile.name, state=state)

    async def _files(self, task: Task, folder: Path) -> Sequence[Path]:
        names: list[str] = task.options.get("files", [])
        found: list[Path] = []
        for name in names:
            artifact = await self._artifacts.uploaded(task.owner, name)
            if artifact is None:
                raise NotFound(f"The file '{name}' was not uploaded, or is gone: upload it first.")
            target = folder / "files" / Path(name).name
            stored = await self._artifacts.local(artifact)
            if stored is None:
                raise NotFound(f"The file '{name}' is gone: upload it again.")
            await asyncio.to_thread(_copy, stored, target)
            found.append(target)
        return found


def login_of(account: Account, vault: Vault) -> Login:
    """The account as an engine needs it."""
    return Login(
        account_id=account.id,
        account_name=account.name,
        identity=account.identity,
        state=vault.unseal(account.login_state) if account.login_state else None,
        credentials=vault.unseal(account.credentials) if account.credentials else None,
    )


def options_of(stored: Mapping[str, Any]) -> Options:
    """The options as they were stored with the task, but for the proxy, of which only the country is stored."""
    domains = stored.get("allowed_domains")
    return Options(
        viewport=Viewport(
            width=stored.get("viewport_width") or _VIEWPORT.width,
            height=stored.get("viewport_height") or _VIEWPORT.height,
        ),
        max_steps=stored.get("max_steps") or Options().max_steps,
        structured_output=stored.get("structured_output"),
        highlight_elements=stored.get("highlight_elements", True),
        use_adblock=stored.get("use_adblock", True),
        save_browser_data=stored.get("save_browser_data", False),
        record=stored.get("record", False),
        model=stored.get("model"),
        allowed_domains=tuple(domains) if domains is not None else None,
        dry_run=stored.get("dry_run", False),
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(source, target)
