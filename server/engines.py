"""Builds the engines from the settings. Imported only by a process that carries tasks out: the others need not pay for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from agent.adblock import ad_hosts
from agent.engine import Engine, EngineName
from agent.full.settings import FullSettings
from agent.full.supervisor import FullEngine
from agent.installed import find_chromium
from agent.lite.engine import LiteEngine
from agent.origins import Origins
from agent.sign_in import LoginBrowsers
from server.settings import Settings, SettingWrong
from tools.errors import BrowserFailed

_log = structlog.get_logger(__name__)


def build_engines(settings: Settings, run_folder: Path, stand_ins: Mapping[str, str]) -> Mapping[EngineName, Engine]:
    """Both engines. A Chromium that is missing fails the tasks that need it, not the start."""
    lite = build_lite(settings, run_folder, stand_ins)
    full = FullEngine(
        FullSettings(
            chromium=find_chromium(settings.chromium) or Path("chromium"),
            run_folder=run_folder / "full",
            base_url=settings.llm_base_url,
            model=settings.llm_model,
            api_key=settings.llm_api_key.get_secret_value() if settings.llm_api_key else "",
            method=settings.llm_method,
            vision=settings.llm_vision,
            model_timeout=settings.llm_timeout,
            warm=settings.warm_pairs,
            memory_mb=settings.full_memory,
            disk_mb=settings.full_disk,
            budget=settings.task_budget,
            prices=settings.llm_prices,
            private_network=settings.private_network,
            origins=Origins(stand_ins),
            ads=_ads(settings.ad_hosts),
            sandbox=settings.sandboxed,
        )
    )
    return {"lite": lite, "full": full}


async def warm_up(engines: Mapping[EngineName, Engine]) -> None:
    """Begins to make the pairs that the full engine keeps ready, in the background: nothing waits for them."""
    full = engines.get("full")
    if isinstance(full, FullEngine):
        await full.warm_up()


def build_lite(settings: Settings, run_folder: Path, stand_ins: Mapping[str, str]) -> LiteEngine:
    """The lite engine alone."""
    return LiteEngine(
        _finder(settings),
        run_folder / "lite",
        Origins(stand_ins),
        sandbox=settings.sandboxed,
        private_network=settings.private_network,
        ads=_ads(settings.ad_hosts),
    )


def build_login_browsers(settings: Settings, run_folder: Path, stand_ins: Mapping[str, str]) -> LoginBrowsers:
    """The browsers in which people sign in."""
    return LoginBrowsers(
        _finder(settings),
        run_folder / "sign-in",
        Origins(stand_ins),
        sandbox=settings.sandboxed,
        private_network=settings.private_network,
    )


def _ads(further: Path | None) -> frozenset[str]:
    """What ad blocking blocks. Raises SettingWrong."""
    try:
        return ad_hosts(further)
    except (OSError, UnicodeDecodeError) as error:
        message = f"WEBHAND_AD_HOSTS: {further} cannot be read ({type(error).__name__})"
        raise SettingWrong(message) from None


def _finder(settings: Settings) -> Callable[[], Path]:
    """What finds the Chromium when it is needed."""

    def find() -> Path:
        found = find_chromium(settings.chromium)
        if found is None:
            message = "No Chrome or Chromium is installed: 'webhand doctor --fix' installs one."
            raise BrowserFailed(message)
        return found

    return find
