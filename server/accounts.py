"""Everything that any facade may ask of accounts: connect with cookies or credentials, look, delete."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyotp
from pydantic import TypeAdapter, ValidationError

from agent.engine import Login
from server.auth import Caller
from server.idempotency import Fingerprints, once
from storage.accounts import AccountBusy, AccountStore, AccountTaken
from storage.idempotency import IdempotencyClash
from storage.ids import mint
from storage.tables import Account
from storage.vault import Vault
from tools.catalog import Catalog
from tools.errors import AccountNotFound, Conflict, IdempotencyReused, InvalidParameters
from tools.site import Site

_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_OBJECTS = TypeAdapter(list[dict[str, Any]])
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None", "no_restriction": "None", "unspecified": "Lax"}


class AccountService:
    """Accounts, as every facade sees them. What is secret in them goes in and never comes out."""

    def __init__(self, accounts: AccountStore, vault: Vault, catalog: Catalog) -> None:
        self._accounts = accounts
        self._vault = vault
        self._catalog = catalog
        self._fingerprints = Fingerprints(vault)

    async def create(
        self,
        caller: Caller,
        platform: str,
        name: str,
        *,
        cookies: Sequence[Mapping[str, Any]] | None = None,
        storage_state: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        identity: str | None = None,
        approval: bool = False,
        idempotency_key: str | None = None,
        request: Any = None,
    ) -> Account:
        """A new account: `active` with a login state or credentials, else `pending` until somebody signs in.

        Or the one that already answers the `request` (the body as it was sent) under its idempotency key. Raises PlatformNotFound,
        InvalidParameters, IdempotencyReused, or Conflict when the name is taken.
        """
        caller.need("write")
        site = self._site(platform)
        if not _NAME.fullmatch(name) or name != name.strip():
            message = (
                "An account's name has 1 to 200 characters, none of them a control character, and no blanks around it."
            )
            raise InvalidParameters(message, details={"field": "name"})
        state = login_state(cookies, storage_state, site)
        account = Account(
            id=mint("acc"),
            owner=caller.owner,
            platform=site.id,
            name=name,
            status="active" if state or credentials else "pending",
            auth_method="cookies" if state else "credentials" if credentials else "oauth",
            identity=identity,
            login_state=self._vault.seal(state) if state else None,
            credentials=self._vault.seal(checked_credentials(credentials)) if credentials else None,
            approval=approval,
        )
        try:
            asked = once(caller, idempotency_key, account.id, self._fingerprints.of(["account", request]))
            return await self._accounts.add(account, asked)
        except IdempotencyClash:
            raise IdempotencyReused from None
        except AccountTaken:
            message = f"There is an account '{name}' for platform '{site.id}' already: choose another name, or delete that one."
            raise Conflict(message, details={"platform": site.id, "accountName": name}) from None

    async def reconnect(
        self,
        caller: Caller,
        account_id: str,
        *,
        cookies: Sequence[Mapping[str, Any]] | None = None,
        storage_state: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> Account:
        """Gives an account a new login. Raises AccountNotFound or InvalidParameters."""
        caller.need("write")
        account = await self.mine(caller, account_id)
        state = login_state(cookies, storage_state, self._site(account.platform))
        if not state and not credentials:
            message = "Give 'cookies', 'storageState' or 'credentials'."
            raise InvalidParameters(message)
        if credentials:
            sealed = self._vault.seal(checked_credentials(credentials))
            await self._accounts.change(account.id, credentials=sealed, auth_method="credentials")
        if state:
            await self._accounts.change(account.id, auth_method="cookies")
        await self._accounts.connect(account.id, self._vault.seal(state) if state else None, None)
        return await self.mine(caller, account_id)

    async def signed_in(self, account_id: str, state: Mapping[str, Any], identity: str | None) -> None:
        """A person signed in on a page: keeps the login."""
        await self._accounts.change(account_id, auth_method="oauth")
        await self.holds(account_id, state, identity)

    async def holds(self, account_id: str, state: Mapping[str, Any], identity: str | None) -> None:
        """The login was found to hold: keeps it as it is now."""
        await self._accounts.connect(account_id, self._vault.seal(state), identity)

    async def broke(self, account_id: str, code: str, message: str) -> None:
        """The login was found not to hold."""
        await self._accounts.break_(account_id, code, message)

    def login(self, account: Account) -> Login:
        """The account as a browser needs it, with its secrets: for our own browsers only."""
        return Login(
            account_id=account.id,
            account_name=account.name,
            identity=account.identity,
            state=self._vault.unseal(account.login_state) if account.login_state else None,
            credentials=self._vault.unseal(account.credentials) if account.credentials else None,
        )

    async def get(self, caller: Caller, account_id: str) -> Account:
        """The caller's account. Raises AccountNotFound."""
        caller.need("read")
        return await self.mine(caller, account_id)

    async def mine(self, caller: Caller, account_id: str) -> Account:
        """The caller's account, for a verb that has a scope of its own. Raises AccountNotFound."""
        account = await self._accounts.get(account_id, caller.owner)
        if account is None:
            message = f"Account '{account_id}' not found"
            raise AccountNotFound(message, details={"accountId": account_id})
        return account

    async def named(self, caller: Caller, platform: str, name: str) -> Account | None:
        """The caller's account of that name, for a verb that makes one where there is none."""
        caller.need("write")
        return await self._accounts.named(caller.owner, platform, name)

    async def list(
        self, caller: Caller, *, platform: str | None = None, status: str | None = None
    ) -> Sequence[Account]:
        """The caller's accounts, oldest first."""
        caller.need("read")
        site = self._catalog.site(platform).id if platform is not None else None
        return await self._accounts.list(caller.owner, platform=site, status=status)

    async def delete(self, caller: Caller, account_id: str) -> None:
        """Removes the account and all its secrets, for good. Raises AccountNotFound, or Conflict while it has open tasks."""
        caller.need("write")
        account = await self.mine(caller, account_id)
        try:
            await self._accounts.delete(account.id)
        except AccountBusy:
            message = f"Account '{account.name}' still has open tasks: cancel them, or wait for them, then delete it."
            raise Conflict(message, details={"accountId": account_id}) from None

    def _site(self, platform: str) -> Site:
        site = self._catalog.site(platform)
        if not any(tool.account for tool in self._catalog.of(site.id)):
            message = f"Platform '{site.id}' needs no account."
            raise InvalidParameters(message, details={"platform": site.id})
        return site


def login_state(
    cookies: Sequence[Mapping[str, Any]] | None, storage_state: Mapping[str, Any] | None, site: Site
) -> dict[str, Any] | None:
    """A browser's storage state from either form, its cookies in the browser automation library's words."""
    if cookies is None and storage_state is None:
        return None
    given = cookies if cookies is not None else (storage_state or {}).get("cookies", [])
    try:
        listed = _OBJECTS.validate_python(given)
        origins = _OBJECTS.validate_python((storage_state or {}).get("origins", []))
    except ValidationError:
        message = "Cookies (and a storage state's origins) are lists of objects."
        raise InvalidParameters(message, details={"field": "cookies"}) from None
    return {"cookies": [cookie(item, site) for item in listed], "origins": origins}


def cookie(given: Mapping[str, Any], site: Site) -> dict[str, Any]:
    """One cookie, as browsers and their extensions export it, in the browser automation library's words."""
    name, value = given.get("name"), given.get("value")
    if not isinstance(name, str) or not name or not isinstance(value, str):
        message = "Each cookie needs a 'name' and a 'value'."
        raise InvalidParameters(message, details={"field": "cookies"})
    expires = given.get("expires", given.get("expirationDate", -1))
    same_site = _SAME_SITE.get(str(given.get("sameSite") or "lax").lower(), "Lax")
    return {
        "name": name,
        "value": value,
        "domain": str(given.get("domain") or site.home.partition("://")[2]),
        "path": str(given.get("path") or "/"),
        "expires": float(expires) if isinstance(expires, int | float) else -1,
        "httpOnly": bool(given.get("httpOnly", False)),
        # Browsers refuse SameSite=None without Secure.
        "secure": bool(given.get("secure", False)) or same_site == "None",
        "sameSite": same_site,
    }


def checked_credentials(given: Mapping[str, str]) -> dict[str, str]:
    """username, password and maybe totp_secret. Raises InvalidParameters."""
    names = {"username": "username", "password": "password", "totpSecret": "totp_secret", "totp_secret": "totp_secret"}
    kept = {names[name]: value for name, value in given.items() if name in names and value}
    if not {"username", "password"} <= kept.keys():
        message = "Credentials need 'username' and 'password' (and may have 'totpSecret')."
        raise InvalidParameters(message, details={"field": "credentials"})
    if "totp_secret" in kept:
        try:
            pyotp.TOTP(kept["totp_secret"].replace(" ", "")).now()
        except ValueError:
            message = "'totpSecret' must be the base32 text that the site shows when two-factor login is set up."
            raise InvalidParameters(message, details={"field": "credentials"}) from None
    return kept
