"""The public page of a shared task: everybody who has the link can read it, nobody else, and it tells no secrets."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import httpx
import pytest
from playwright.async_api import Browser, async_playwright

from agent.chromium import find_chromium
from agent.engine import Assignment, Desk, NewFile, Outcome
from server.share import shown
from storage.tables import Step
from tests.person import FLAGS
from tests.server.cloud.stage import Stage, begun, picture, ran, step
from tools.errors import AgentFailed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=find_chromium(None), args=FLAGS)
        yield chromium
        await chromium.close()


async def secretive(assignment: Assignment, desk: Desk) -> Outcome:
    await desk.step(step(1, picture("red")))
    notes = assignment.folder / "notes"
    notes.write_bytes(b"private notes")
    cookies = [{"name": "session", "value": "cookie-value"}]
    output = '{"title": "<b>Example</b> ü", "pin": "open sesame"}'
    files = [NewFile(notes, "notes.txt", "output", "text/plain")]
    return Outcome({"output": output}, cookies=cookies, files=files)


async def shared(client: httpx.AsyncClient, task: str, **options: object) -> tuple[str, str]:
    """The task's id and the link to its page."""
    task_id = await ran(client, task, enable_public_share=True, **options)
    return task_id, (await client.get(f"/task/{task_id}")).json()["public_share_url"]


async def test_the_page_shows_task_steps_screenshots_and_result(
    client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    _, url = await shared(client, "Report the <title>")
    answer = await anyone.get(url)
    assert answer.status_code == 200
    page = answer.text
    assert "Report the &lt;title&gt;" in page
    assert "<title>Report the &lt;title&gt; · Webhand</title>" in page
    assert "Example Domain" in page
    assert "Done" in page
    assert "Goal 2" in page
    assert "Evaluation 2" in page
    assert "example.com/2" in page
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == 2
    for source, colour in zip(pictures, ("red", "blue"), strict=True):
        assert (await anyone.get(source)).content == picture(colour)


async def test_the_page_shows_neither_secrets_nor_cookies_nor_metadata_nor_files(
    stage: Stage, client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    stage.actor.acts["secretive"] = secretive
    task_id, url = await shared(
        client,
        "secretive",
        secrets={"pin": "open sesame"},
        metadata={"customer": "Jane Roe"},
        save_browser_data=True,
    )
    page = (await anyone.get(url)).text
    for hidden in ("sesame", "cookie-value", "Jane Roe", "customer", "notes.txt", "token=hidden", "key_", "owner_"):
        assert hidden not in page, hidden
    assert "&lt;b&gt;Example&lt;/b&gt; ü" in page
    (file,) = await stage.house.tasks.files(await stage.task(task_id), "output")
    assert (await anyone.get(f"{url}/{file.id}")).status_code == 404, "a screenshot, and nothing else"


async def test_a_picture_of_another_task_is_not_under_this_link(
    client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    _, url = await shared(client, "one")
    _, other = await shared(client, "two")
    foreign = re.findall(r'<img src="([^"]+)"', (await anyone.get(other)).text)[0].rpartition("/")[2]
    assert (await anyone.get(f"{url}/{foreign}")).status_code == 404


async def test_the_link_ends_when_the_task_is_unshared_and_a_new_one_is_another(
    client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    task_id, url = await shared(client, "one")
    image = re.findall(r'<img src="([^"]+)"', (await anyone.get(url)).text)[0]
    assert (await client.delete(f"/task/{task_id}/share")).json() == {"public_share_url": None}
    for gone in (url, image, url + "x", url.rpartition("/")[0] + "/" + "A" * 32):
        answer = await anyone.get(gone)
        assert answer.status_code == 404
        assert "There is nothing to see here" in answer.text
        assert "Goal 1" not in answer.text
    assert (await client.get(f"/task/{task_id}")).json()["public_share_url"] is None
    again = (await client.post(f"/task/{task_id}/share")).json()["public_share_url"]
    assert again != url
    assert (await anyone.get(again)).status_code == 200


async def test_a_failed_task_says_what_went_wrong_and_an_open_one_looks_again(
    stage: Stage, client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    async def fail(assignment: Assignment, desk: Desk) -> Outcome:
        url = (await client.get(f"/task/{assignment.task_id}")).json()["public_share_url"]
        open_page = (await anyone.get(url)).text
        assert 'http-equiv="refresh"' in open_page
        assert "Nothing has happened yet" in open_page
        raise AgentFailed("The site sells nothing.")

    stage.actor.acts["fail"] = fail
    _, url = await shared(client, "fail")
    page = (await anyone.get(url)).text
    assert "The site sells nothing." in page
    assert 'http-equiv="refresh"' not in page


async def test_the_page_may_neither_run_scripts_nor_be_framed_nor_kept(
    client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    _, url = await shared(client, "one")
    for answer in (await anyone.get(url), await anyone.get(url + "x")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_the_page_asks_no_other_host_and_fits_a_phone(
    stage: Stage, browser: Browser, width: int, scheme: str
) -> None:
    async with stage.caller() as client:
        _, url = await shared(client, "Report the title of https://example.com/" + "long" * 60)
    dark = scheme == "dark"
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    page = await context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    await page.goto(url, wait_until="networkidle")
    assert {address.startswith((stage.origin, "data:")) for address in asked} == {True}
    assert [text for text in wrong if "favicon" not in text and "404" not in text] == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(16, 19, 25)" if dark else "rgb(244, 245, 247)")
    assert await page.locator("img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
    await context.close()


async def test_a_task_is_not_shared_by_its_id(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    task_id = await begun(client, enable_public_share=True)
    assert (await anyone.get(f"/share/{task_id}")).status_code == 404
    assert (await anyone.get("/share/null")).status_code == 404


def test_what_came_of_a_step_stands_with_that_step() -> None:
    said = [("Open the page", "Nothing was done before."), ("Press Go", "The page is open.")]
    steps = [
        Step(id=goal, task_id="task_1", sequence=number, kind="agent", next_goal=goal, evaluation_previous_goal=found)
        for number, (goal, found) in enumerate(said, 1)
    ]
    assert [(step.goal, step.outcome) for step in shown(steps, "token")] == [
        ("Open the page", "The page is open."),
        ("Press Go", ""),
    ]
