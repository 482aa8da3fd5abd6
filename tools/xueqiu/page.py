"""What the pages of Xueqiu look like: the selectors of its playbook by name."""

from __future__ import annotations

from tools.playbook import Selector

PLACEHOLDER = (".lite-editor .fake-placeholder:visible", ".fake-placeholder:visible")
"""Stands where the editor comes to be when it is clicked."""
BOX = (
    ".lite-editor__textarea.post_status div.medium-editor-element[contenteditable=true]",
    ".modals.dimmer.js-shown .modal__tiny__editor .medium-editor-element[contenteditable=true]",
)
READY = (
    ".lite-editor__toolbar__post a.lite-editor__submit:not(.disabled)",
    "a.lite-editor__submit:not(.disabled):visible",
)
# The form's field for it is known (ai_disclose), the element that sets it is a GUESS until a real account shows it.
AI_MARK = (".lite-editor label:has-text('AI') input[type=checkbox]", ".lite-editor [class*=disclose]")
AI_MARKED = (
    ".lite-editor label:has-text('AI') input[type=checkbox]:checked",
    ".lite-editor [class*=disclose]:is(.active, .checked, .selected)",
)
POST_TEXT = ("article .article__bd__detail", ".article__bd__detail")
MISSING = (".error__page", ".page-error", "text=/页面不存在|已被删除|审核中|正在审核/")
LOGIN = (".newLogin_modal", ".nav__login", "text=立即登录")
SLIDER = ("#waf_nc_block", ".waf-nc-mask")

SELECTORS: dict[str, Selector] = {
    "placeholder": PLACEHOLDER,
    "box": BOX,
    "send": READY,
    "ai mark": AI_MARK,
    "ai marked": AI_MARKED,
    "post text": POST_TEXT,
    "post missing": MISSING,
}
