"""The moves that a lite playbook is made of: data only. `agent/lite/engine.py` plays them.

A playbook is a sequence of stages; a stage is one thing a person would call a step ("Write the post"): it is
recorded with its goal, its evaluation, the URL and a screenshot. A stage holds moves. Selectors are the
browser automation library's (CSS by default, also `text=`, `role=`); where several are given, they are
candidates and the first one that is on the page wins.

Text that is only known while the playbook runs (an id read from an answer) is a `Reading`; in a selector it stands
as its name in braces, `a[href$="/post/{id}"]`, see `with_readings`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read earlier by `Read` or `Answer`, with what stands before and after it."""

    name: str
    before: str = ""
    after: str = ""


Text = str | Reading
Selector = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Goto:
    """Opens a URL; a path is taken from the site's home. Readings may stand in it by name, as in a selector."""

    url: Text
    name: str = "open"


@dataclass(frozen=True, slots=True)
class Click:
    """Clicks an element once it is visible and enabled. `publishes` marks the one act that cannot be taken back."""

    selector: Selector
    within: Selector | None = None
    publishes: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """Puts text into an input, a textarea or a contenteditable editor, then reads it back (white space folded)."""

    selector: Selector
    text: Text
    within: Selector | None = None
    frame: Selector | None = None


@dataclass(frozen=True, slots=True)
class Press:
    """Presses a key, for example `Enter` or `Control+A`, in the focused element or in the one named."""

    key: str
    selector: Selector | None = None
    publishes: bool = False


@dataclass(frozen=True, slots=True)
class Choose:
    """Chooses an option of a drop-down list by its value or label."""

    selector: Selector
    option: Text


@dataclass(frozen=True, slots=True)
class Upload:
    """Gives files of the task to a file input; names are those of the task's own files."""

    selector: Selector
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits until an element is there, or (`gone`) is not."""

    selector: Selector
    gone: bool = False
    seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Expect:
    """What must become true within `seconds`; else it fails with `failure` (a code of tools.errors) and `message`.

    `text`: what the element (None: the page) must contain, white space folded. `seconds=0`: it must be true now.
    """

    selector: Selector | None = None
    text: Text | None = None
    url: str | None = None
    """A regular expression that the page's URL must match."""
    failure: str = "PAGE_CHANGED"
    message: str = ""
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Read:
    """Reads an element's text (or attribute, or `value`) into a reading.

    `pattern`: a regular expression whose first group is kept. `optional`: where it is not there within `seconds`
    (or the pattern does not fit), the reading stays unknown and the playbook goes on.
    """

    name: str
    selector: Selector
    attribute: str | None = None
    pattern: str | None = None
    optional: bool = False
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Starts to listen for a network answer whose URL matches the regular expression.

    Arm it BEFORE the click that causes the answer.
    """

    name: str
    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer may say instead of yes: where it fits, the task fails with `code` (of tools.errors).

    It fits where `path` of the JSON holds one of `values` (None: anything true) and the HTTP status is one of
    `statuses` (empty: any). An empty `path` looks at the status alone, for answers that are no JSON.
    `message` and `retry_after` are paths into the answer; a `message` that starts with '=' is a fixed text, a
    `retry_after` that starts with '@' names a response header; `tools.patience.seconds_to_wait` reads its value.
    `pattern`: a regular expression that the text at `path` must contain as well. `unless`: a path that, where it
    holds something, shows that the act was done all the same; then it does not fit.
    """

    path: str
    code: str
    values: tuple[str | int | bool, ...] | None = None
    message: str | None = None
    retry_after: str | None = None
    statuses: tuple[int, ...] = ()
    pattern: str | None = None
    unless: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Waits for the answer that `Listen` of the same name announced, checks it and keeps readings from its JSON.

    `readings` maps names to dotted paths in the JSON (`data.create_tweet.rest_id`, `errors.0.code`); of several
    candidates the first that holds something wins. A reading that is missing makes the outcome uncertain when the
    publishing move was already made. `optional`: where no answer comes, or a reading is missing, the readings stay
    unknown and the playbook goes on to its proof; a refusal still ends the task.
    """

    name: str
    readings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, str | tuple[str, ...]])
    refusals: Sequence[Refusal] = ()
    seconds: float = 20.0
    optional: bool = False


Move = Goto | Click | Fill | Press | Choose | Upload | Wait | Expect | Read | Listen | Answer


@dataclass(frozen=True, slots=True)
class Stage:
    """Some moves with one goal.

    `skip_if`: when that element is there at the start, the stage is done already. `unless`: the stage is not needed
    when a reading of that name is already known.
    """

    goal: str
    moves: tuple[Move, ...]
    word: str = "working"
    """The progress word that callers see while it runs, for example `authenticating` (contract 1.4)."""
    skip_if: Selector | None = None
    unless: str | None = None


Playbook = tuple[Stage, ...]

_PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
_HARMLESS = re.compile(r"[\w.-]+")


def with_readings(selector: Selector, readings: Mapping[str, str]) -> Selector:
    """The selector with each known reading in the place of its name in braces.

    Readings come from pages and answers: one that could change the meaning of a selector (anything but letters, digits,
    '_', '-' and '.') raises ValueError. A name that is not known stays as it is and so finds nothing.
    """
    if not isinstance(selector, str):
        return tuple(str(with_readings(candidate, readings)) for candidate in selector)

    def put(place: re.Match[str]) -> str:
        value = readings.get(place[1], place[0])
        if value != place[0] and not _HARMLESS.fullmatch(value):
            raise ValueError(f"the reading '{place[1]}' cannot stand in a selector")
        return value

    return _PLACE.sub(put, selector)


def publishing_moves(playbook: Playbook) -> list[Move]:
    """The moves that cannot be taken back."""
    return [move for stage in playbook for move in stage.moves if isinstance(move, Click | Press) and move.publishes]
