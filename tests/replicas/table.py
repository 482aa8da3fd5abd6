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
    instead: Mapping[str, End] = field(default_factory=dict[str, End])
    """Where the full engine comes to another end."""

    @property
    def full(self) -> dict[str, End]:
        """The ends on the full engine."""
        return {**self.ends, **self.instead}


def everywhere(end: End) -> dict[str, End]:
    """The same end on every platform."""
    return dict.fromkeys(PLATFORMS, end)


DONE = End(COMPLETED, 1)
LOST = End("AGENT_FAILED", 0)
UNCERTAIN = "OUTCOME_UNCERTAIN"
WAITS = {module.__name__.rpartition(".")[2]: module.WAIT for module in (twitter, xueqiu, eastmoney, tonghuashun)}

ROWS = (
    Row(
        "No fault",
        "The site does what it should.",
        everywhere(DONE),
    ),
    Row(
        "Slow",
        "Every answer of the site takes a while.",
        everywhere(DONE),
        (Fault.SLOW,),
    ),
    Row(
        "Silent drop",
        "The click is taken, and nothing ever comes of it.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.SILENT_DROP,),
        in_vain=True,
    ),
    Row(
        "Network cut after the click",
        "The site publishes, and the connection breaks before it can say so.",
        everywhere(End(UNCERTAIN, 1)),
        (Fault.CUT,),
        in_vain=True,
        instead=dict.fromkeys(("xueqiu", "eastmoney", "tonghuashun"), DONE),
    ),
    Row(
        "Moved selector",
        "The site was rebuilt: editor and button are not where they were.",
        everywhere(End("PAGE_CHANGED", 0)),
        (Fault.MOVED,),
        in_vain=True,
        instead={"twitter": DONE, "xueqiu": DONE, "eastmoney": LOST, "tonghuashun": DONE},
    ),
    Row(
        "Duplicate",
        "The site says that this text was published before.",
        everywhere(End("DUPLICATE_CONTENT", 0)),
        (Fault.DUPLICATE,),
    ),
    Row(
        "Text refused",
        "The site does not want this text.",
        everywhere(End("CONTENT_REJECTED", 0)),
        (Fault.REJECTED,),
    ),
    Row(
        "Rate limit with a number",
        "The site says how long to wait; the error's `retryAfter` says it too.",
        {platform: End("RATE_LIMITED", 0, WAITS[platform]) for platform in PLATFORMS},
        (Fault.RATE_LIMIT,),
    ),
    Row(
        "Rate limit without a number",
        "The site only says that it was too often; a quarter of an hour is a guess.",
        everywhere(End("RATE_LIMITED", 0, RATE_SECONDS)),
        (Fault.RATE_LIMIT_BARE,),
    ),
    Row(
        "Answer 200 with errors",
        "The site answers 200, and in the answer that it did not work.",
        everywhere(End("PLATFORM_ERROR", 0)),
        (Fault.ERRORS,),
    ),
    Row(
        "Refused with a page",
        "The site answers 403 and a page of HTML to what publishes.",
        everywhere(End("PLATFORM_ERROR", 0)),
        (Fault.FORBIDDEN,),
    ),
    Row(
        "Broken with a page",
        "The site answers 500 and a page of HTML: nobody knows how far it came.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.BROKEN,),
        in_vain=True,
    ),
    Row(
        "Answer without sense",
        "The site answers 200 and a page of HTML in the place of data.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.NONSENSE,),
        in_vain=True,
    ),
    Row(
        "Led to the login after the click",
        "What publishes is answered with the way to the login.",
        everywhere(End(UNCERTAIN, 0)),
        (Fault.LOGIN_AFTER,),
        in_vain=True,
    ),
    Row(
        "Errors beside a made post",
        "The answer holds errors, and the new post all the same.",
        {"twitter": DONE},
        (Fault.PARTIAL,),
    ),
    Row(
        "Answer at an unknown address",
        "The answer comes from an address that is not known; only the toast links to the new post.",
        {"twitter": DONE},
        (Fault.NO_ANSWER,),
    ),
    Row(
        "Hidden by review",
        "The site takes the post but does not show it yet: the result says `review: true`.",
        everywhere(End(COMPLETED, 1, review=True)),
        (Fault.REVIEW,),
    ),
    Row(
        "Hidden without a word",
        "The site takes the post, and its page stays empty: also `review: true`.",
        everywhere(End(COMPLETED, 1, review=True)),
        (Fault.BLANK,),
        in_vain=True,
    ),
    Row(
        "Logged out",
        "The stored login does not hold any more; the task waits for a person to sign in, and nobody comes.",
        everywhere(End("AUTHENTICATION_FAILED", 0, asked=True)),
        (Fault.LOGGED_OUT,),
    ),
    Row(
        "Wrong account",
        "Somebody else is logged in than the account says.",
        everywhere(End("AUTHENTICATION_FAILED", 0)),
        (Fault.WRONG_ACCOUNT,),
    ),
    Row(
        "No right to write",
        "The account may not write articles there.",
        {"tonghuashun": End("PLATFORM_ERROR", 0)},
        (Fault.NO_RIGHTS,),
        instead={"tonghuashun": End("AGENT_FAILED", 0)},
    ),
    Row(
        "Lock banner",
        "The site has limited the account.",
        everywhere(End("ACCOUNT_SUSPENDED", 0)),
        (Fault.LOCKED,),
    ),
    Row(
        "Challenge, and a person comes",
        "The site wants a person; the task waits, somebody deals with it in the live view, the task goes on.",
        everywhere(End(COMPLETED, 1, asked=True)),
        (Fault.CHALLENGE,),
        person=True,
    ),
    Row(
        "Challenge, and nobody comes",
        "The site wants a person; nobody comes in time.",
        everywhere(End("CHALLENGE_REQUIRED", 0, asked=True)),
        (Fault.CHALLENGE,),
    ),
    Row(
        "Challenge after the click",
        "The site wants a person after the click, nobody comes, and it does not say what became of the post.",
        everywhere(End(UNCERTAIN, 0, asked=True)),
        (Fault.CHALLENGE_AFTER,),
        in_vain=True,
    ),
    Row(
        "Answered late",
        "The answer to the click takes three seconds.",
        everywhere(DONE),
        (Fault.LATE,),
    ),
    Row(
        "Another language",
        "The site shows all its labels in another language.",
        everywhere(DONE),
        (Fault.TRANSLATED,),
    ),
    Row(
        "Refusal in another language",
        "The site refuses a duplicate, and says so in another language: X by its code, the others by words alone.",
        everywhere(End("PLATFORM_ERROR", 0)) | {"twitter": End("DUPLICATE_CONTENT", 0)},
        (Fault.TRANSLATED, Fault.DUPLICATE),
    ),
    Row(
        "Another text under the number",
        "The site takes the post, and shows another text in its place.",
        everywhere(End(UNCERTAIN, 1)),
        (Fault.OTHER_TEXT,),
        in_vain=True,
    ),
    Row(
        "Published under another name",
        "The site takes the post for another of its members, and says so.",
        dict.fromkeys(("twitter", "xueqiu"), End(UNCERTAIN, 1)),
        (Fault.OTHER_AUTHOR,),
        in_vain=True,
    ),
    Row(
        "Toast that links elsewhere",
        "The answer is not heard, and the toast links to somebody else's post.",
        {"twitter": End(UNCERTAIN, 1)},
        (Fault.FAKE_TOAST,),
        in_vain=True,
    ),
    Row(
        "Tab closed after the answer",
        "The site takes the post and closes its tab: it is read back in a new one.",
        everywhere(DONE),
        (Fault.CLOSED_AFTER,),
    ),
    Row(
        "Tab closed",
        "At the last moment the page, or a person, closes the tab.",
        everywhere(End("WRONG_PAGE", 0)),
        (Fault.CLOSED,),
        instead=everywhere(End(UNCERTAIN, 0)),
    ),
    Row(
        "New tab",
        "At the last moment the page opens another tab in front.",
        everywhere(DONE),
        (Fault.NEW_TAB,),
    ),
    Row(
        "Account switched",
        "At the last moment somebody else logs in; the page still shows the old name.",
        everywhere(End("AUTHENTICATION_FAILED", 0)),
        (Fault.SWITCHED,),
    ),
    Row(
        "Account logged out",
        "At the last moment the account is logged out; the page still shows it.",
        everywhere(End("AUTHENTICATION_FAILED", 0)),
        (Fault.SIGNED_OUT,),
    ),
    Row(
        "Editor drawn anew",
        "At the last moment the page draws its editor anew, and the text is gone.",
        dict.fromkeys(("twitter", "xueqiu", "eastmoney"), End("PAGE_CHANGED", 0)),
        (Fault.RENEWED,),
        instead=dict.fromkeys(("twitter", "xueqiu", "eastmoney"), End(UNCERTAIN, 0)),
    ),
    Row(
        "Page reordered",
        "At the last moment the page changes its order.",
        everywhere(DONE),
        (Fault.REORDERED,),
    ),
    Row(
        "Second button",
        "At the last moment there is a second button that sends.",
        everywhere(End("PAGE_CHANGED", 0)),
        (Fault.SECOND_SEND,),
        instead=everywhere(DONE),
    ),
    Row(
        "Button renamed",
        "At the last moment the button that sends gets another name.",
        everywhere(End("PAGE_CHANGED", 0)),
        (Fault.SEND_MOVED,),
        instead=everywhere(DONE),
    ),
    Row(
        "Modal over the page",
        "At the last moment something lies over the page.",
        everywhere(End("PAGE_CHANGED", 0)),
        (Fault.COVERED,),
        instead=everywhere(DONE),
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
    """The ends on the full engine, where they are others than on the lite one."""
    platforms: dict[str, list[str]] = {}
    for platform, end in row.instead.items():
        platforms.setdefault(words(end), []).append(NAMES[platform])
    return "; ".join(f"{', '.join(names)}: {end}" for end, names in platforms.items()) or "the same"


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
    "against each fault and look at three things: how the task ends, what was really published, and under which account. The last",
    "column says where the full engine, whose model follows a script there, comes to another end: `make faults` plays it on every",
    "platform, `make test` each fault on one.",
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
    "The last moment is the one between the durable record that the act is about to go out, and the click. What was looked at before",
    "it is looked at again after it: who is logged in (by the page, and by the cookies that hold the login), the text in the box, the",
    "button. What is found out there ends the task before anything went out. Where it says so, it can be created again.",
    "",
    "`PAGE_CHANGED` before anything was published hands the task to the full engine where one is configured; a user can also",
    "put new selectors in the place of the old ones without touching code, see [adding-a-tool.md](adding-a-tool.md).",
)

if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown())
