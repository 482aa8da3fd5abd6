"""`webhand doctor`: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import httpx
import typer

from agent.chromium import Chromium
from agent.installed import DRIVER_TROUBLE, driver_starts, find_chromium, install_chromium, install_driver
from server import npm
from server.commands.local import out, print_json
from server.settings import Settings
from storage.database import Database, DatabaseUnavailable
from storage.vault import VaultKeyWrong, open_vault
from tools.catalog import catalog
from tools.errors import BrowserFailed

Standing = Literal["ok", "note", "missing"]
_MARKS = {"ok": "[green]ok[/green]     ", "note": "[yellow]note[/yellow]   ", "missing": "[red]missing[/red]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    standing: Standing
    says: str


async def examine(settings: Settings, *, fix: bool) -> list[Finding]:
    """Looks at everything; with `fix` installs a missing Chromium and live-view client."""
    looks: list[Callable[[Settings, bool], Awaitable[Finding]]] = [
        look_at_python,
        look_at_data,
        look_at_vault,
        look_at_database,
        look_at_driver,
        look_at_chromium,
        look_at_viewer,
        look_at_model,
        look_at_port,
    ]
    found = [await look(settings, fix) for look in looks]
    return [*found, *policies()]


async def look_at_python(_settings: Settings, _fix: bool) -> Finding:
    """Python's version."""
    return Finding("Python", "ok", f"{sys.version.split()[0]} at {sys.executable}")


async def look_at_data(settings: Settings, _fix: bool) -> Finding:
    """The data folder: ours alone, with room in it."""
    folder = settings.data
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return Finding("Data folder", "missing", f"{folder} cannot be used ({error.strerror}): set WEBHAND_DATA.")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        return Finding("Data folder", "note", f"{folder} can be read by others (mode {mode:o}): chmod 700 it.")
    return Finding("Data folder", "ok" if free > 1 else "note", f"{folder}, {free:.1f} GiB free")


async def look_at_vault(settings: Settings, _fix: bool) -> Finding:
    """The vault's key."""
    try:
        open_vault([key.get_secret_value() for key in settings.vault_keys], settings.data / "vault.key")
    except (VaultKeyWrong, OSError) as error:
        return Finding("Vault key", "missing", str(error))
    return Finding("Vault key", "ok", "set" if settings.vault_keys else f"in {settings.data / 'vault.key'}: back it up")


async def look_at_database(settings: Settings, _fix: bool) -> Finding:
    """The database, brought up to date."""
    try:
        database = Database(settings.database)
        await database.open()
    except DatabaseUnavailable as error:
        return Finding("Database", "missing", str(error))
    await database.close()
    return Finding("Database", "ok", "SQLite in WAL mode" if settings.embedded else "PostgreSQL")


async def look_at_chromium(settings: Settings, fix: bool) -> Finding:
    """Chromium: found, and able to start."""
    try:
        path = find_chromium(settings.chromium)
        if path is None and fix:
            path = await asyncio.to_thread(install_chromium)
        if path is None:
            return Finding(
                "Chromium", "missing", "None was found: run 'webhand doctor --fix', or set WEBHAND_CHROMIUM."
            )
        with tempfile.TemporaryDirectory() as folder:
            chromium = await Chromium.launch(path, Path(folder), sandbox=settings.sandboxed)
            await chromium.close()
    except BrowserFailed as error:
        return Finding("Chromium", "missing", error.message)
    return Finding("Chromium", "ok", f"{path} starts")


async def look_at_driver(_settings: Settings, fix: bool) -> Finding:
    """Playwright's driver, which plays in the browser."""
    if fix:
        with contextlib.suppress(BrowserFailed):  # said below
            await asyncio.to_thread(install_driver)
    if not await asyncio.to_thread(driver_starts):
        return Finding("Driver", "missing", f"{DRIVER_TROUBLE}.")
    return Finding("Driver", "ok", "Playwright's driver starts")


async def look_at_viewer(_settings: Settings, fix: bool) -> Finding:
    """The live view's VNC client, and what the page of the API shows itself with."""
    if not npm.present() and fix:
        await asyncio.to_thread(npm.fetch)
    if not npm.present():
        return Finding("Live view", "missing", "The VNC client is not there: run 'webhand doctor --fix'.")
    return Finding("Live view", "ok", "VNC client present")


async def look_at_model(settings: Settings, _fix: bool) -> Finding:
    """The language model's endpoint."""
    if settings.llm_model is None:
        says = "None is set, so only lite playbooks run: set WEBHAND_LLM_MODEL, WEBHAND_LLM_BASE_URL and WEBHAND_LLM_API_KEY."
        return Finding("Model", "note", says)
    base = settings.llm_base_url or "https://api.openai.com/v1"
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else ""
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            response = await client.get(f"{base.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"})
    except httpx.HTTPError as error:
        return Finding(
            "Model", "missing", f"{base} does not answer ({type(error).__name__}): check WEBHAND_LLM_BASE_URL."
        )
    if response.status_code in {401, 403}:
        return Finding("Model", "missing", f"{base} refuses the key: check WEBHAND_LLM_API_KEY.")
    return Finding("Model", "ok", f"{settings.llm_model} at {base}")


async def look_at_port(settings: Settings, _fix: bool) -> Finding:
    """The port to listen on."""
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        if (settings.data / "server.json").exists():
            return Finding("Port", "ok", f"{settings.host}:{settings.port} is in use by the Webhand that runs here")
        says = f"{settings.host}:{settings.port} cannot be used ({error.strerror}): choose another with WEBHAND_PORT."
        return Finding("Port", "missing", says)
    return Finding("Port", "ok", f"{settings.host}:{settings.port} is free")


def policies() -> list[Finding]:
    """What each platform's own rules say, and how far its playbooks were proved."""
    return [
        Finding(site.name, "note", f"{site.policy} (proved on: {site.verified})")
        for site in catalog().sites.values()
        if site.policy
    ]


def report(findings: list[Finding], *, json: bool) -> None:
    """Prints the findings. Exit code 1 when something is missing."""
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(f"{_MARKS[finding.standing]} [bold]{finding.what}[/bold]: ", end="")
            out.print(finding.says, markup=False)
    if any(finding.standing == "missing" for finding in findings):
        raise typer.Exit(1)
