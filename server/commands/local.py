"""How a command reaches the running server, and how it says that something is wrong: one sentence, exit code 2."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from server.settings import Settings, SettingWrong, read_settings
from storage.database import DatabaseUnavailable
from storage.vault import VaultKeyWrong
from tools.errors import Failure

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
"""Where nobody's terminal is narrow, lines are long: what is piped on is to be searched."""
err = Console(stderr=True, highlight=False, soft_wrap=True)
_TIMEOUT_S = 70


def give_up(sentence: str) -> NoReturn:
    """Ends the command with one sentence."""
    err.print(sentence, style="red", markup=False)
    raise typer.Exit(2)


@contextmanager
def plainly() -> Generator[None]:
    """Turns what can be expected to go wrong into one sentence."""
    try:
        yield
    except (SettingWrong, DatabaseUnavailable, VaultKeyWrong, Failure) as error:
        give_up(str(error))
    except OSError as error:
        give_up(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")


def settings(**given: object) -> Settings:
    """The settings, with what the command line gave on top."""
    with plainly():
        return read_settings(**{name: value for name, value in given.items() if value is not None})


def table(*headings: str, title: str | None = None) -> Table:
    """An empty table. The first column holds what is to be copied: it is whole, however narrow the terminal; the others fold."""
    first, *others = headings
    return Table(
        Column(first, no_wrap=True),
        *(Column(heading, overflow="fold") for heading in others),
        title=title,
        box=SIMPLE_HEAD,
    )


class Api:
    """The running server's REST API, with this machine's own key."""

    def __init__(self, used: Settings) -> None:
        note, key = used.data / "server.json", used.data / "local.key"
        try:
            url: str = json.loads(note.read_text())["url"]
            secret = key.read_text().strip()
        except (OSError, ValueError, KeyError):
            give_up(f"No Webhand is running on {used.data}: start one with 'webhand serve'.")
        transport = httpx.HTTPTransport(uds=str(used.data / "webhand.sock"))
        self.url = url
        self._client = httpx.Client(
            base_url=url, transport=transport, timeout=_TIMEOUT_S, headers={"Authorization": f"Bearer {secret}"}
        )

    def call(self, method: str, path: str, *, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """The answer's `data`. Ends the command with the error's sentence when there is none."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            response = self._client.request(method, f"/api{path}", json=body, params=given)
        except httpx.TransportError:
            give_up(f"The Webhand at {self.url} does not answer: is it still running?")
        answer = response.json()
        if not answer.get("success"):
            give_up(str(answer["error"]["message"]))
        return answer["data"]


def print_json(value: Any) -> None:
    """One JSON document, for scripts."""
    out.print(json.dumps(value, ensure_ascii=False, indent=2), markup=False)
