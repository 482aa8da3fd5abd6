"""Any website: the platform of tasks in plain words. It has no home, no accounts and no signs of its own."""

from __future__ import annotations

from tools.site import Signs, Site

site = Site(
    id="browser",
    name="Any website",
    home="about:blank",
    hosts=("*",),
    login_url="",
    logged_in=Signs(),
    aliases=("web",),
    verified="practice",
    policy="You answer for what a task does on a site: read that site's rules first.",
)
