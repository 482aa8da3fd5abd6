"""The practice site."""

from __future__ import annotations

from tools.site import Caps, LoginForm, Signs, Site, Who

site = Site(
    id="demo",
    name="Practice site",
    # A name that nobody owns stands for wherever the practice site runs; the settings say where that is.
    home="https://practice.webhand.example",
    hosts=("practice.webhand.example",),
    login_url="https://practice.webhand.example/login",
    aliases=("practice", "greenroom"),
    logged_in=Signs(selectors=("[data-testid=account-name]",)),
    logged_out=Signs(
        urls=(r"^https?://[^/]+/login(/code)?([?#]|$)",),
        selectors=("[data-testid=login-form]", "[data-testid=code-form]", "[data-testid=login-link]"),
    ),
    challenge=Signs(urls=(r"^https?://[^/]+/challenge([?#]|$)",), selectors=("[data-testid=challenge]",)),
    suspended=Signs(selectors=("[data-testid=lock-banner]",)),
    rate=Signs(statuses=(429,)),
    who=Who(selector="[data-testid=account-name]", pattern=r"@(\w+)"),
    login_form=LoginForm(
        username="[data-testid=login-username]",
        password="[data-testid=login-password]",  # noqa: S106  # a selector
        submit="[data-testid=login-submit]",
        otp="[data-testid=login-code]",
    ),
    publish=Caps(hourly=3600, daily=36000),
    engage=Caps(hourly=3600, daily=36000),
    verified="practice",
    policy="Made to be automated: it runs on your own machine and nothing posted there leaves it.",
)
