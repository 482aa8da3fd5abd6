"""Tonghuashun's community: where it lives and the signs that it gives. As publicly known in late 2026; proved on a replica."""

from __future__ import annotations

from tools.site import Caps, Signs, Site, Who
from tools.tonghuashun import page

site = Site(
    id="tonghuashun",
    name="Tonghuashun",
    aliases=("ths", "10jqka", "10jqka.com.cn"),
    home="https://t.10jqka.com.cn",
    hosts=("10jqka.com.cn", "*.10jqka.com.cn", "*.hexin.cn"),
    login_url="https://upass.10jqka.com.cn/login",
    logged_in=Signs(cookies=("userid",)),
    # The guide for creators is shown to strangers and to members without rights; the cookie tells them apart.
    logged_out=Signs(
        urls=(
            r"^https?://upass\.10jqka\.com\.cn/",
            r"^https?://[^/]+/login(?:[/?#]|$)",
            r"/newcircle/creation/adviserEnterGuide",
        ),
        statuses=(401,),
    ),
    challenge=Signs(selectors=page.SLIDER),
    suspended=Signs(selectors=("[class*=notice]:text-matches('禁言|封禁|冻结|限制发言')",)),
    rate=Signs(statuses=(429,)),
    session=("userid", "u_name"),
    who=Who(cookie="u_name"),
    locale="zh-CN",
    timezone="Asia/Shanghai",
    gap=1.0,
    publish=Caps(hourly=2, daily=6, spacing=60),
    engage=Caps(hourly=10, daily=40, spacing=10),
    selectors=page.SELECTORS,
    policy="Tonghuashun reviews articles and lets only accounts with creator rights write them: keep to few and let a person approve.",
)
