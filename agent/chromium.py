"""Launching Chromium, owning it, and ending it with all its processes.

Every launch gets a folder of its own inside a run folder: the profile, what Chromium wrote to stderr, and a record of who
started it. On Linux it is killed by the kernel when its owner dies; elsewhere, and where even that failed, `reap_orphans`
finds the record of the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agent.installed import find_chromium, install_chromium, is_root
from agent.ownership import kill_group, reap_orphans, remove_folder, write_record
from tools.errors import BrowserFailed

__all__ = ["Chromium", "find_chromium", "install_chromium", "reap_orphans"]

START_SECONDS = 30.0
FLAGS = (
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-service-autorun",
    "--no-pings",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    "--disable-quic",
    "--disable-renderer-backgrounding",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    # It asks its maker's servers who is logged in and what is new, whatever else is switched off: in a place that never exists.
    "--gaia-url=https://login.invalid",
    "--component-updater=url-source=https://updates.invalid",
    "--hide-scrollbars",
    "--log-level=2",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
)
FEATURES_OFF = (
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "DialMediaRouteProvider",
    "HttpsUpgrades",
    "InterestFeedContentSuggestions",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "Translate",
    # Each window loads these pages of the browser's own, which nobody sees here: three quarters of what a context costs.
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
)
PREFERENCES = {"session": {"restore_on_startup": 1}}
"""Go on where it was left. Else it forgets every session cookie, and with them the login, when a page closes its last tab."""
INHERITED = frozenset(
    (
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "DBUS_SESSION_BUS_ADDRESS"),
        *(
            "SYSTEMROOT",
            "SYSTEMDRIVE",
            "WINDIR",
            "TEMP",
            "TMP",
            "USERPROFILE",
            "APPDATA",
            "LOCALAPPDATA",
            "PROGRAMDATA",
        ),
    )
)
"""The environment that a browser may see, besides LC_*: a page that breaks out of it must find no secrets there."""

OWN = {"TMPDIR": "/proc/self/cwd/tmp"} if sys.platform == "linux" else {}
"""Its temporary files lie in its own folder, by a name that is short wherever that is: a socket's may have 107 bytes."""

# A program of its own instead of preexec_fn, which runs Python between fork and exec and may deadlock in a process
# with threads. It asks the kernel for SIGKILL at the parent's death, looks whether that came too late, and becomes
# Chromium. The signal outlives exec.
SHIM = (
    "import ctypes,os,signal,sys\n"
    "ctypes.CDLL(None).prctl(1,signal.SIGKILL)\n"
    "if os.getppid()!=int(sys.argv[1]):sys.exit(1)\n"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


class Chromium:
    """A running Chromium of ours. Build it with `launch`.

    `cdp_url`: its DevTools WebSocket (ws://127.0.0.1:PORT/devtools/browser/ID). `pid`: its main process, which is also
    its process group. `folder`: its own folder, removed by `close`.
    """

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, cdp_url: str) -> None:
        self.cdp_url = cdp_url
        self.folder = folder
        self.pid = process.pid
        self._process = process

    @classmethod
    async def launch(
        cls,
        executable: Path,
        folder: Path,
        *,
        proxy: str | None = None,
        args: Sequence[str] = (),
        headless: bool = True,
        width: int = 1280,
        height: int = 960,
        sandbox: bool | None = None,
    ) -> Chromium:
        """Starts a Chromium with a fresh profile below the run folder and waits until DevTools answers.

        `proxy`: everything goes through it, loopback included. `sandbox`: None means on, unless we are root. Call it
        from a thread that lives as long as the browser shall. Raises BrowserFailed.
        """
        if not os.access(executable, os.X_OK):
            raise BrowserFailed(f"Chromium could not be started: {executable} is not a program")
        own = fresh_folder(folder)
        prefer(own / "profile")
        sandboxed = not is_root() if sandbox is None else sandbox
        flags = [
            *merged([*FLAGS, f"--disable-features={','.join(FEATURES_OFF)}", *args]),
            *(["--headless=new", "--disable-gpu"] if headless else []),
            *([] if sandboxed else ["--no-sandbox"]),
            *([f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>"] if proxy else []),
            f"--window-size={width},{height}",
            f"--user-data-dir={own / 'profile'}",
        ]
        process = await spawn(executable, [*flags, "about:blank"], own)
        browser = cls(process, own, "")
        try:
            write_record(own, process.pid)
            browser.cdp_url = await browser._ready()
        except BaseException:
            await browser.close(grace=0)
            raise
        return browser

    async def _ready(self) -> str:
        """The DevTools URL, as soon as Chromium has written it down."""
        port = self.folder / "profile" / "DevToolsActivePort"
        try:
            async with asyncio.timeout(START_SECONDS):
                while not (lines := read_lines(port))[1:]:
                    if not self.alive:
                        raise BrowserFailed(self._last_words())
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise BrowserFailed(f"Chromium did not answer within {START_SECONDS:.0f} seconds") from None
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}"

    def _last_words(self) -> str:
        """Why it ended, as far as it said so."""
        said = (self.folder / "stderr.log").read_text(errors="replace")
        if "sandbox" in said and "namespace" in said:
            return "Chromium found no usable sandbox: allow user namespaces on this host, or set WEBHAND_SANDBOX=off"
        line = next((line for line in reversed(said.splitlines()) if line.strip()), "")
        return f"Chromium ended at once with code {self._process.returncode}: {line[-300:]}".rstrip(": ")

    @property
    def alive(self) -> bool:
        """Whether its main process runs."""
        return self._process.returncode is None

    async def wait_gone(self) -> None:
        """Returns when its main process has ended, for whatever reason."""
        await self._process.wait()

    def kill(self) -> None:
        """Kills all its processes at once and waits for nothing; `close` tidies up afterwards."""
        if self.alive:
            kill_group(self.pid)

    async def close(self, grace: float = 3) -> None:
        """Ends it with all its processes and removes its folder; `grace` 0 kills at once, and may be called twice."""
        if self.alive and grace > 0:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace)
        if self.folder.exists():
            kill_group(self.pid)
            await self._process.wait()
            await asyncio.to_thread(remove_folder, self.folder)


def fresh_folder(run_folder: Path) -> Path:
    """A new folder for one browser, readable by us alone."""
    run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="chromium-", dir=run_folder)).resolve()


def prefer(profile: Path) -> None:
    """Writes a fresh profile's preferences."""
    folder = profile / "Default"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "Preferences").write_text(json.dumps(PREFERENCES))


def merged(flags: Iterable[str]) -> list[str]:
    """The flags with their `--disable-features` joined into one: Chromium heeds only the last."""
    kept, off = list[str](), list[str]()
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "--disable-features":
            off.extend(value.split(","))
        else:
            kept.append(flag)
    return [*kept, f"--disable-features={','.join(dict.fromkeys(off))}"]


async def spawn(executable: Path, flags: Sequence[str], folder: Path) -> asyncio.subprocess.Process:
    """Starts Chromium in a session and process group of its own, bound to our life where the kernel can do that."""
    command = [str(executable), *flags]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", SHIM, str(os.getpid()), *command]
    (folder / "tmp").mkdir()
    with (folder / "stderr.log").open("wb") as stderr:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            cwd=folder,
            env={**environment(os.environ), **OWN},  # not a setting: what the child inherits
        )


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a browser may see of our environment."""
    return {name: value for name, value in ours.items() if name in INHERITED or name.startswith("LC_")}


def read_lines(path: Path) -> list[str]:
    """The lines of a file, none while it is not there."""
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []
