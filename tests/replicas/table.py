"""What must come of each fault on each platform: the table that the tests play and that docs/faults.md is made of.

`python -m tests.replicas.table > docs/faults.md` writes the page anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.answers import RATE_SECONDS
from tests.replicas import eastmoney, tonghuashun, twitter, xueqiu
from tests.replicas.faults import Fault

PLATFORMS = ("twitter", "xueqiu", "eastmoney", "tonghuashun")
NAMES = {"twitter": "X", "xueqiu": "Xueqiu", "eastmoney": "Eastmoney", "tonghuashun": "Tonghuashun"}
COMPLETED = "completed"


@dataclass(frozen=True)
class End:
    """How the task ends: `completed` or the error's code; what was really published; whether a person was asked."""

    state: str
    published: int
    retry_after: int | None = None
    review: bool = False
    asked: bool = False


@dataclass(frozen=True)
class Row:
    """One fault, in words for people, and its end on each platform (a platform where it cannot happen is missing)."""

    title: str
    what: str
    ends: Mapping[str, End]
    faults: tuple[Fault, ...] = ()
    person: bool = False
    """Whether a person comes and deals with what the site asks for."""
    in_vain: bool = False
    """Whether the tool waits for something that never comes."""
    full: Mapping[str, End] = field(default_factory=dict[str, End])
    """The ends that the full engine is tried for, on one platform or more."""


def everywhere(end: End) -> dict[str, End]:
    """The same end on every platform."""
    return dict.fromkeys(PLATFORMS, end)


def on_x(end: End) -> dict[str, End]:
    """The end on X alone."""
    return {"twitter": end}


def by_agent(end: End) -> dict[str, End]:
    """The same end on every platform whose publishing an agent's script knows."""
    return dict.fromkeys(("twitter", "xueqiu", "eastmoney"), end)


DONE = End(COMPLETED, 1)
UNCERTAIN = "OUTCOME_UNCERTAIN"
WAITS = {module.__name__.rpartition(".")[2]: module.WAIT for module in (twitter, xueqiu, eastmoney, tonghuashun)}

ROWS = (
    Row(
        "No fault",
        "The site does what it should.",
        everywhere(DONE),
        full=by_agent(DONE),
    ),
    Row(
        "Slow",
        "Every answer of the site takes a while.",
        everywhere(DONE),
        (Fault.SLOW,),
        full=on_x(DONE),
    ),
    Row(
        "Silent drop",
        "The click is taken, and nothing ever comes of it.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.SILENT_DROP,),
        in_vain=True,
        full=on_x(End(UNCERTAIN, 0)),
    ),
    Row(
        "Network cut after the click",
        "The site publishes, and the connection breaks before it can say so.",
        everywhere(End(UNCERTAIN, 1)),
        (Fault.CUT,),
        in_vain=True,
        full=on_x(End(UNCERTAIN, 1)),
    ),
    Row(
        "Moved selector",
        "The site was rebuilt: editor and button are not where they were.",
        everywhere(End("PAGE_CHANGED", 0)),
        (Fault.MOVED,),
        in_vain=True,
        full=on_x(DONE),
    ),
    Row(
        "Duplicate",
        "The site says that this text was published before.",
        everywhere(End("DUPLICATE_CONTENT", 0)),
        (Fault.DUPLICATE,),
        full=by_agent(End("DUPLICATE_CONTENT", 0)),
    ),
    Row(
        "Text refused",
        "The site does not want this text.",
        everywhere(End("CONTENT_REJECTED", 0)),
        (Fault.REJECTED,),
        full=on_x(End("CONTENT_REJECTED", 0)),
    ),
    Row(
        "Rate limit with a number",
        "The site says how long to wait; the error's `retryAfter` says it too.",
        {platform: End("RATE_LIMITED", 0, WAITS[platform]) for platform in PLATFORMS},
        (Fault.RATE_LIMIT,),
        full={platform: End("RATE_LIMITED", 0, WAITS[platform]) for platform in ("twitter", "xueqiu", "eastmoney")},
    ),
    Row(
        "Rate limit without a number",
        "The site only says that it was too often; a quarter of an hour is a guess.",
        everywhere(End("RATE_LIMITED", 0, RATE_SECONDS)),
        (Fault.RATE_LIMIT_BARE,),
        full=on_x(End("RATE_LIMITED", 0, RATE_SECONDS)),
    ),
    Row(
        "Answer 200 with errors",
        "The site answers 200, and in the answer that it did not work.",
        everywhere(End("PLATFORM_ERROR", 0)),
        (Fault.ERRORS,),
        full=by_agent(End("PLATFORM_ERROR", 0)),
    ),
    Row(
        "Refused with a page",
        "The site answers 403 and a page of HTML to what publishes.",
        everywhere(End("PLATFORM_ERROR", 0)),
        (Fault.FORBIDDEN,),
        full=on_x(End("PLATFORM_ERROR", 0)),
    ),
    Row(
        "Broken with a page",
        "The site answers 500 and a page of HTML: nobody knows how far it came.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.BROKEN,),
        in_vain=True,
        full=on_x(End(UNCERTAIN, 0)),
    ),
    Row(
        "Answer without sense",
        "The site answers 200 and a page of HTML in the place of data.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.NONSENSE,),
        in_vain=True,
        full=on_x(End(UNCERTAIN, 0)),
    ),
    Row(
        "Led to the login after the click",
        "What publishes is answered with the way to the login.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.LOGIN_AFTER,),
        in_vain=True,
        full=on_x(End(UNCERTAIN, 0)),
    ),
    Row(
        "Errors beside a made post",
        "The answer holds errors, and the new post all the same.",
        {"twitter": DONE},
        (Fault.PARTIAL,),
        full=on_x(DONE),
    ),
    Row(
        "Answer at an unknown address",
        "The answer comes from an address that is not known; only the toast links to the new post.",
        {"twitter": DONE},
        (Fault.NO_ANSWER,),
        full=on_x(DONE),
    ),
    Row(
        "Hidden by review",
        "The site takes the post but does not show it yet: the result says `review: true`.",
        everywhere(End(COMPLETED, 1, review=True)),
        (Fault.REVIEW,),
        full=on_x(End(COMPLETED, 1, review=True)),
    ),
    Row(
        "Hidden without a word",
        "The site takes the post, and its page stays empty: also `review: true`.",
        everywhere(End(COMPLETED, 1, review=True)),
        (Fault.BLANK,),
        in_vain=True,
        full=on_x(End(COMPLETED, 1, review=True)),
    ),
    Row(
        "Logged out",
        "The stored login does not hold any more; the task waits for a person to sign in, and nobody comes.",
        everywhere(End("AUTHENTICATION_FAILED", 0, asked=True)),
        (Fault.LOGGED_OUT,),
        full=on_x(End("AUTHENTICATION_FAILED", 0, asked=True)),
    ),
    Row(
        "Wrong account",
        "Somebody else is logged in than the account says.",
        everywhere(End("AUTHENTICATION_FAILED", 0)),
        (Fault.WRONG_ACCOUNT,),
        full=on_x(End("AUTHENTICATION_FAILED", 0)),
    ),
    Row(
        "No right to write",
        "The account may not write articles there.",
        {"tonghuashun": End("PLATFORM_ERROR", 0)},
        (Fault.NO_RIGHTS,),
        full={"tonghuashun": End("AGENT_FAILED", 0)},
    ),
    Row(
        "Lock banner",
        "The site has limited the account.",
        everywhere(End("ACCOUNT_SUSPENDED", 0)),
        (Fault.LOCKED,),
        full=on_x(End("ACCOUNT_SUSPENDED", 0)),
    ),
    Row(
        "Challenge, and a person comes",
        "The site wants a person; the task waits, somebody deals with it in the live view, the task goes on.",
        everywhere(End(COMPLETED, 1, asked=True)),
        (Fault.CHALLENGE,),
        person=True,
        full=on_x(End(COMPLETED, 1, asked=True)),
    ),
    Row(
        "Challenge, and nobody comes",
        "The site wants a person; nobody comes in time.",
        everywhere(End("CHALLENGE_REQUIRED", 0, asked=True)),
        (Fault.CHALLENGE,),
        full=on_x(End("CHALLENGE_REQUIRED", 0, asked=True)),
    ),
    Row(
        "Challenge after the click",
        "The site wants a person after the click, nobody comes, and it does not say what became of the post.",
        everywhere(End(UNCERTAIN, 0, asked=True)),
        (Fault.CHALLENGE_AFTER,),
        in_vain=True,
        full=on_x(End(UNCERTAIN, 0, asked=True)),
    ),
)


def words(end: End | None) -> str:
    """The end in a cell of the page."""
    if end is None:
        return "-"
    asked = "waits for a person; " if end.asked else ""
    if end.state == COMPLETED:
        return f"{asked}completed" + (", `review: true`" if end.review else "")
    wait = f", `retryAfter` {end.retry_after}" if end.retry_after else ""
    return f"{asked}`{end.state}`{wait}"


def on_full(row: Row) -> str:
    """The ends on the full engine, each with the platforms that it was tried on."""
    platforms: dict[str, list[str]] = {}
    for platform, end in row.full.items():
        platforms.setdefault(words(end), []).append(NAMES[platform])
    return "; ".join(f"{', '.join(names)}: {end}" for end, names in platforms.items())


def markdown() -> str:
    """The page: what comes of each fault on each platform."""
    head = "| Fault | What happens | " + " | ".join(NAMES[platform] for platform in PLATFORMS) + " | Full engine |"
    lines = [
        f"| {row.title} | {row.what} | "
        + " | ".join(words(row.ends.get(platform)) for platform in PLATFORMS)
        + f" | {on_full(row)} |"
        for row in ROWS
    ]
    return "\n".join((*INTRODUCTION, head, "|---" * (3 + len(PLATFORMS)) + "|", *lines, "", *CLOSING, ""))


INTRODUCTION = (
    "# What comes of each fault",
    "",
    "<!-- Made by `python -m tests.replicas.table > docs/faults.md`; a test fails when it is not up to date. -->",
    "",
    "The four platforms cannot be told to misbehave, so small stand-ins can: sites on loopback that copy what is publicly",
    "known of the platforms' pages (`tests/replicas/`). The tests play a publishing tool of each platform with the lite engine",
    "against each fault and look at two things: how the task ends, and what was really published. The last column is the same",
    "for the full engine, whose model follows a script there, on the platforms that it names.",
    "",
)
CLOSING = (
    "`completed` always means that the post was read back, or that the site gave it a number and is still reviewing it.",
    "",
    "`OUTCOME_UNCERTAIN` means that the click went out and no proof came back: it may have been published or not. Such a task",
    "is never repeated by itself, and it counts against the account's caps. Look at the account on the site; when the post is",
    "not there, create the task again.",
    "",
    "Both engines hear what the site answered to the click, whatever its page shows: a refusal ends the task with its code, and on",
    "the full engine, whose agent may do anything, no second request to publish leaves the browser once the site may have taken one.",
    "",
    "What is not public cannot be in a replica: how the mark for AI-generated text looks on X, Xueqiu and Eastmoney, and to which",
    "address Eastmoney and Tonghuashun send a new post. These are guesses, marked as such in `tools/`; where a mark cannot be set,",
    "nothing is published, and where no answer is heard, the outcome is uncertain. `webhand platform check` tries the rest.",
    "",
    "`PAGE_CHANGED` before anything was published hands the task to the full engine where one is configured; a user can also",
    "put new selectors in the place of the old ones without touching code, see [adding-a-tool.md](adding-a-tool.md).",
)

if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown())
