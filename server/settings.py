"""Every setting, read once from the environment (`WEBHAND_<NAME>`) or a file `.env`. The only module that looks there.

docs/settings.md is made from the descriptions here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingWrong(Exception):
    """A setting cannot be used."""


class Settings(BaseSettings):
    """Webhand's settings. Durations are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="WEBHAND_",
        env_file=".env",
        env_ignore_empty=True,
        enable_decoding=False,  # pydantic-settings would break at a wrong value without naming it
        extra="ignore",
        frozen=True,
    )

    # -- where things are
    data: Path = Field(
        default_factory=lambda: user_data_path("webhand", appauthor=False),
        description="Folder of everything that is kept: database, vault key, artifacts. Made with mode 0700.",
    )
    database_url: str | None = Field(
        None, description="`postgresql://user:password@host/name`; unset: SQLite in the data folder."
    )
    artifacts_url: str | None = Field(
        None,
        description=(
            "Object store of artifacts: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder` "
            "(credentials as the provider's own tools take them from the environment); unset: the data folder."
        ),
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        None, description="Base URL under which callers reach the server; unset: the address it listens on."
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description=(
            "Further host names that requests may name (JSON list, or with commas between); the public URL's and loopback are always "
            "allowed."
        ),
    )
    cors_origins: list[str] = Field(
        default_factory=list,
        description="Origins whose pages may call the REST API (JSON list, or with commas between; `*` for all).",
    )
    frame_ancestors: str = Field(
        "*", description="Who may embed live pages: the value of the CSP directive `frame-ancestors`."
    )

    # -- secrets
    vault_keys: list[SecretStr] = Field(
        default_factory=list[SecretStr],
        description=(
            "Vault keys, newest first (JSON list, or with commas between); unset: `vault.key` in the data folder, made at the first "
            "start."
        ),
    )

    # -- browsers
    chromium: Path | None = Field(None, description="Chrome or Chromium to use; unset: the first one found.")
    sandbox: Literal["auto", "on", "off"] = Field(
        "auto", description="Chromium's own sandbox. `auto`: on, except as root, where Chromium refuses it."
    )
    private_network: bool = Field(
        default=False, description="Whether browsers may reach loopback and private addresses."
    )
    origins: dict[str, str] = Field(
        default_factory=dict,
        description="Stand-ins: documented origin to the origin really used (JSON object), for test sites and regional hosts.",
    )
    ad_hosts: Path | None = Field(
        None,
        description="File of hosts that `use_adblock` blocks besides the built-in ones: one a line, or a hosts file.",
    )
    overrides: Path | None = Field(
        None,
        description="JSON file with selectors that replace those of a platform; unset: `overrides.json` in the data folder.",
    )
    proxies: dict[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr],
        description="Upstream proxies by country code (JSON object), for tasks that ask for one.",
    )
    demo_site: bool = Field(default=True, description="Whether the practice site is served, on a port of its own.")
    demo_port: int = Field(0, ge=0, le=65535, description="The practice site's port; 0 takes a free one.")

    # -- the model
    llm_base_url: str | None = Field(None, description="Base URL of an OpenAI-compatible endpoint.")
    llm_model: str | None = Field(None, description="Model to use; without it only the lite engine can work.")
    llm_api_key: SecretStr | None = Field(None, description="The endpoint's key.")
    llm_method: Literal["json_schema", "function_calling"] = Field(
        "json_schema", description="How the model is made to answer in structure."
    )
    llm_vision: bool = Field(
        default=True,
        description="Whether the model is shown screenshots; switch it off for models that take text alone.",
    )
    llm_timeout: float = Field(90, gt=0, description="Time-out of one model call.")
    llm_prices: Path | None = Field(None, description="JSON file with model prices that add to the built-in table.")
    task_budget: float | None = Field(
        None,
        gt=0,
        description="US dollars that a task may spend on the model before it pauses and asks; unset: no limit.",
    )

    # -- work
    lite_slots: int = Field(4, ge=0, description="Lite tasks at once in one worker.")
    full_slots: int = Field(1, ge=0, description="Full tasks at once in one worker.")
    lite_everywhere: int | None = Field(
        None, ge=1, description="Lite tasks at once in all workers together; unset: no limit."
    )
    full_everywhere: int | None = Field(
        None, ge=1, description="Full tasks at once in all workers together; unset: no limit."
    )
    warm_pairs: int = Field(
        0,
        ge=0,
        le=32,
        description="Pairs of runner and Chromium that are kept ready for full tasks: about 250 MB each.",
    )
    full_memory: int = Field(
        3072, ge=256, description="Megabytes that a full task's browser and runner may use before the task is ended."
    )
    full_disk: int = Field(
        4096,
        ge=64,
        description="Megabytes that a full task's browser may write to disk, downloads and profile together, before the task is ended.",
    )
    fallback: bool = Field(
        default=True,
        description="Whether the full engine takes over when a lite playbook fails before anything was published (needs a model).",
    )
    lease: float = Field(30, gt=0, description="A worker silent for so long is taken for dead.")
    human_wait: float = Field(1800, gt=0, description="How long a paused task waits for a person.")
    drain: float = Field(20, ge=0, description="How long running tasks may go on after a request to stop.")
    worker_address: str | None = Field(
        None,
        description=(
            "`host:port` under which fronts reach this worker's live views, `/healthz`, `/readyz` and `/metrics`; "
            "unset: a free port of the address to listen on."
        ),
    )

    # -- limits
    hourly_limit: int = Field(10_000, ge=1, description="Requests per key and hour.")
    daily_limit: int = Field(100_000, ge=1, description="Requests per key and day.")
    max_pending: int = Field(
        10_000, ge=1, description="Pending tasks of an engine at which new ones are refused for a while."
    )
    max_body: int = Field(1_048_576, ge=1024, description="Largest request body, in bytes.")
    duplicate_hours: float = Field(
        24,
        ge=0,
        description="For so long an account may not publish the same text again unless the call says so; 0: no guard.",
    )
    merge_identical: bool = Field(
        default=False,
        description="Whether a REST create that equals one of the same key still in flight answers with that task (MCP calls always do).",
    )
    caps: bool = Field(
        default=True,
        description="Whether each site's hourly and daily caps per account hold (its spacing between two acts always does).",
    )
    approval: bool = Field(default=False, description="Whether every publishing task waits for approval.")

    # -- webhooks
    webhook_private: bool = Field(
        default=False, description="Whether webhooks may go to private addresses (loopback is always allowed)."
    )
    webhook_give_up_hours: float = Field(24, gt=0, description="For so long a delivery is tried again.")
    webhook_disable_days: float = Field(3, gt=0, description="A webhook that has failed for so long is disabled.")
    cloud_failed_word: Literal["stopped", "failed"] = Field(
        "stopped", description="What Cloud v1 webhooks say of a failed task; its SDKs reject `failed`."
    )

    # -- Cloud v1
    strict_models: bool = Field(
        default=False, description="Whether run-task refuses models that the hosted service did not know."
    )
    record: bool = Field(default=True, description="Whether tasks that come through Cloud v1 are recorded as a video.")
    balance: float = Field(10_000, ge=0, description="Balance in cents from which GET /balance counts down.")
    enforce_balance: bool = Field(
        default=False, description="Whether new Cloud v1 tasks are refused (402) once that balance is used up."
    )
    search_url: str | None = Field(
        None,
        description="Search page for simple-search and search-url, with `{query}` in it; unset: those calls answer 501.",
    )

    # -- live view
    live_minutes: float = Field(60, gt=0, description="How long a live URL is good for.")
    control_idle: float = Field(120, gt=0, description="After so long without input a person loses control.")
    sign_in_minutes: float = Field(
        10, gt=0, description="How long a sign-in link may wait to be opened, and how long its browser then stays."
    )
    sign_ins: int = Field(3, ge=1, description="People who may be signing in at once.")
    vnc_port: int | None = Field(None, ge=0, le=65535, description="Raw VNC port on loopback; unset: none.")

    # -- MCP
    mcp_wait: float = Field(
        45,
        ge=0,
        le=50,
        description="How long an MCP call that makes a task waits for its end before it answers with the task.",
    )
    mcp_platforms: list[str] = Field(
        default_factory=list,
        description="Platforms whose tools MCP shows (JSON list, or with commas between); empty: all.",
    )
    mcp_read_only: bool = Field(default=False, description="Whether MCP shows only tools that change nothing.")

    # -- keeping
    keep_days: float = Field(30, gt=0, description="How long finished tasks and files are kept.")
    keep_gigabytes: float = Field(20, gt=0, description="Above this the oldest files go, however young.")

    # -- observing
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto`: text on a terminal, else JSON lines."
    )
    otlp_endpoint: str | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP) that traces go to, such as `http://127.0.0.1:4318`."
    )

    @field_validator("allowed_hosts", "cors_origins", "vault_keys", "mcp_platforms", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return decoded(value)
        return [part for piece in value.split(",") if (part := piece.strip())]

    @field_validator("origins", "proxies", mode="before")
    @classmethod
    def _mapped(cls, value: object) -> object:
        return decoded(value) if isinstance(value, str) else value

    @field_validator("origins")
    @classmethod
    def _bare(cls, origins: dict[str, str]) -> dict[str, str]:
        for origin in (*origins, *origins.values()):
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
                message = f"'{origin}' is not an origin such as https://example.com"
                raise ValueError(message)
        return origins

    @field_validator("database_url")
    @classmethod
    def _known(cls, url: str | None) -> str | None:
        if url is None or re.match(r"(postgresql(\+\w+)?://|sqlite(\+\w+)?:///)", url):
            return url
        if url.startswith("postgres://"):  # as several hosts write it
            return url.replace("postgres://", "postgresql://", 1)
        message = "is not the URL of a database: postgresql://user:password@host/name"
        raise ValueError(message)

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.data / 'webhand.db'}"

    @property
    def sandboxed(self) -> bool | None:
        """Whether Chromium's own sandbox is on; None: wherever it can be."""
        return None if self.sandbox == "auto" else self.sandbox == "on"

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one, which only this machine's one server uses."""
        return self.database.startswith("sqlite")


def decoded(text: str) -> object:
    """What a setting's JSON says. Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError as error:
        message = f"this is not JSON ({error})"
        raise ValueError(message) from None


def read_settings(**given: object) -> Settings:
    """The settings of this process; what is given wins. Raises SettingWrong with a sentence for each that cannot be used."""
    try:
        return Settings(**given)  # pyright: ignore[reportArgumentType]  # checked by pydantic
    except ValidationError as error:
        wrong = [
            f"WEBHAND_{'_'.join(map(str, item['loc'])).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise SettingWrong("; ".join(wrong)) from None
    except (UnicodeDecodeError, OSError) as error:
        message = f"The file .env cannot be read ({error}): correct it, or move it away."
        raise SettingWrong(message) from None
