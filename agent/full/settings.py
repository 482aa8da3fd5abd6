"""How the full engine behaves: given by whoever wires the server, never read from the environment here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.adblock import ad_hosts
from agent.origins import Origins


@dataclass(frozen=True, slots=True)
class FullSettings:
    """Times in seconds. Without a `model` the engine answers every task that names none with MODEL_UNAVAILABLE."""

    chromium: Path
    run_folder: Path
    """Where pairs live (0700): profiles, downloads, temporary files. Nothing of a task stays in it."""
    base_url: str | None = None
    """An OpenAI-compatible endpoint, up to and including `/v1`; None: OpenAI's own."""
    model: str | None = None
    """Used unless the task names another one."""
    api_key: str = field(default="", repr=False)
    method: Literal["json_schema", "function_calling"] = "json_schema"
    """How the endpoint is told the form of its answers."""
    vision: bool = True
    """Whether the model is shown screenshots."""
    model_timeout: float = 90.0
    model_retries: int = 2
    max_failures: int = 3
    """How many failed steps in a row end a run."""
    warm: int = 1
    """Pairs of a runner and a Chromium that are kept ready: about 250 MB each."""
    memory_mb: int = 3072
    """What one task's browser and runner may use together before the task is ended."""
    disk_mb: int = 4096
    """What one task's browser may write to disk, downloads and profile together, before the task is ended."""
    budget: float | None = None
    """US dollars that one task's model calls may cost before a person is asked."""
    prices: Path | None = None
    """A file of the form of prices.json that adds or replaces entries."""
    silence: float = 60.0
    """A runner that shows no life for so long is taken for dead."""
    private_network: bool = False
    """Whether tasks may reach loopback and private addresses."""
    origins: Origins = field(default_factory=lambda: Origins({}))
    """Where platforms are really served from, for stand-ins."""
    ads: frozenset[str] = field(default_factory=ad_hosts)
    """Hosts of advertisers and trackers, blocked for tasks that want it."""
    sandbox: bool | None = None
    """Chromium's own sandbox; None: on, unless run by root."""
    max_files: int = 20
    max_file_mb: int = 100
