"""What the pages of X look like: the selectors of every playbook by name, and what its answers say instead of yes.

Everything hangs on test ids, addresses and roles: X translates its labels and mixes its class names anew with every release.
"""

from __future__ import annotations

from tools.playbook import Refusal, Selector

DIALOG = ("[role=dialog][aria-modal=true]", "[role=dialog]:has([data-testid=tweetTextarea_0])")
BOX = ("[data-testid=tweetTextarea_0]", "[role=textbox][contenteditable=true]")
SEND = ("[data-testid=tweetButton]", "[data-testid=tweetButtonInline]")
# X has a mark for AI-generated posts, but its test id is not publicly known: a GUESS until a real account shows it.
AI_MARK = ("[role=switch][data-testid*=aiGenerated i]", "[role=switch][data-testid*=aiDisclosure i]")
AI_MARKED = ("[data-testid*=aiGenerated i][aria-checked=true]", "[data-testid*=aiDisclosure i][aria-checked=true]")
_POST = 'article[data-testid=tweet]:has(a[href$="/status/{id}"])'
POST = (_POST, 'article[data-testid=tweet]:has(a[href*="/status/{id}/"])')
NO_POST = ("[data-testid=error-detail]", "[data-testid=emptyState]")
TEXT = (f"{_POST} [data-testid=tweetText]",)
AUTHOR = (f'{_POST} a[href$="/status/{{id}}"]',)
ANSWERED = (
    "[role=dialog] article[data-testid=tweet]",
    "[role=dialog] [data-testid=tweet]",
    "[role=dialog] [data-testid=tweetText]",
)
CARD = ("[role=dialog] [data-testid=User-Name]", "[role=dialog] [data-testid=tweetText]")
LIKE = (f"{_POST} [data-testid=like]",)
LIKED = (f"{_POST} [data-testid=unlike]",)
REPOST = (f"{_POST} [data-testid=retweet]",)
REPOSTED = (f"{_POST} [data-testid=unretweet]",)
CONFIRM = ("[data-testid=retweetConfirm]", "[role=menu] [role=menuitem]:not([href])")
QUOTE = ('[role=menuitem][href="/compose/post"]', '[role=menuitem][href*="/compose/"]')
TOAST_LINK = ('[data-testid=toast] a[href*="/status/"]',)
PROFILE = ("[data-testid=AppTabBar_Profile_Link]",)
SWITCHER = ("[data-testid=SideNav_AccountSwitcher_Button]",)

SELECTORS: dict[str, Selector] = {
    "dialog": DIALOG,
    "box": BOX,
    "send": SEND,
    "ai mark": AI_MARK,
    "ai marked": AI_MARKED,
    "post": POST,
    "no post": NO_POST,
    "post text": TEXT,
    "post author": AUTHOR,
    "answered post": ANSWERED,
    "quoted card": CARD,
    "like": LIKE,
    "liked": LIKED,
    "repost": REPOST,
    "reposted": REPOSTED,
    "confirm repost": CONFIRM,
    "quote": QUOTE,
    "toast link": TOAST_LINK,
    "profile link": PROFILE,
    "account switcher": SWITCHER,
}

_CODE, _MESSAGE, _RESET = "errors.0.code", "errors.0.message", "@x-rate-limit-reset"
MADE = "data.create_tweet.tweet_results.result.rest_id"
"""Where the answer says which number the new post got. X sends errors along with it now and then: then it was made."""

REFUSALS = (
    Refusal(_CODE, "ACCOUNT_SUSPENDED", (64, 141, 326), _MESSAGE, unless=MADE),
    Refusal(_CODE, "AUTHENTICATION_FAILED", (32, 89, 99, 135, 215), _MESSAGE, unless=MADE),
    Refusal(_CODE, "DUPLICATE_CONTENT", (187,), _MESSAGE, unless=MADE),
    Refusal(_CODE, "RATE_LIMITED", (88, 185, 344, 420), _MESSAGE, _RESET, unless=MADE),
    Refusal(_CODE, "CONTENT_REJECTED", (186, 323, 324, 371, 382, 433), _MESSAGE, unless=MADE),
    Refusal(_CODE, "NOT_FOUND", (34, 144, 179, 385, 421), _MESSAGE, unless=MADE),
    # 139 and 327 say that it was liked or reposted before: no refusal, the read-back shows it.
    Refusal(_CODE, "PLATFORM_ERROR", None, _MESSAGE, pattern=r"^(?!(?:139|327)$)", unless=MADE),
    Refusal(_MESSAGE, "PLATFORM_ERROR", None, _MESSAGE, pattern=r"(?i)^(?!.*already)", unless=MADE),
    Refusal("", "RATE_LIMITED", None, "=X says that this account does this too often", _RESET, (429,)),
    Refusal("", "AUTHENTICATION_FAILED", None, "=X does not accept this account's login any more", None, (401,)),
    Refusal("", "PLATFORM_ERROR", None, "=X refused the request", None, (400, 403, 404, 422)),
)
"""The error codes that X's API documents, then the bare HTTP statuses."""


def of(selector: tuple[str, ...], post: str) -> tuple[str, ...]:
    """The selector for one post: its number, or `{tweetId}` where a reading will say it."""
    return tuple(candidate.replace("{id}", post) for candidate in selector)
