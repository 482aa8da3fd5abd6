"""What the boards of Eastmoney look like: the selectors of its playbook by name.

The only form that is publicly documented is an old one, so most of these have a second candidate that guesses at a newer page.
"""

from __future__ import annotations

from tools.playbook import Selector

FORM = ("#sendnewt form.gbsform", "form.gbsform", "#sendnewt")
BOX = ("textarea#gbtainput", "[contenteditable=true]", "textarea")
SEND = ("button.gbsformi3", "button[type=submit]", "button:has-text('发布')")
# That there is such a box is known, how it looks is a GUESS until a real account shows it.
AI_MARK = ("label:has-text('AI') input[type=checkbox]",)
AI_MARKED = ("#sendnewt label:has-text('AI') input[type=checkbox]:checked",)
POST_TEXT = ("#newscontent .newstext", "#zwconbody .stockcodec", ".article-body", "#zwconbody")
MISSING = (".error404", "text=/帖子不存在|已被删除|审核中|正在审核/")
LOGIN = (".gubaloginlink",)
MEMBER = (".logoutbtn", "[class*=logout i]")
NAME = (".topbarhaslogin .username", ".headerusername .username")
SLIDER = ("iframe[src*=captcha i]", "[id*=captcha i]", "[class*=slider-verify i]")

SELECTORS: dict[str, Selector] = {
    "form": FORM,
    "box": BOX,
    "send": SEND,
    "ai mark": AI_MARK,
    "ai marked": AI_MARKED,
    "post text": POST_TEXT,
    "post missing": MISSING,
    "name": NAME,
}
