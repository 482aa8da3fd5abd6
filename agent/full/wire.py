"""What the supervisor and a runner say to each other: one JSON object a line, over a Unix socket.

The supervisor trusts nothing that a runner says: every message is validated here and redacted on arrival.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes: room for a screenshot of a very large page in base64."""


class Message(BaseModel):
    """One line. `kind` says which."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelChoice(Message):
    """Which language model a runner asks, and how. Sent over the socket, so that the key is in no argument and no environment."""

    base_url: str
    name: str
    api_key: str
    method: Literal["json_schema", "function_calling"] = "json_schema"
    timeout: float = 90.0
    """Seconds that one attempt may take."""
    retries: int = 2
    """How often a refused, cut or rate limited request is sent again, with growing pauses."""


class Grant(Message):
    """A secret that may be typed, where, and into what."""

    name: str
    value: str
    hosts: tuple[str, ...]
    """Hosts whose pages may get it; `*.` covers subdomains and the host itself."""
    field: Literal["any", "input", "password"] = "any"
    """Which kind of element may get it: any editable one, an <input>, or only <input type=password>."""
    totp: bool = False
    """Whether the value is a TOTP secret, of which the present code is typed."""


class Arming(Message):
    """When the runner must have the publishing act recorded before it goes on."""

    after_typing: bool
    """True: acts count from the moment the content was typed. False: every act counts (a like has no content)."""
    login_urls: tuple[str, ...] = ()
    """How the URLs of login pages begin, where no act publishes anything."""
    told: str = ""
    """What the task says, content included: outside the login pages nothing else is typed. Empty: the agent words it itself."""
    dry_run: bool = False
    """Whether acts that may publish are refused instead."""
    controls: tuple[str, ...] = ()
    """CSS of what publishes, where the site's publishing requests are known too: a dry run may then use every other control."""


class Prepare(Message):
    """Makes a runner ready: it connects to its Chromium and says `ready`."""

    kind: Literal["prepare"] = "prepare"
    cdp_url: str
    folder: str
    """Its scratch folder: temporary files, downloads."""


class Begin(Message):
    """The task itself."""

    kind: Literal["begin"] = "begin"
    task: str
    instructions: str
    """What is added to the agent's system prompt."""
    model: ModelChoice
    start_url: str | None = None
    """Opened before the agent looks for the first time."""
    max_steps: int
    max_failures: int
    width: int
    height: int
    highlight: bool
    vision: bool
    actions: tuple[str, ...]
    """The actions that the agent may take; everything else is off."""
    grants: tuple[Grant, ...] = ()
    output_schema: dict[str, Any] | None = None
    """The JSON Schema of the answer; None: plain text."""
    files: tuple[str, ...] = ()
    """Paths of input files in the runner's sandbox."""
    sandbox: str
    """The folder where the agent may read and write files."""
    arming: Arming | None = None
    """None: the task publishes nothing."""


class Answer(Message):
    """The supervisor's answer to a question: go on."""

    kind: Literal["answer"] = "answer"
    id: int
    text: str = ""


class Ready(Message):
    """The runner is connected and waits for its task."""

    kind: Literal["ready"] = "ready"
    pid: int


class Beat(Message):
    """The runner's loop is alive."""

    kind: Literal["beat"] = "beat"


class Spent(Message):
    """What one call of the model used, in tokens. `cached` is a part of `prompt`."""

    kind: Literal["spent"] = "spent"
    prompt: int
    cached: int = 0
    completion: int


class Step(Message):
    """One finished round of the agent."""

    kind: Literal["step"] = "step"
    number: int
    next_goal: str = ""
    evaluation_previous_goal: str = ""
    memory: str = ""
    url: str = ""
    title: str = ""
    actions: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    results: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    duration_ms: int = 0
    screenshot: str | None = None
    """PNG in base64."""


class Question(Message):
    """The runner waits for the answer of the same id.

    `gate`: may the next step begin? `arm`: the next act may publish. `person`: help is needed first.
    """

    kind: Literal["question"] = "question"
    id: int
    about: Literal["gate", "arm", "person"]
    reason: Literal["challenge", "sign_in", "two_factor"] | None = None
    """What a person is wanted for."""
    message: str = ""
    tab: str = ""
    """The DevTools target that the agent is in, where it matters."""


class Finished(Message):
    """The agent said that it is done, or stopped without. Nothing follows."""

    kind: Literal["finished"] = "finished"
    done: bool
    success: bool = False
    text: str = ""
    output: Any = None
    """The answer that satisfies `output_schema`."""
    steps: int = 0
    forced: bool = False
    """Whether the agent had failed too often or used up its steps, and was told to end."""
    last_error: str = ""


class Failed(Message):
    """The run cannot go on. `code` is one of tools.errors. Nothing follows."""

    kind: Literal["failed"] = "failed"
    code: str
    message: str
    retry_after: int | None = None


class Log(Message):
    """A line for the log, redacted by the runner already."""

    kind: Literal["log"] = "log"
    level: Literal["error"]
    event: str


ToRunner = Annotated[Prepare | Begin | Answer, Field(discriminator="kind")]
FromRunner = Annotated[Ready | Beat | Spent | Step | Question | Finished | Failed | Log, Field(discriminator="kind")]

to_runner: TypeAdapter[ToRunner] = TypeAdapter(ToRunner)
from_runner: TypeAdapter[FromRunner] = TypeAdapter(FromRunner)


def encode(message: Message) -> bytes:
    """The message as a line."""
    return message.model_dump_json().encode() + b"\n"


async def read_line(reader: asyncio.StreamReader) -> bytes | None:
    """The next line, or None when the other side is gone. A line cut short counts as gone."""
    try:
        line = await reader.readline()
    except (ConnectionError, ValueError):
        return None
    return line if line.endswith(b"\n") else None
