"""The pages for people: who gets in, what they see and may do, and a task watched in a real browser as it runs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from playwright.async_api import Page, expect

from server.advice import ADVICE
from server.auth import Caller
from server.dashboard.create import fields_of
from server.dashboard.sessions import COOKIE, local
from server.dashboard.views import look_of, word_of
from server.house import House, framed_by
from server.new_task import NewTask
from server.words import in_words
from storage.states import TaskState
from storage.tables import Task
from tests.server.webhooks.house import a_task
from tools.catalog import catalog
from tools.errors import every_failure

pytestmark = pytest.mark.anyio
OF_REQUESTS = {"PAYLOAD_TOO_LARGE", "METHOD_NOT_ALLOWED", "UNSUPPORTED_MEDIA_TYPE"}
"""Codes that only a request can have, never a task."""


@asynccontextmanager
async def visiting(house: House, key: str | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """A visitor without scripts; with a key they have logged in."""
    async with httpx.AsyncClient(base_url=house.public_url, headers={"Origin": house.public_url}) as visitor:
        if key is not None:
            assert (await visitor.post("/login", data={"key": key})).status_code == 303
        yield visitor


async def waiting_task(house: House, caller: Caller, text: str) -> Task:
    """A task that waits for approval: nothing runs."""
    name = secrets.token_hex(4)
    await house.accounts.create(caller, "demo", name, credentials={"username": "alice", "password": "practice-alice"})
    new = NewTask(
        dialect="browserman",
        platform="demo",
        tool="createPost",
        parameters={"text": text},
        account_name=name,
        approval=True,
    )
    return (await house.tasks.create(caller, new)).task


async def test_a_visitor_without_a_key_is_led_to_the_login_and_back(house: House, caller: Caller, secret: str) -> None:
    task = await waiting_task(house, caller, "Led back")
    async with visiting(house) as visitor:
        led = await visitor.get(f"/tasks/{task.id}")
        assert (led.status_code, led.headers["location"]) == (303, f"/login?next=%2Ftasks%2F{task.id}")
        wrong = await visitor.post(led.headers["location"], data={"key": "sk_live_wrong"})
        assert (wrong.status_code, "not known" in wrong.text, "set-cookie" in wrong.headers) == (401, True, False)
        right = await visitor.post(led.headers["location"], data={"key": f" {secret} "})
        assert (right.status_code, right.headers["location"]) == (303, f"/tasks/{task.id}")
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert secret not in cookie
        assert (await visitor.get(f"/tasks/{task.id}")).status_code == 200
        assert (await visitor.post("/logout")).status_code == 303
        assert (await visitor.get("/")).status_code == 303


async def test_a_revoked_key_and_a_token_of_another_purpose_open_nothing(house: House) -> None:
    row, key = await house.key_store.create("for a while", owner="default")
    async with visiting(house, key) as visitor:
        assert (await visitor.get("/")).status_code == 200
        await house.key_store.revoke(row.id)
        assert (await visitor.get("/")).status_code == 303
        visitor.cookies.set(COOKIE, house.signer.sign("live", row.id, expires=2**33))
        assert (await visitor.get("/")).status_code == 303


async def test_forms_of_other_sites_are_refused(house: House, caller: Caller, secret: str) -> None:
    task = await waiting_task(house, caller, "Not from elsewhere")
    async with visiting(house, secret) as visitor:
        for origin in ("https://elsewhere.example", "null", ""):
            refused = await visitor.post(f"/tasks/{task.id}/approve", headers={"Origin": origin})
            assert refused.status_code == 403
        assert (await house.tasks.get(caller, task.id)).state is TaskState.PAUSED
        rejected = await visitor.post(f"/tasks/{task.id}/reject")
        assert (rejected.status_code, rejected.headers["location"]) == (303, f"/tasks/{task.id}")
    assert (await house.tasks.get(caller, task.id)).state is TaskState.CANCELLED


async def test_what_belongs_to_another_owner_is_not_there(house: House, caller: Caller) -> None:
    task = await waiting_task(house, caller, "Private words")
    _, key = await house.key_store.create("stranger", owner="somebody else")
    async with visiting(house, key) as stranger:
        for path in (f"/tasks/{task.id}", f"/tasks/{task.id}/events", "/tasks/task_nowhere"):
            assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(f"/tasks/{task.id}/cancel")).status_code == 404
        assert (await stranger.post(f"/accounts/{task.account_id}/delete")).status_code == 404
        assert (await stranger.post(f"/accounts/{task.account_id}/connect")).status_code == 404
        assert "Private words" not in (await stranger.get("/")).text
        assert task.account_name is not None
        assert task.account_name not in (await stranger.get("/accounts")).text


async def test_an_address_that_leads_nowhere_is_a_page_for_people_and_words_for_programs(house: House) -> None:
    async with visiting(house) as visitor:
        lost = await visitor.get("/nothing/here", headers={"Accept": "text/html,*/*"})
        told = await visitor.get("/nothing/here")
    assert (lost.status_code, "There is no such page." in lost.text) == (404, True)
    assert lost.headers["content-security-policy"].startswith("default-src 'none'")
    assert (told.status_code, told.text) == (404, "Not Found")


def test_what_may_have_been_done_all_the_same_is_not_called_failed() -> None:
    task = a_task(state=TaskState.FAILED, error={"code": "OUTCOME_UNCERTAIN"})
    assert (word_of(task), look_of(task)) == ("Uncertain", "uncertain")
    task.error = {"code": "PAGE_CHANGED"}
    assert (word_of(task), look_of(task)) == ("Failed", "failed")


async def test_a_key_that_only_reads_sees_and_cannot_act(house: House, caller: Caller) -> None:
    task = await waiting_task(house, caller, "Look, do not touch")
    _, key = await house.key_store.create("reader", owner="default", scopes=["read"])
    async with visiting(house, key) as reader:
        seen = await reader.get(f"/tasks/{task.id}")
        assert "Look, do not touch" in seen.text
        assert "formaction" not in seen.text
        for path in (f"/tasks/{task.id}/cancel", f"/tasks/{task.id}/approve", f"/accounts/{task.account_id}/delete"):
            assert (await reader.post(path)).status_code == 403


async def test_pages_allow_no_script_of_their_own_and_nothing_from_elsewhere(house: House, secret: str) -> None:
    async with visiting(house, secret) as visitor:
        for path in ("/", "/accounts", "/new", "/new/demo/createPost", "/login?next=/", "/tasks/task_nowhere"):
            seen = await visitor.get(path)
            policy = seen.headers.get("content-security-policy", "")
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert seen.headers["cache-control"] == "no-store"
            assert seen.headers["referrer-policy"] == "strict-origin", (
                "the path stays here, forms still say where they are from"
            )


async def test_what_a_task_says_is_text_and_never_markup(house: House, caller: Caller, secret: str) -> None:
    task = await waiting_task(house, caller, '<img src=x onerror="alert(1)"> & "more"')
    async with visiting(house, secret) as visitor:
        for path in (f"/tasks/{task.id}", "/", "/tasks/list"):
            seen = (await visitor.get(path)).text
            assert "<img src=x" not in seen
            assert "&lt;img src=x onerror=" in seen


async def test_a_task_is_shared_and_unshared(house: House, caller: Caller, secret: str) -> None:
    task = await waiting_task(house, caller, "For everybody")
    async with visiting(house, secret) as visitor:
        await visitor.post(f"/tasks/{task.id}/share")
        shared = await house.tasks.get(caller, task.id)
        link = house.links.share(shared)
        assert link is not None
        assert link in (await visitor.get(f"/tasks/{task.id}")).text
        await visitor.post(f"/tasks/{task.id}/unshare")
        assert link not in (await visitor.get(f"/tasks/{task.id}")).text


async def test_the_list_is_filtered_and_paged(house: House, caller: Caller, secret: str) -> None:
    task = await waiting_task(house, caller, "The only one of its account")
    async with visiting(house, secret) as visitor:
        mine = (await visitor.get("/", params={"account": task.account_name, "state": "paused"})).text
        assert "The only one of its account" in mine
        assert "1 task" in mine
        none = (await visitor.get("/", params={"account": task.account_name, "state": "completed"})).text
        assert "No task is like that" in none
        assert (await visitor.get("/", params={"state": "nonsense", "page": "99999999999999999999"})).status_code == 200


async def test_a_form_makes_a_task_and_says_what_is_wrong(house: House, caller: Caller, secret: str) -> None:
    task = await waiting_task(house, caller, "Its account is used again")
    filled = {"-account": task.account_name, "-approval": "on", "text": "First line\r\nsecond line"}
    async with visiting(house, secret) as visitor:
        wrong = await visitor.post("/new/demo/createPost", data={**filled, "text": ""})
        assert (wrong.status_code, 'role="alert"' in wrong.text) == (400, True)
        made = await visitor.post("/new/demo/createPost", data=filled)
        assert made.status_code == 303
    created = await house.tasks.get(caller, made.headers["location"].rpartition("/")[2])
    assert (created.parameters, created.pause_reason) == ({"text": "First line\nsecond line"}, "approval")


async def test_an_account_is_added_and_deleted(house: House, caller: Caller, secret: str) -> None:
    name = secrets.token_hex(4)
    async with visiting(house, secret) as visitor:
        added = await visitor.post("/accounts", data={"platform": "demo", "name": name})
        assert added.headers["location"].startswith("/sign-in/")
        wrong = await visitor.post("/accounts", data={"platform": "demo", "name": f"{name}2", "cookies": "7"})
        assert wrong.status_code == 400
        row = next(one for one in await house.accounts.list(caller) if one.name == name)
        assert name in (await visitor.get("/accounts")).text
        await visitor.post(f"/accounts/{row.id}/delete")
        assert name not in (await visitor.get("/accounts")).text
        assert (await visitor.get(added.headers["location"])).status_code == 410


async def test_a_person_watches_a_task_from_its_approval_to_its_result(
    house: House, caller: Caller, secret: str, page: Page
) -> None:
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    text = f"Seen by a person {secrets.token_hex(4)}"
    task = await waiting_task(house, caller, text)
    await page.goto(f"{house.public_url}/tasks/{task.id}")
    await page.get_by_label("API key").fill(secret)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name=text)).to_be_visible()
    await expect(page.get_by_role("heading", name="This waits for approval")).to_be_visible()
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("heading", name="Result")).to_be_visible(timeout=90_000)
    await expect(page.locator("#status .state")).to_have_text("Completed")
    await expect(page.locator("#steps > li")).to_have_count((await house.tasks.get(caller, task.id)).step_count)
    await expect(page.locator("#live iframe")).to_have_count(0)
    await page.locator("#steps .picture").first.click()
    await expect(page.get_by_role("dialog", name="Screenshot").get_by_role("img")).to_be_visible()
    assert await page.locator("#shot img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 600
    assert broken == []


def test_every_failure_of_a_task_comes_with_what_to_do() -> None:
    codes = {failure.code for failure in every_failure()} - OF_REQUESTS
    assert codes <= ADVICE.keys()


def test_every_tool_has_a_form() -> None:
    for tool in catalog().tools.values():
        names = [field.name for field in fields_of(tool)]
        assert names == list(tool.parameters.model_json_schema(by_alias=True)["properties"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("createPost", "Create post"),
        ("reTweet", "Retweet"),
        ("start_url", "Start URL"),
        ("aiGenerated", "AI generated"),
    ],
)
def test_names_are_written_as_people_write_them(name: str, words: str) -> None:
    assert in_words(name) == words


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example/", "evil", "", "/a\nb"])
def test_the_login_leads_nowhere_else(path: str) -> None:
    assert local(path) == "/"


@pytest.mark.parametrize(
    ("wish", "said"),
    [("*", "*"), ("'none'", "'self'"), ("'self'", "'self'"), ("https://app.example", "'self' https://app.example")],
)
def test_our_own_task_pages_may_always_show_the_live_view(wish: str, said: str) -> None:
    assert framed_by(wish) == said
