"""The platforms' signs are asked of the page itself, so that every engine reads them alike."""

from __future__ import annotations

import pytest
from playwright.async_api import async_playwright

from agent.chromium import Chromium
from agent.origins import Origins
from agent.signs import LOOK, Looked, Sight, SiteSigns, Tenure
from tools.catalog import catalog

pytestmark = pytest.mark.anyio


async def test_a_page_answers_every_sign_of_every_platform_as_playwright_would(chromium: Chromium) -> None:
    warning, words = "[role=alert]:text-matches('limited|gesperrt', 'i')", "text=log in"
    pages = {
        "<div role=alert>Your account is  LIMITED</div>": [True, False],
        "<div role=alert><b>Gesperrt</b></div>": [False, False],  # the smallest element that says so is no alert
        "<div role=alert hidden>limited</div><p>limited</p>": [False, False],
        "<p>Please <b>Log   in now</b></p>": [False, True],
        "<p hidden>Log in</p><script>'log in'</script>": [False, False],
    }
    async with async_playwright() as driver:
        browser = await driver.chromium.connect_over_cdp(chromium.cdp_url)
        page = await (await browser.new_context()).new_page()
        for html, held in pages.items():
            await page.set_content(html)
            looked = await page.evaluate(LOOK, [[warning, words], None])
            assert looked["seen"] == held, html
            found = [await page.locator(one).filter(visible=True).count() > 0 for one in (warning, words)]
            assert found == held, html
        for site in catalog().sites.values():
            looked = await page.evaluate(LOOK, SiteSigns(site, Origins()).asked)
            assert None not in looked["seen"], site.id
            assert looked["name"] is not False, site.id
        await browser.close()


def test_a_document_stands_under_the_login_that_it_was_drawn_with() -> None:
    alice, mallory = frozenset({("ticket", "a")}), frozenset({("ticket", "m")})
    tenure = Tenure()
    assert tenure.holds(Sight(frozenset(), None, 1.0))
    assert tenure.holds(Sight(frozenset(), "alice", 1.0, alice))  # logged in without another page
    assert not tenure.holds(Sight(frozenset(), "alice", 1.0, mallory))
    assert not tenure.holds(Sight(frozenset(), "alice", 1.0))
    assert tenure.holds(Sight(frozenset(), "mallory", 2.0, mallory))  # the next page says its own name


def test_a_cookie_that_strangers_get_too_names_nobody_until_somebody_is_logged_in() -> None:
    signs = SiteSigns(catalog().sites["xueqiu"], Origins())
    page = Looked(seen=[False for _ in signs.selectors], name=None, url="https://xueqiu.com/", status=200, document=1.0)
    assert signs.read(page, page["url"], 200, {"u": "511614781555101"}).who is None
    assert signs.read(page, page["url"], 200, {"u": "1000000001", "xq_is_login": "1"}).who == "1000000001"
