"""Eastmoney's stock boards: where they live and the signs that they give. As publicly known in late 2026; proved on a replica."""

from __future__ import annotations

from tools.eastmoney import page
from tools.site import Caps, Signs, Site, Who

site = Site(
    id="eastmoney",
    name="Eastmoney",
    aliases=("guba", "eastmoney.com", "guba.eastmoney.com"),
    home="https://guba.eastmoney.com",
    hosts=("eastmoney.com", "*.eastmoney.com", "*.dfcfw.com"),
    login_url="https://passport2.eastmoney.com/pub/login",
    # The cookies ct and ut stay when the login has run out, so only the page's own word counts.
    logged_in=Signs(selectors=page.MEMBER),
    logged_out=Signs(
        urls=(r"^https?://passport2?\.eastmoney\.com/", r"^https?://[^/]+/pub/login"), selectors=page.LOGIN
    ),
    challenge=Signs(selectors=page.SLIDER),
    suspended=Signs(selectors=("[class*=warn]:text-matches('禁言|封禁|冻结|限制发言')",)),
    rate=Signs(statuses=(429,)),
    session=("ct", "ut"),
    who=Who(page.NAME),
    locale="zh-CN",
    timezone="Asia/Shanghai",
    publish=Caps(hourly=4, daily=12, spacing=60),
    engage=Caps(hourly=10, daily=40, spacing=10),
    selectors=page.SELECTORS,
    policy="Eastmoney reviews posts and silences accounts that flood its boards: keep to few posts and let a person approve them.",
)
