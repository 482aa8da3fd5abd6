"""The practice site in a real Chromium."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Dialog, Page, async_playwright, expect

from agent.installed import find_chromium
from server.practice.faults import Faults
from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from tests.person import FLAGS

pytestmark = pytest.mark.anyio
MANY_KINDS = "First line\n\nThird  line: 汉字, ünïcode, <b>not bold</b> & 'quotes' 🦆"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    found = find_chromium(None)
    assert found, "these tests need a Chromium: webhand doctor --fix installs one"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[DemoSite, str]]:
    site = DemoSite()
    async with serve_demo_site(site) as url:
        yield site, url


@pytest.fixture
def site(served: tuple[DemoSite, str]) -> DemoSite:
    served[0].faults = Faults()
    return served[0]


@pytest.fixture
async def page(browser: Browser, site: DemoSite, served: tuple[DemoSite, str]) -> AsyncIterator[Page]:
    url = served[1]
    context = await browser.new_context(base_url=url, storage_state=site.storage_state("alice", url))  # pyright: ignore[reportArgumentType]  # a plain dict of the same shape
    context.set_default_timeout(10_000)
    page = await context.new_page()
    foreign: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(url) else foreign.append(request.url))
    yield page
    await context.close()
    assert foreign == []


async def test_the_post_button_wakes_up_with_the_text_and_the_answer_holds_the_post(page: Page, site: DemoSite) -> None:
    await page.goto("/compose")
    publish = page.get_by_test_id("publish")
    await expect(publish).to_have_attribute("aria-disabled", "true")
    await page.get_by_test_id("editor").fill(MANY_KINDS)
    await expect(publish).to_have_attribute("aria-disabled", "false")
    async with page.expect_response("**/api/posts") as answer:
        await publish.click()
    post = await (await answer.value).json()
    await expect(page.get_by_test_id("toast").get_by_role("link")).to_have_attribute("href", post["url"])
    assert site.counts[MANY_KINDS] == 1
    await page.goto(post["url"])
    assert await page.get_by_test_id("post-text").inner_text() == MANY_KINDS
    assert await page.get_by_test_id("post").get_attribute("data-url") == post["url"]


async def test_typing_key_by_key_gives_the_same_text(page: Page, site: DemoSite) -> None:
    await page.goto("/")
    await page.get_by_test_id("editor").click()
    await page.keyboard.type("Typed\nby hand")
    await page.get_by_test_id("publish").click()
    await expect(page.get_by_test_id("post-text").first).to_have_text("Typed\nby hand")
    assert site.counts["Typed\nby hand"] == 1


async def test_the_editor_puts_back_what_a_script_wrote_into_it(page: Page, site: DemoSite) -> None:
    before = len(site.published)
    await page.goto("/compose")
    editor, publish = page.get_by_test_id("editor"), page.get_by_test_id("publish")
    await editor.evaluate("""box => {
        box.value = "smuggled"; box.textContent = "smuggled";
        box.dispatchEvent(new InputEvent("input", {bubbles: true, data: "smuggled"}));
    }""")
    await expect(editor).to_have_text("")
    await expect(publish).to_have_attribute("aria-disabled", "true")
    await publish.click(force=True)
    await editor.fill("honest")
    await editor.evaluate("box => box.append(' and smuggled')")
    await expect(editor).to_have_text("honest")
    await publish.click()
    await expect(page.get_by_test_id("toast")).to_be_visible()
    assert [act.text for act in site.published[before:]] == ["honest"]


async def test_moved_controls_no_longer_answer_to_their_test_ids_but_still_work(page: Page, site: DemoSite) -> None:
    site.faults.moved = True
    await page.goto("/compose")
    await expect(page.get_by_test_id("account-name")).to_have_text("@alice")
    await expect(page.get_by_test_id("editor")).to_have_count(0)
    await expect(page.get_by_test_id("publish")).to_have_count(0)
    await page.get_by_role("textbox", name="Post text").fill("found anyway")
    await page.get_by_role("button", name="Post").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("Your post is out")
    assert site.counts["found anyway"] == 1


async def test_a_like_flips_the_button_and_is_still_there_afterwards(page: Page, site: DemoSite) -> None:
    await page.goto("/posts/103")
    await page.get_by_test_id("like").click()
    await expect(page.get_by_test_id("unlike")).to_have_text("2")
    await page.reload()
    await page.get_by_test_id("unlike").click()
    await expect(page.get_by_test_id("like")).to_have_text("1")
    assert site.posts["103"].likes == {"ines"}


async def test_a_deletion_asks_first_and_then_the_page_is_gone(page: Page, site: DemoSite) -> None:
    post = site.publish("alice", "short-lived")
    await page.goto(f"/posts/{post.id}")
    await page.get_by_test_id("delete").click()
    await page.get_by_test_id("delete-cancel").click()
    assert site.visible(post.id)
    await page.get_by_test_id("delete").click()
    await page.get_by_test_id("delete-confirm").click()
    await expect(page.get_by_test_id("deleted")).to_be_visible()
    await page.goto(f"/posts/{post.id}")
    await expect(page.get_by_test_id("not-found")).to_be_visible()
    await page.goto("/posts/104")
    await expect(page.get_by_test_id("delete")).to_have_count(0)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_cut_connection_never_makes_chromium_publish_twice(page: Page, site: DemoSite, when: str) -> None:
    text = f"cut {when}"
    await page.goto("/compose")
    await page.get_by_test_id("editor").fill(text)
    site.faults = Faults.model_validate({"cut": when})
    await page.get_by_test_id("publish").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("did not answer")
    assert site.counts[text] == (1 if when == "after" else 0)


async def test_a_refusal_is_shown_and_the_text_stays(page: Page, site: DemoSite) -> None:
    site.faults.rate_limited = 30
    await page.goto("/compose")
    await page.get_by_test_id("editor").fill("too soon")
    await page.get_by_test_id("publish").click()
    await expect(page.get_by_role("alert")).to_contain_text("wait 30 seconds")
    await expect(page.get_by_test_id("editor")).to_have_text("too soon")
    assert site.counts["too soon"] == 0


async def test_a_person_answers_the_challenge_by_pressing_its_button(page: Page, site: DemoSite) -> None:
    site.faults.challenge = "pages"
    await page.goto("/posts/103?from=feed")
    await expect(page.get_by_test_id("challenge")).to_be_visible()
    await page.get_by_test_id("challenge-solve").click()
    await expect(page).to_have_url("**/posts/103?from=feed".replace("**", page.url.split("/posts")[0]))
    await expect(page.get_by_test_id("post")).to_be_visible()


async def test_the_login_form_fills_itself_in_and_leads_back(page: Page) -> None:
    await page.goto("/")
    await page.get_by_test_id("logout").click()
    await page.goto("/users/bob")
    await page.get_by_role("button", name="Fill in").nth(1).click()
    await page.get_by_test_id("login-submit").click()
    await expect(page.get_by_test_id("account-name")).to_have_text("@bob")
    await expect(page.get_by_test_id("profile-name")).to_have_text("@bob")


async def test_the_locked_account_sees_a_banner_and_cannot_write(page: Page, site: DemoSite) -> None:
    site.faults.locked = True
    await page.goto("/compose")
    await expect(page.get_by_test_id("lock-banner")).to_be_visible()
    await expect(page.get_by_test_id("editor")).to_have_attribute("contenteditable", "false")


async def test_people_switch_faults_on_and_off_by_a_form(page: Page, site: DemoSite) -> None:
    await page.goto("/faults")
    await page.locator("[name=hidden]").check()
    await page.locator("[name=challenge]").select_option("acts")
    await page.locator("[name=slow_answer]").fill("0.1")
    await page.get_by_test_id("misbehave").click()
    await expect(page.locator("[name=hidden]")).to_be_checked()
    assert site.faults == Faults(hidden=True, challenge="acts", slow_answer=0.1)
    await page.get_by_test_id("behave").click()
    await expect(page.locator("[name=hidden]")).not_to_be_checked()
    assert site.faults == Faults()


async def test_the_workshop_takes_forms_and_files(page: Page, site: DemoSite, tmp_path: Path) -> None:
    await page.goto("/workshop/form")
    await page.get_by_test_id("form-name").fill("Ada")
    await page.get_by_test_id("form-tour").select_option(label="Delta by night")
    await page.get_by_test_id("form-day").fill("2027-05-01")
    await page.get_by_label("Evening").check()
    await page.get_by_label("Lunch").check()
    await page.get_by_label("Guide").check()
    await page.locator("[name=seats]").fill("5")
    await page.get_by_test_id("form-submit").click()
    await expect(page.get_by_test_id("received-extras")).to_have_text("lunch, guide")
    booking = {"name": "Ada", "tour": "delta", "day": "2027-05-01", "time": "evening", "extras": ["lunch", "guide"]}
    assert site.received[-1] == {"bench": "form", **booking, "seats": "5", "remarks": ""}
    file = tmp_path / "note.txt"
    file.write_text("hello")
    await page.goto("/workshop/upload")
    await page.get_by_test_id("upload-files").set_input_files(file)
    await page.get_by_test_id("upload-submit").click()
    checksum = hashlib.sha256(b"hello").hexdigest()
    await expect(page.get_by_test_id("received-files")).to_have_text(f"note.txt, 5 bytes, SHA-256 {checksum}")


async def test_the_workshop_drags_asks_and_filters(page: Page) -> None:
    await page.goto("/workshop/drag")
    await page.get_by_test_id("thing-2").drag_to(page.get_by_test_id("basket"))
    await expect(page.get_by_test_id("packed")).to_have_text("Rope")

    async def answer(dialog: Dialog) -> None:
        await dialog.accept("the heron's" if dialog.type == "prompt" else None)

    page.on("dialog", answer)
    await page.goto("/workshop/dialogs")
    for button, words in (("alert", "alert closed"), ("confirm", "yes"), ("prompt", "the heron's")):
        await page.get_by_test_id(f"dialog-{button}").click()
        await expect(page.get_by_test_id("dialog-answer")).to_have_text(words)
    await page.goto("/workshop/table")
    await expect(page.locator("tbody tr:visible")).to_have_count(240)
    await page.get_by_test_id("filter").fill("old mill")
    await expect(page.locator("tbody tr:visible")).to_have_count(1)


async def test_the_workshop_downloads_opens_windows_and_frames(page: Page) -> None:
    await page.goto("/workshop/download")
    async with page.expect_download() as download:
        await page.get_by_test_id("download").click()
    file = await (await download.value).path()
    assert len(file.read_text().splitlines()) == 241
    await page.goto("/workshop/popup")
    for button, word in (("open-tab", "heron"), ("open-window", "otter")):
        async with page.expect_popup() as opening:
            await page.get_by_test_id(button).click()
        opened = await opening.value
        await expect(opened.get_by_test_id("password")).to_have_text(word)
        await opened.close()
    await page.goto("/workshop/frame")
    frame = page.frame_locator("[data-testid=frame]")
    await frame.get_by_test_id("inside-nickname").fill("Wren")
    await frame.get_by_test_id("inside-submit").click()
    await expect(frame.get_by_test_id("inside-received")).to_have_text("Wren")


async def test_every_page_fits_a_phone_in_the_dark_and_logs_no_error(page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.emulate_media(color_scheme="dark")
    benches = ("form", "upload", "drag", "dialogs", "download", "popup", "table", "frame")
    paths = ("/", "/compose", "/posts/104", "/users/mira", "/challenge", "/faults", "/workshop")
    for path in (*paths, *(f"/workshop/{bench}" for bench in benches)):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
    assert errors == []
