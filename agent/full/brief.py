"""Turns an assignment into what a runner is told: the prompt, the actions, the secrets with their sites, and when an act counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from agent.domains import Wall, join, narrow, parse_domains
from agent.engine import Assignment
from agent.full.answers import validator
from agent.full.settings import FullSettings
from agent.full.wire import Arming, Begin, Grant, ModelChoice
from agent.origins import Origins
from tools.errors import InvalidParameters
from tools.inspection import publishing_answers, publishing_controls
from tools.playbook import Answer, Listen
from tools.site import Site

ACTIONS = (
    "navigate",
    "go_back",
    "wait",
    "click",
    "input",
    "switch",
    "close",
    "extract",
    "search_page",
    "find_elements",
    "scroll",
    "send_keys",
    "find_text",
    "dropdown_options",
    "select_dropdown",
    "done",
    "ask_person",
)
WRITING = ("write_file", "replace_file", "save_as_pdf")
"""They write into the task's own sandbox only; the files become output files."""
WITH_FILES = ("upload_file", "read_file")
"""They read from the disk: only for tasks that were given files, and only those files."""
OPENAI = "https://api.openai.com/v1"
ANYWHERE = ("*",)
HOST = re.compile(
    r"(?<![\w@.])(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,}|(?<=://)[\d.]+|(?<=://)localhost)(?::(\d+))?", re.IGNORECASE
)


@dataclass(frozen=True)
class Brief:
    """One assignment, read by the full engine."""

    assignment: Assignment
    origins: Origins
    private: bool = False
    ads: frozenset[str] = frozenset()

    def check(self) -> None:
        """Raises InvalidParameters where the assignment cannot be carried out as it is."""
        list(self.grants)
        if self.output_schema is not None:
            validator(self.output_schema)

    def begin(self, settings: FullSettings, model: str, files: Sequence[Path], sandbox: Path) -> Begin:
        """What the runner is told, with the input files where it may read them. Raises InvalidParameters."""
        options = self.assignment.options
        return Begin(
            task=self.task,
            instructions=self.instructions,
            model=ModelChoice(
                base_url=settings.base_url or OPENAI,
                name=model,
                api_key=settings.api_key,
                method=settings.method,
                timeout=settings.model_timeout,
                retries=settings.model_retries,
            ),
            start_url=self.start_url,
            max_steps=options.max_steps,
            max_failures=settings.max_failures,
            width=options.viewport.width,
            height=options.viewport.height,
            highlight=options.highlight_elements,
            vision=settings.vision,
            actions=self.actions,
            grants=self.grants,
            output_schema=dict(self.output_schema) if self.output_schema is not None else None,
            files=tuple(map(str, files)),
            sandbox=str(sandbox),
            arming=self.arming,
        )

    @property
    def site(self) -> Site | None:
        """The platform; None for a task on any website."""
        site = self.assignment.site
        return site if site is not None and site.home.startswith("http") else None

    @property
    def start_url(self) -> str | None:
        """Where the browser is before the agent looks for the first time."""
        if self.site is not None:
            return self.real(self.site, self.site.home) + "/"
        return getattr(self.assignment.parameters, "start_url", None)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that the browser may reach. Raises InvalidParameters."""
        wished = self.assignment.options.allowed_domains
        own = self.site.hosts if self.site else ANYWHERE
        return own if wished is None else narrow(own, parse_domains(wished))

    @property
    def wall(self) -> Wall:
        """The wall around the browser."""
        options = self.assignment.options
        return Wall(
            self.hosts,
            private=self.private,
            opened=self.origins.opened(self.hosts),
            ads=self.ads if options.use_adblock else frozenset(),
            named=(*parse_domains(options.allowed_domains or ()), *(() if self.site else self.asked_for())),
        )

    def asked_for(self) -> Iterable[str]:
        """The hosts that a task in plain words names, as a wall's patterns."""
        start = urlsplit(self.start_url or "").hostname
        return (*((start,) if start else ()), *(host for host in self.named() if ":" not in host))

    @property
    def actions(self) -> tuple[str, ...]:
        """What the agent may do."""
        more = [*(WRITING if self.site is None else ()), *(WITH_FILES if self.assignment.files else ())]
        return (*ACTIONS, *more, *(("search",) if self.hosts == ANYWHERE else ()))

    @property
    def output_schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema of the agent's answer; None: plain text."""
        if self.site is not None:
            return self.assignment.tool.result.model_json_schema()
        return self.assignment.options.structured_output

    @property
    def task(self) -> str:
        """What the agent is told to do."""
        assignment, site = self.assignment, self.site
        goal = assignment.tool.goal(assignment.parameters)
        if site is None:
            return goal
        parameters = assignment.parameters.model_dump(mode="json", by_alias=True, exclude_none=True)
        told = prompt("platform").substitute(
            goal=goal.replace(site.home, self.real(site, site.home)),
            site=site.name,
            home=self.real(site, site.home),
            tool=assignment.tool.name,
            parameters=json.dumps(parameters, ensure_ascii=False, indent=1),
        )
        return told + (prompt("dry_run").substitute() if assignment.options.dry_run else "")

    @property
    def told(self) -> str:
        """Everything that the task says, its parameters as they are."""
        assignment = self.assignment
        given = assignment.parameters.model_dump(mode="json", exclude_none=True).values()
        return "\n".join([assignment.tool.goal(assignment.parameters), *map(str, given)])

    @property
    def instructions(self) -> str:
        """The rules that stand above every page."""
        return prompt("instructions").substitute()

    @property
    def arming(self) -> Arming | None:
        """When an act may be the publishing one; None for a tool that only reads."""
        tool = self.assignment.tool
        if not tool.writes:
            return None
        site = self.site
        login = self.real(site, site.login_url) if site and site.login_url else ""
        if site is not None and login == self.real(site, site.home):
            login = ""  # it logs in on its home page: where it publishes as well
        return Arming(
            after_typing=tool.content is not None,
            login_urls=(login,) if login else (),
            told=self.told if site is not None and tool.content is not None else "",
            dry_run=self.assignment.options.dry_run,
            controls=self.controls,
        )

    @property
    def publishing(self) -> tuple[tuple[Listen, Answer], ...]:
        """The requests that publish at the platform and what the site may answer, as the tool's playbook knows them."""
        tool = self.assignment.tool
        if self.site is None or not tool.writes or tool.playbook is None:
            return ()
        return tuple(publishing_answers(tool.playbook(self.assignment.parameters)))

    @property
    def controls(self) -> tuple[str, ...]:
        """CSS of what publishes; empty where the requests that publish are not known."""
        tool = self.assignment.tool
        if not self.publishing or tool.playbook is None:
            return ()
        return tuple(publishing_controls(tool.playbook(self.assignment.parameters)))

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The secrets, each bound to its hosts. Raises InvalidParameters when a secret has none."""
        return (*self.credentials(), *self.secrets())

    def credentials(self) -> Iterable[Grant]:
        """The account's own: for the platform's pages, into the fields they are made for."""
        login = self.assignment.login
        if self.site is None or login is None:
            return
        for name, value in (login.credentials or {}).items():
            yield Grant(
                name="account_code" if name == "totp_secret" else f"account_{name}",
                value=value,
                hosts=self.places(self.site),
                field="password" if name == "password" else "input",
                totp=name == "totp_secret",
            )

    def secrets(self) -> Iterable[Grant]:
        """The caller's: for the allowed domains, or else for the hosts that the task itself names."""
        if not self.assignment.secrets:
            return
        hosts = self.places(self.site) if self.site else self.hosts if self.hosts != ANYWHERE else tuple(self.named())
        if not hosts:
            raise InvalidParameters(
                "Secrets must know their site: give 'allowed_domains', or name the site in the task, so that no other page can get them"
            )
        for name, value in self.assignment.secrets.items():
            yield Grant(name=name, value=value, hosts=hosts)

    def places(self, site: Site) -> tuple[str, ...]:
        """The platform's hosts, and where they are really served from."""
        return (*site.hosts, *self.origins.opened(site.hosts))

    def real(self, site: Site, url: str) -> str:
        """Where a URL or path of the site is really served from, without a trailing slash."""
        return self.origins.resolve(url, site).rstrip("/")

    def named(self) -> Iterable[str]:
        """The hosts that the caller's own words name."""
        words = self.assignment.tool.goal(self.assignment.parameters)
        for found in HOST.finditer(words):
            scheme = "http" if found[0].lower().startswith("http:") else "https"
            host, port = found[1].lower(), int(found[2]) if found[2] else None
            exact = port or host.replace(".", "").isdigit()
            yield join(host, port_of(scheme, port)) if exact else f"*.{host.removeprefix('www.')}"


def port_of(scheme: str, port: int | None) -> int:
    """The port, given or usual."""
    return port or (80 if scheme == "http" else 443)


@cache
def prompt(name: str) -> Template:
    """A text of the prompts folder."""
    return Template(files("agent.full").joinpath("prompts", f"{name}.md").read_text())


def copies(files: Iterable[Path], folder: Path) -> list[Path]:
    """The input files, copied to where the agent may read them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found: list[Path] = []
    for file in files:
        target = folder / file.name
        target.write_bytes(file.read_bytes())
        found.append(target)
    return found
