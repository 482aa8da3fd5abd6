"""What a paused task asks of a person, and how the question reaches them: through the client where it can ask, else in words.

A question goes out once: who says yes is not asked again, who says no ends the task, who only closes it is asked anew under another key.
The page that a question points to asks for the code that its words hold, and for a key where something is to be approved: its
address alone opens nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

from server.codes import Codes, pause
from server.links import Links
from server.mcp_facade.visit import Context, Visit, visit_of
from server.tasks import TaskService
from storage.states import TaskState
from storage.tables import Task
from tools.errors import Conflict

Action = Literal["accept", "decline", "cancel"]
_URL_MODE_SINCE = "2025-11-25"
_REMEMBERED = 2000
_ASKING_S = 10.0
_ASKED: Mapping[str, str] = {
    "challenge": "The site wants to see a person.",
    "sign_in": "The account must be signed in.",
    "two_factor": "The site asks for the second factor.",
    "approval": "This must be approved before it is published.",
    "budget": "The task's budget is used up.",
    "requested": "The task was paused.",
}
_ANSWERED_HERE = {"budget", "requested"}
"""Reasons that a yes or no settles; all others need the task's page."""
_MEANT = {None, "requested", "take_over"}
"""Who pauses a task, or takes it over, knows what they do: nobody else is asked."""
_GO_ON: dict[str, Any] = {
    "type": "object",
    "properties": {"go_on": {"type": "boolean", "title": "Go on with the task", "default": True}},
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `url`: where to answer it; None: a yes or no is the answer."""

    key: str
    message: str
    url: str | None

    def request(self, *, legacy: bool) -> types.ElicitRequest:
        """The question as the protocol puts it."""
        if self.url is None:
            params = types.ElicitRequestFormParams(message=self.message, requested_schema=_GO_ON)
            return types.ElicitRequest(params=params)
        return types.ElicitRequest(
            params=types.ElicitRequestURLParams(
                message=self.message, url=self.url, elicitation_id=self.key if legacy else None
            )
        )


class People:
    """Asks people, and remembers what was answered."""

    def __init__(self, tasks: TaskService, links: Links, codes: Codes) -> None:
        self._tasks = tasks
        self._links = links
        self._codes = codes
        self._answers: OrderedDict[str, dict[str, Action]] = OrderedDict()

    def questions(self, task: Task) -> list[Question]:
        """What the task asks right now: what was answered already is not asked again."""
        if task.state is not TaskState.PAUSED or task.pause_reason in _MEANT:
            return []
        answers = self._answers.get(task.id, {})
        base = pause(task)
        closed = sum(key.startswith(base) and action == "cancel" for key, action in answers.items())
        key = f"{base}-{closed + 1}"
        if any(name.startswith(base) and action != "cancel" for name, action in answers.items()):
            return []
        return [self._question(task, key)]

    def in_words(self, task: Task, visit: Visit) -> str:
        """The question for a model to pass on. Where nothing may be changed, its link is for watching."""
        reason = task.pause_reason or ""
        if reason in _ANSWERED_HERE:
            return "Ask the user whether it is to go on: task_resume lets it, task_cancel ends it."
        if reason == "take_over":
            return "Nobody needs to be asked, and task_resume would take the control away from them."
        url = self._links.task_page(task) if reason == "approval" else self._links.live(task, control=visit.writes)
        return f"Ask the user to open {url} and do what the page says."

    def can_ask(self, ctx: Context, question: Question) -> bool:
        """Whether the client can put the question to its user, and may: an answer changes the task."""
        capabilities = ctx.session.client_capabilities
        offered = capabilities.elicitation if capabilities is not None else None
        if offered is None or not visit_of(ctx).writes:
            return False
        if question.url is None:
            return offered.form is not None or offered.url is None  # a bare declaration means forms
        return offered.url is not None and ctx.protocol_version >= _URL_MODE_SINCE

    async def ask(self, ctx: Context, question: Question, seconds: float) -> types.ElicitResult | None:
        """Puts the question to a client of the handshake era; None when no answer came in time.

        A person gets at least ten seconds, even where the call's own wait is nearly over.
        """
        try:
            return await ctx.session.send_request(
                question.request(legacy=True),
                types.ElicitResult,
                request_read_timeout_seconds=max(seconds, _ASKING_S),
                metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
            )
        except MCPError:
            return None  # it was too late, or the client could not after all: the words say the same

    async def answer(self, visit: Visit, task: Task, question: Question, answered: types.ElicitResult) -> None:
        """Does what the person said. A task that has moved on meanwhile is left as it is."""
        answers = self._answers.setdefault(task.id, {})
        answers[question.key] = answered.action
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        try:
            if answered.action == "decline" or (answered.content or {}).get("go_on") is False:
                await self._tasks.cancel(visit.caller, task.id)
            elif answered.action == "accept" and question.url is None:
                await self._tasks.resume(visit.caller, task.id)
        except Conflict:
            return

    def coded(self, key: str, told: str, about: str, question: str) -> Question:
        """A question that sends its reader to a page. `about`: the id of the task or sign-in; `question`: whose code opens it."""
        code = self._codes.of(question)
        return Question(key, f"{told}\nOpen the page and give it the code {code}.", self._links.question(about))

    def _question(self, task: Task, key: str) -> Question:
        reason = task.pause_reason or ""
        told = task.pause_message or _ASKED.get(reason, "The task waits for a person.")
        if reason in _ANSWERED_HERE:
            return Question(key, f"{told}\nGo on?", None)
        if reason == "approval":  # a yes in somebody's name: a code says only who was asked
            return Question(key, f"{told}\nOpen the task's page to go on.", self._links.task_page(task))
        return self.coded(key, told, task.id, pause(task))
