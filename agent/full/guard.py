"""What an agent may do, whatever a page has talked it into: decided here, outside of the model's reach.

- It navigates to http and https only.
- A secret is typed into pages of its own hosts only, into the very frame that holds the field, and a password only into a password
  field. Everywhere else its placeholder is refused, not typed.
- On a platform it types what the task says and nothing else, so that no page can put other words into somebody's mouth.
- Before an act that may publish, the supervisor has it recorded. That is every click, key press, choice, upload and typed line
  break: for a tool with content from the moment something was typed outside of the login pages, for one without (a like) from
  the start. In a dry run these acts are refused; where the control that publishes is known, only clicks on it and keys are, and
  the supervisor lets nothing out that could change anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pyotp

from agent.domains import covers, join
from agent.full.wire import Arming, Grant

PLACEHOLDER = re.compile(r"<secret>(.*?)</secret>")
ACTS = {"click", "send_keys", "select_dropdown", "upload_file"}
KEYS = re.compile(
    r"(?:(?:Control|Ctrl|ControlOrMeta|Meta|Cmd|Alt|Shift)\+)*"
    r"(?:Enter|Tab|Escape|Esc|Backspace|Delete|Insert|Space|Home|End|Page(?:Up|Down)|Arrow(?:Up|Down|Left|Right)|F\d\d?|\S)"
)
"""What is pressed rather than typed."""
SPEECH = {"done", "ask_person"}
"""What is said, not done: placeholders may stand in it, they are never replaced."""


class RefusedAct(Exception):
    """The agent may not do that; the message tells it why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an action takes effect. `origin`: of the frame that holds the element, as the browser itself says it."""

    url: str
    origin: str = ""
    field: str = ""
    """`password`, `input` (any other <input>), `any` (another editable element), or empty."""
    sends: bool = False
    """Whether the click hits one of `Arming.controls`."""


class Guard:
    """One task's rules, and what has happened so far."""

    def __init__(self, grants: Sequence[Grant], arming: Arming | None) -> None:
        self.grants = {grant.name: grant for grant in grants}
        self.arming = arming
        self.typed = False

    def check(self, action: str, parameters: Mapping[str, Any]) -> None:
        """Raises RefusedAct for what is never allowed."""
        if action == "navigate" and urlsplit(str(parameters.get("url", ""))).scheme.lower() not in {
            "http",
            "https",
            "",
        }:
            raise RefusedAct("Only http and https pages can be opened.")
        if action not in {"input", *SPEECH} and placeholders(parameters):
            raise RefusedAct("A <secret> can only be typed with the input action.")

    def reveal(self, text: str, place: Place) -> str:
        """The text with its placeholders replaced, about to be typed there. Raises RefusedAct."""
        return PLACEHOLDER.sub(lambda found: self.value(found[1], place), text)

    def value(self, name: str, place: Place) -> str:
        """The value of one secret, for that place. Raises RefusedAct."""
        grant = self.grants.get(name)
        if grant is None:
            raise RefusedAct(f"There is no secret named '{name}'.")
        if not belongs(place.origin, grant.hosts):
            raise RefusedAct(f"The secret '{name}' does not belong to this page's site, so it was not typed.")
        if grant.field != "any" and place.field not in {grant.field, "password"}:
            kind = "password field" if grant.field == "password" else "field of a form"
            raise RefusedAct(f"The secret '{name}' can only be typed into a {kind}, so it was not typed.")
        return pyotp.TOTP(grant.value.replace(" ", "")).now() if grant.totp else grant.value

    def check_words(self, action: str, parameters: Mapping[str, Any], place: Place) -> None:
        """Raises RefusedAct for words that the task does not say."""
        if self.arming is None or not self.arming.told or place.url.startswith(self.arming.login_urls):
            return
        words = typed_by(action, parameters)
        if folded(PLACEHOLDER.sub("", words)) not in folded(self.arming.told):
            self.typed = True  # it wanted to: from here on its acts count
            raise RefusedAct("Only the texts that the task gives can be typed here, letter by letter.")

    def publishes(self, action: str, parameters: Mapping[str, Any], place: Place) -> bool:
        """Whether the action may be the publishing one. Raises RefusedAct when it may, in a dry run."""
        if self.arming is None or place.url.startswith(self.arming.login_urls):
            return False
        text = str(parameters.get("text", "")) if action == "input" else ""
        act = action in ACTS or "\n" in text
        counts = self.typed or not self.arming.after_typing or "\n" in text
        self.typed = self.typed or bool(text and not PLACEHOLDER.search(text))
        if act and counts and self.arming.dry_run and not self.is_preparing(action, parameters, place):
            raise RefusedAct("This is a dry run: nothing may be sent. Finish now with the done action.")
        return act and counts

    @property
    def controls(self) -> tuple[str, ...]:
        """CSS of the controls that a dry run must not click; empty: none is known, or it is no dry run."""
        return self.arming.controls if self.arming is not None and self.arming.dry_run else ()

    def is_preparing(self, action: str, parameters: Mapping[str, Any], place: Place) -> bool:
        """Whether an act of a dry run is known not to be the last one: a form of several steps is gone through."""
        typing = action != "send_keys" or bool(typed_by(action, parameters))
        return bool(self.controls) and typing and not place.sends


def typed_by(action: str, parameters: Mapping[str, Any]) -> str:
    """The text that an action types; empty for one that types none."""
    if action == "input":
        return str(parameters.get("text", ""))
    keys = str(parameters.get("keys", "")) if action == "send_keys" else ""
    return "" if KEYS.fullmatch(keys) else keys


def folded(text: str) -> str:
    """The text with each run of white space as one space."""
    return " ".join(text.split())


def placeholders(value: Any) -> bool:
    """Whether a secret's placeholder stands anywhere in the parameters."""
    return bool(PLACEHOLDER.search(str(value)))


def belongs(origin: str, hosts: Sequence[str]) -> bool:
    """Whether an origin is one of a secret's: a host that a pattern covers, or exactly `host:port`."""
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return False
    exact = join(parts.hostname, parts.port or (80 if parts.scheme == "http" else 443))
    return any(covers(own, parts.hostname) or own == exact for own in hosts)
