"""Xueqiu: where it lives and the signs that it gives. As publicly known in late 2026; proved on a replica."""

from __future__ import annotations

from tools.site import Caps, Signs, Site, Who
from tools.xueqiu import page

site = Site(
    id="xueqiu",
    name="Xueqiu",
    aliases=("xueqiu.com", "snowball"),
    home="https://xueqiu.com",
    hosts=("xueqiu.com", "*.xueqiu.com", "*.imedao.com", "*.aliyuncs.com", "*.alicdn.com"),
    login_url="https://xueqiu.com/",
    # Strangers get xq_a_token too; only this one tells a member.
    logged_in=Signs(cookies=("xq_is_login=1",)),
    logged_out=Signs(selectors=page.LOGIN),
    challenge=Signs(selectors=page.SLIDER),
    suspended=Signs(selectors=("[class*=banner]:text-matches('禁言|封禁|冻结|限制发言')",)),
    rate=Signs(statuses=(429,)),
    session=("u",),
    who=Who(cookie="u", pattern=r"^(\d+)$"),
    locale="zh-CN",
    timezone="Asia/Shanghai",
    publish=Caps(hourly=4, daily=12, spacing=30),
    engage=Caps(hourly=10, daily=40, spacing=10),
    selectors=page.SELECTORS,
    policy="Xueqiu reviews posts and silences accounts that post mechanically: keep to few posts and let a person approve them.",
)
