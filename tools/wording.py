"""What Chinese sites say when they refuse: their answers hold a sentence for people, seldom a code that is documented."""

from __future__ import annotations

from tools.playbook import Refusal

LOCKED = r"禁言|封禁|封号|冻结|锁定|限制发言|账号异常|帐号异常"
SIGNED_OUT = r"未登录|请登录|重新登录|登录已|登录失效|先登录"
DUPLICATE = r"重复|相同内容|相同的内容|已经发布过|已发布过"
TOO_OFTEN = r"频繁|太快|过快|次数过多|达到上限|已达上限|超过限制|稍后再"
REJECTED = r"敏感|违规|违禁|违法|不合规|不当|未通过|广告|垃圾|字数|过长|太长|太短"

_MEANINGS = (
    ("ACCOUNT_SUSPENDED", LOCKED),
    ("AUTHENTICATION_FAILED", SIGNED_OUT),
    ("DUPLICATE_CONTENT", DUPLICATE),
    ("RATE_LIMITED", TOO_OFTEN),
    ("CONTENT_REJECTED", REJECTED),
)


def refusals(sentence: str, *, unless: str, code: str, bad: tuple[int, ...] | None = None) -> tuple[Refusal, ...]:
    """The refusals of an answer that holds its sentence at the path `sentence`.

    At `code` it holds a number that says whether it refuses: one of `bad`, or by default any but zero.

    `unless` is the path of what a post that was made has: its number. Where the sentence says how long to wait, the
    task's error says it too.
    """
    worded = (
        Refusal(
            sentence,
            meaning,
            message=sentence,
            retry_after=sentence if meaning == "RATE_LIMITED" else None,
            pattern=words,
            unless=unless,
        )
        for meaning, words in _MEANINGS
    )
    return (*worded, Refusal(code, "PLATFORM_ERROR", bad, sentence, unless=unless), *BARE)


BARE = (
    Refusal("", "RATE_LIMITED", None, "=The site answers that this is done too often", "@retry-after", (429,)),
    Refusal("", "AUTHENTICATION_FAILED", None, "=The site does not accept this account's login any more", None, (401,)),
    Refusal("", "PLATFORM_ERROR", None, "=The site refused the request", None, (400, 403, 404, 422)),
)
"""What the HTTP status alone says."""
