"""What the agent can do in the browser: browser-use's actions behind our guard, and those of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from browser_use.agent.views import ActionResult
from browser_use.browser.session import BrowserSession
from browser_use.tools.registry.views import ActionModel
from browser_use.tools.service import Tools
from pydantic import BaseModel, Field, WithJsonSchema, create_model

from agent.full.answers import inlined, problems
from agent.full.channel import Channel
from agent.full.element import Element
from agent.full.guard import PLACEHOLDER, Guard, Place, RefusedAct
from agent.full.wire import Begin

EVERY_ACTION = frozenset(
    (
        "search",
        "navigate",
        "go_back",
        "wait",
        "click",
        "input",
        "upload_file",
        "switch",
        "close",
        "extract",
        "search_page",
        "find_elements",
        "scroll",
        "send_keys",
        "find_text",
        "screenshot",
        "save_as_pdf",
        "dropdown_options",
        "select_dropdown",
        "write_file",
        "replace_file",
        "read_file",
        "evaluate",
        "done",
    )
)
"""What browser-use registers; a test compares what the model is told, so that a new one cannot slip in."""

# One indivisible turn of the page's own thread: between looking whose field it is and filling it, the page can do nothing.
LOOK = """function() {
    const view = this.ownerDocument.defaultView;
    const field = this instanceof view.HTMLInputElement ? (this.type === 'password' ? 'password' : 'input')
        : this.isContentEditable || this instanceof view.HTMLTextAreaElement ? 'any' : '';
    return {origin: view.origin, field, url: view.location.href};
}"""
FILL = """function(text, origin, clear) {
    const view = this.ownerDocument.defaultView;
    if (view.origin !== origin) return 'moved';
    this.style.setProperty('-webkit-text-security', 'disc', 'important');
    this.focus();
    if (this.getRootNode().activeElement !== this) return 'unfocused';
    if (clear) {
        if (this.select) this.select(); else view.getSelection().selectAllChildren(this);
    }
    this.ownerDocument.execCommand('insertText', false, text);
    return (this.value ?? this.textContent).includes(text) ? 'typed' : 'refused';
}"""

SENDS = """function(controls) {
    const is = (element, control) => { try { return element.matches(control) } catch { return false } };
    const holds = (element, control) => { try { return !!element.querySelector(control) } catch { return false } };
    for (const control of controls) {
        if (holds(this, control)) return true;
        for (let up = this; up; up = up.parentElement ?? up.getRootNode().host) if (is(up, control)) return true;
    }
    return false;
}"""
"""Whether an element is one of the controls, lies in one or holds one. Selectors that are no CSS hit nothing."""


class Done(BaseModel):
    """How the agent ends its work, in plain text."""

    success: bool = Field(description="True only when everything that was asked for is done; otherwise False")
    text: str = Field(description="The answer to the user; when it could not be done, why")


class AskPerson(BaseModel):
    """What the agent needs a person for."""

    reason: Literal["challenge", "sign_in", "two_factor"] = Field(
        description="challenge: a captcha or another check for robots; sign_in: a login without a secret for it; two_factor: a code"
    )
    message: str = Field(description="What the person shall do, in a sentence")


class GuardedTools(Tools[None]):
    """The actions of one run."""

    def __init__(self, begin: Begin, guard: Guard, channel: Channel) -> None:
        super().__init__(exclude_actions=sorted(EVERY_ACTION - set(begin.actions) - {"done"}))
        self.guard = guard
        self.channel = channel
        self.wanted: AskPerson | None = None
        if begin.output_schema is None:
            self.register_done()
        else:
            self.register_done_with(begin.output_schema)
        if "ask_person" in begin.actions:
            self.register_ask_person()

    def register_done(self) -> None:
        """The action that ends the run."""

        @self.registry.action("Finish. Only report what you did and saw yourself.", param_model=Done)
        async def done(params: Done) -> ActionResult:  # pyright: ignore[reportUnusedFunction]  # registered by its name
            return finished(params, None)

    def register_done_with(self, schema: Mapping[str, Any]) -> None:
        """The action that ends the run with data: a success without data that satisfies the schema is sent back."""
        shown = WithJsonSchema(inlined(schema))
        data = Field(default=None, description="The answer as data; left out when it could not be done")
        model = create_model("DoneWithData", __base__=Done, data=(Annotated[Any, shown], data))

        @self.registry.action("Finish with data. Only report what you did and saw yourself.", param_model=model)
        async def done(params: Done) -> ActionResult:  # pyright: ignore[reportUnusedFunction]  # registered by its name
            answer = params.model_dump()["data"]
            wrong = problems(schema, answer) if params.success else ""
            if wrong:
                return ActionResult(error=f"The data does not have the asked form: {wrong}")
            return finished(params, answer)

    def register_ask_person(self) -> None:
        """The action that asks for help; the run then waits at its next gate."""

        @self.registry.action(
            "Ask a person for help with a captcha, a login or a code. They act in this very browser; then look at the page again.",
            param_model=AskPerson,
            terminates_sequence=True,
        )
        async def ask_person(params: AskPerson) -> ActionResult:  # pyright: ignore[reportUnusedFunction]  # registered by its name
            self.wanted = params
            return ActionResult(extracted_content="A person was asked.")

    async def act(self, action: ActionModel, browser_session: BrowserSession, *more: Any, **named: Any) -> ActionResult:
        """Does one action, if the guard lets it."""
        asked: dict[str, dict[str, Any]] = action.model_dump(exclude_unset=True)
        name, parameters = next(iter(asked.items()), ("", dict[str, Any]()))
        try:
            self.guard.check(name, parameters)
            sends = await self.sends(browser_session, name, parameters)
            place = Place(await browser_session.get_current_page_url(), sends=sends)
            self.guard.check_words(name, parameters, place)
            if self.guard.publishes(name, parameters, place):
                await self.channel.ask("arm", tab=browser_session.agent_focus_target_id or "")
            if name == "input" and PLACEHOLDER.search(parameters["text"]):
                return await self.type_secret(browser_session, parameters, place)
        except RefusedAct as refused:
            return ActionResult(error=str(refused))
        return await super().act(  # pyright: ignore[reportUnknownMemberType]  # a bare dict in its signature
            action, browser_session, *more, **{**named, "sensitive_data": None}
        )

    async def sends(self, session: BrowserSession, action: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a click, in a dry run, hits the control that publishes, or hits what cannot be told."""
        controls = self.guard.controls
        if not controls or action != "click":
            return False
        index = parameters.get("index")
        try:
            element = await Element.at(session, index) if isinstance(index, int) else None
            return element is None or bool(await element.call(SENDS, controls))
        except RuntimeError:  # so cdp-use says that the element or its page is gone
            return True

    async def type_secret(self, session: BrowserSession, parameters: Mapping[str, Any], place: Place) -> ActionResult:
        """Types a text with secrets in it, without browser-use, which would type it elsewhere when the field is gone."""
        element = await Element.at(session, parameters["index"])
        if element is None:
            return ActionResult(error=f"There is no element {parameters['index']}: look at the page again.")
        seen = await element.call(LOOK)
        text = self.guard.reveal(parameters["text"], Place(place.url, seen["origin"], seen["field"]))
        outcome = await element.call(FILL, text, seen["origin"], parameters.get("clear", True))
        if outcome != "typed":
            return ActionResult(error=f"The field did not take the secret ({outcome}): look at the page again.")
        return ActionResult(
            extracted_content=f"Typed {parameters['text']}", long_term_memory=f"Typed {parameters['text']}"
        )

    async def help_wanted(self) -> None:
        """Waits until a person has helped, where the last step asked for one."""
        if self.wanted is not None:
            wanted, self.wanted = self.wanted, None
            await self.channel.ask("person", wanted.reason, wanted.message)


def finished(params: Done, answer: Any) -> ActionResult:
    """The result that ends a run."""
    return ActionResult(
        is_done=True, success=params.success, extracted_content=params.text, metadata={"output": answer}
    )
