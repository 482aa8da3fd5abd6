"""What an engine is given and must answer. An engine carries out one assignment; it knows neither queue nor database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from tools.site import Site
from tools.tool import AnyTool, Parameters

EngineName = Literal["lite", "full"]
Reason = Literal["challenge", "sign_in", "two_factor", "approval", "budget", "take_over", "requested"]
"""Why a task waits for a person."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """The page's size in CSS pixels."""

    width: int = 1280
    height: int = 960


@dataclass(frozen=True, slots=True)
class Login:
    """An account as an engine needs it. `state` is a browser's storage state: {"cookies": [...], "origins": [...]}."""

    account_id: str
    account_name: str
    identity: str | None = None
    """Who must be logged in, as the site spells it; None: not known yet."""
    state: Mapping[str, Any] | None = None
    credentials: Mapping[str, str] | None = None
    """username, password and optionally totp_secret; never shown to a model, a log or a page outside the account's site."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the caller wants it done. The Cloud v1 fields of run-task (contract 3.2), with its defaults."""

    viewport: Viewport = field(default_factory=Viewport)
    max_steps: int = 75
    structured_output: Mapping[str, Any] | None = None
    """A JSON Schema that the output must satisfy."""
    highlight_elements: bool = True
    use_adblock: bool = True
    proxy: str | None = None
    """An upstream proxy's URL, where one is configured for the wished country."""
    save_browser_data: bool = False
    record: bool = False
    """Whether a video of the run is kept."""
    model: str | None = None
    allowed_domains: tuple[str, ...] | None = None
    """None: the platform's hosts, or every public host for a task without a platform."""
    dry_run: bool = False
    """Everything but the publishing act, with a screenshot of the filled form."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One task, as an engine sees it."""

    task_id: str
    tool: AnyTool
    site: Site | None
    parameters: Parameters
    options: Options
    folder: Path
    """The task's own scratch folder (0700): downloads, profile, sandboxed files. Removed by the worker afterwards."""
    login: Login | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Sequence[Path] = ()
    """Input files that the task may use."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One finished step: an agent's look-think-act round, or a stage of a playbook."""

    next_goal: str
    evaluation_previous_goal: str
    url: str
    title: str = ""
    memory: str = ""
    kind: Literal["agent", "stage", "person"] = "stage"
    actions: Sequence[Mapping[str, Any]] = ()
    results: Sequence[Mapping[str, Any]] = ()
    duration_ms: int = 0
    tokens: int = 0
    cost: float = 0.0
    """US dollars."""
    screenshot: bytes | None = None
    media_type: str = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Window:
    """The very browser that a task drives, for the live view: a DevTools WebSocket URL, and the context when Chromium is shared."""

    cdp_url: str
    context_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that the run made: a download, a recording, something the agent wrote."""

    path: Path
    name: str
    kind: Literal["download", "recording", "output"]
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, when it did not raise a Failure. `result` satisfies the tool's result model."""

    result: Mapping[str, Any]
    login_state: Mapping[str, Any] | None = None
    """The browser's storage state at the end, to be kept for the account or profile."""
    identity: str | None = None
    files: Sequence[NewFile] = ()
    cookies: Sequence[Mapping[str, Any]] | None = None
    """With save_browser_data: the cookies to be shown as browser_data."""


class Desk(Protocol):
    """The worker's desk, where an engine reports while it works. Every method may raise CancelledError when the task must end."""

    async def progress(self, word: str, percentage: int) -> None:
        """Says where the run stands: a word for callers and a true percentage."""
        ...

    async def step(self, report: StepReport) -> None:
        """Records a finished step with its screenshot; visible to callers at once."""
        ...

    async def arm(self) -> None:
        """Durably records that the publishing act is about to go out; call it right before. Raises Interrupted when the lease is lost."""
        ...

    async def gate(self) -> None:
        """Between two steps or moves: returns at once, or when a pause has ended."""
        ...

    async def ask(self, reason: Reason, message: str) -> None:
        """Pauses the task until a person says continue in the live view. Raises ChallengeRequired when nobody comes in time."""
        ...

    async def keep_login(self, state: Mapping[str, Any]) -> None:
        """Stores the browser's storage state when the run ends without an Outcome that carries it: failed or cancelled.

        Awaited while a cancellation is under way, so it must be quick.
        """
        ...

    def show(self, window: Window | None) -> None:
        """Tells the live view which browser to show; None when it is gone."""
        ...


class Engine(Protocol):
    """Carries out assignments. Cancelling the coroutine must end every process of the run within a second."""

    name: EngineName

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        """Does it, or raises a tools.errors.Failure with the code that fits. Anything else that is raised is a defect."""
        ...

    async def close(self) -> None:
        """Ends everything the engine keeps warm."""
        ...
