"""What the editor of Tonghuashun's community looks like: the selectors of its playbook by name.

Only code for articles is public, so this playbook is experimental.
"""

from __future__ import annotations

from tools.playbook import Selector

NEW = ("i.icon-editpost-add",)
TITLE = ("input#edui1-title", "input[placeholder*=标题]")
FRAME = ("iframe#ueditor_0", "iframe[id^=ueditor]")
BODY = ("body[contenteditable=true]", "body")
NEXT = ('a[data-statid="sns_work_desktop.editor.next"]',)
PUBLISH = ("div.button_publish.item.editor-btn.editor-main-btn", ".button_publish")
POST_TEXT = (".post-detail .content", "#detail_content", ".article-content")
MISSING = (".error-page", "text=/帖子不存在|已被删除|审核中|正在审核/")
SLIDER = ("iframe[src*=captcha i]", "[id*=captcha i]", "#slicaptcha")

SELECTORS: dict[str, Selector] = {
    "new": NEW,
    "title": TITLE,
    "editor frame": FRAME,
    "editor body": BODY,
    "next": NEXT,
    "send": PUBLISH,
    "post text": POST_TEXT,
    "post missing": MISSING,
}
