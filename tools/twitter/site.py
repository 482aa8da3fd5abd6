"""X, formerly Twitter: where it lives and the signs that it gives. As publicly known in late 2026; proved on a replica."""

from __future__ import annotations

from tools.site import Caps, Signs, Site, Who
from tools.twitter import page

_ALERT = "[role=alert]:not([data-testid=toast], article *)"  # what others wrote stands in posts and toasts
_LIMITED = f"{_ALERT}:text-matches('suspended|restricted|limited|locked|凍結|制限|ロック|冻结|限制|锁定', 'i')"

site = Site(
    id="twitter",
    name="Twitter/X",
    aliases=("x", "x.com", "twitter.com"),
    home="https://x.com",
    hosts=("x.com", "*.x.com", "twitter.com", "*.twitter.com", "t.co", "*.twimg.com", "*.arkoselabs.com"),
    login_url="https://x.com/i/flow/login",
    logged_in=Signs(selectors=page.SWITCHER),
    logged_out=Signs(urls=(r"^https?://[^/]+/(?:i/flow/)?login(?:[/?#]|$)", r"^https?://[^/]+/logout")),
    challenge=Signs(
        urls=(r"^https?://[^/]+/account/access", r"^https?://[^/]+/i/flow/challenge", r"arkoselabs\.com"),
        selectors=("iframe[src*=arkose i]", "iframe[id*=arkose i]"),
    ),
    suspended=Signs(urls=(r"^https?://[^/]+/account/suspended",), selectors=(_LIMITED,)),
    rate=Signs(statuses=(429,)),
    session=("auth_token",),
    who=Who(page.PROFILE, attribute="href", pattern=r"^(?:https?://[^/]+)?/(\w+)"),
    publish=Caps(hourly=5, daily=20, spacing=60),
    engage=Caps(hourly=15, daily=60, spacing=10),
    selectors=page.SELECTORS,
    policy=(
        "X allows automation only through its official API and has suspended accounts for automated replies: "
        "keep to few posts, let a person approve them, and expect that an account can be lost."
    ),
)
