"""Signing in on the page, with a real second browser as the person, at the practice site's own login."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import mcp_types as types
import pytest
from playwright.async_api import Browser, Page, expect

from agent.cdp import Answer, Cdp
from server.auth import Caller
from server.house import House
from server.sign_in.attempt import SignIn
from server.sign_in.service import SignInSettings
from storage.tables import Account
from tests.server.mcp.client import MODERN, connected, text_of, told
from tools.errors import AccountNotFound, Conflict

pytestmark = pytest.mark.anyio
PATIENCE_MS = 30_000


@pytest.fixture
async def account(house: House, caller: Caller) -> Account:
    return await house.accounts.create(caller, "demo", secrets.token_hex(4))


@pytest.fixture
async def api(house: House, secret: str) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=f"{house.public_url}/api", headers=headers, timeout=60) as client:
        yield client


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Waits until something is true; fails when it does not become so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.05)


def attempt_of(house: House, account: Account) -> SignIn:
    found = house.sign_ins.of(account.id)
    assert found is not None
    return found


@asynccontextmanager
async def remote(attempt: SignIn) -> AsyncGenerator[Callable[[str], Any]]:
    """A look into the browser behind the picture: where things are there."""
    assert attempt.window is not None
    window = attempt.window

    def hear(_method: str, _event: Answer, _session: str | None) -> None:
        return

    cdp = await Cdp.open(window.cdp_url, hear)
    targets = (await cdp.call("Target.getTargets"))["targetInfos"]
    mine = next(one for one in targets if one["type"] == "page" and one.get("browserContextId") == window.context_id)
    target = {"targetId": mine["targetId"], "flatten": True}
    session = (await cdp.call("Target.attachToTarget", target))["sessionId"]

    async def ask(script: str) -> Any:
        said = await cdp.call("Runtime.evaluate", {"expression": script, "returnByValue": True}, session)
        return said["result"].get("value")

    try:
        yield ask
    finally:
        await cdp.close()


async def click(page: Page, attempt: SignIn, selector: str) -> None:
    """Clicks in the picture, where the other browser has that element, as soon as it has."""
    place = (
        f"(()=>{{const e=document.querySelector({selector!r});if(!e)return null;const b=e.getBoundingClientRect();"
        "return [(b.x+b.width/2)/innerWidth,(b.y+b.height/2)/innerHeight]})()"
    )
    async with asyncio.timeout(30), remote(attempt) as ask:
        while (where := await ask(place)) is None:  # noqa: ASYNC110  # what is waited for happens in another process
            await asyncio.sleep(0.05)
    box = await page.locator("#screen canvas").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + where[0] * box["width"], box["y"] + where[1] * box["height"])


async def open_browser(page: Page, house: House, account: Account, url: str) -> SignIn:
    """Opens the link as a person does, and waits until they are in control of the picture."""
    await page.goto(url)
    await page.get_by_role("button", name="Open the browser").click()
    await expect(page.locator("#veil")).to_be_hidden(timeout=PATIENCE_MS)
    await expect(page.locator("body[data-tone=mine]")).to_be_attached(timeout=PATIENCE_MS)
    return attempt_of(house, account)


async def log_in(page: Page, attempt: SignIn, name: str) -> None:
    """Fills the site's form in, through the picture."""
    await click(page, attempt, "[data-testid=login-username]")
    await page.keyboard.type(name)
    await click(page, attempt, "[data-testid=login-password]")
    await page.keyboard.type(f"practice-{name}")
    await page.keyboard.press("Enter")


def browsers_left(house: House) -> list[str]:
    folder = house.run_folder / "sign-in"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


async def test_a_person_signs_in_and_the_account_is_connected_as_them(
    house: House, api: httpx.AsyncClient, browser: Browser, page: Page
) -> None:
    answer = (await api.post("/accounts", json={"platform": "demo", "name": "by-hand"})).json()["data"]
    assert (answer["status"], answer["signIn"]["state"]) == ("pending", "waiting")
    caller = await house.verifier.verify(str(api.headers["authorization"]).removeprefix("Bearer "))
    account = await house.accounts.get(caller, answer["id"])

    referers: list[str] = []
    page.on("request", lambda request: referers.append(request.headers.get("referer", "")))
    attempt = await open_browser(page, house, account, answer["signInUrl"])
    stranger = await browser.new_page()
    await stranger.goto(answer["signInUrl"])
    await expect(stranger.get_by_text("opened in another browser already")).to_be_visible()
    await log_in(page, attempt, "alice")
    await expect(page.get_by_role("heading", name="You are connected as alice.")).to_be_visible(timeout=PATIENCE_MS)
    await stranger.close()
    assert any(referers)
    assert not any("/sign-in/" in referer for referer in referers), "the token is in no Referer"

    told = (await api.get(f"/accounts/{answer['id']}")).json()["data"]
    assert (told["status"], told["identity"], told["authMethod"]) == ("active", "alice", "oauth")
    assert told["signIn"]["state"] == "connected"
    assert "signInUrl" not in told
    await until(lambda: not browsers_left(house))

    checked = (await api.post(f"/accounts/{answer['id']}/check")).json()["data"]
    assert (checked["status"], checked["identity"]) == ("active", "alice")
    row = await house.accounts.get(caller, answer["id"])
    assert row.login_state is not None
    assert b"practice_session" not in row.login_state


async def test_the_wrong_person_is_told_so_and_not_connected(
    house: House, caller: Caller, account: Account, page: Page
) -> None:
    await house.account_store.connect(account.id, house.vault.seal({"cookies": [], "origins": []}), "alice")
    attempt = await open_browser(page, house, account, await house.sign_ins.begin(caller, account.id))
    await log_in(page, attempt, "bob")
    await expect(page.get_by_role("alert")).to_contain_text(
        "shows bob signed in, but this account is alice", timeout=PATIENCE_MS
    )
    assert (attempt.state, (await house.accounts.get(caller, account.id)).identity) == ("open", "alice")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("the account is as it was before")).to_be_visible()
    assert attempt.state == "cancelled"
    await until(lambda: not browsers_left(house))


async def test_time_runs_out_and_nothing_is_left(house: House, caller: Caller, account: Account, page: Page) -> None:
    usual, house.sign_ins.settings = house.sign_ins.settings, SignInSettings(open=5)
    try:
        await page.goto(await house.sign_ins.begin(caller, account.id))
        await page.get_by_role("button", name="Open the browser").click()
        attempt = attempt_of(house, account)
        await expect(page.get_by_text("The time is over")).to_be_visible(timeout=PATIENCE_MS)
    finally:
        house.sign_ins.settings = usual
    assert (attempt.state, (await house.accounts.get(caller, account.id)).status) == ("expired", "pending")
    await until(lambda: not browsers_left(house))


async def test_a_closed_page_ends_its_browser(house: House, caller: Caller, account: Account, page: Page) -> None:
    usual, house.sign_ins.settings = house.sign_ins.settings, SignInSettings(lost=1)
    try:
        attempt = await open_browser(page, house, account, await house.sign_ins.begin(caller, account.id))
        await page.close()
        await until(lambda: attempt.over and not browsers_left(house), 45)
    finally:
        house.sign_ins.settings = usual
    assert attempt.state == "cancelled"


async def test_a_newer_link_ends_the_older_one_and_looking_at_a_link_uses_nothing_up(
    house: House, caller: Caller, account: Account
) -> None:
    older = await house.sign_ins.begin(caller, account.id)
    newer = await house.sign_ins.begin(caller, account.id)
    async with httpx.AsyncClient() as looker:
        for _ in range(2):
            seen = await looker.get(newer)
            assert (seen.status_code, "Open the browser" in seen.text) == (200, True)
        assert (await looker.get(older)).status_code == 410
        assert (await looker.get(newer[:-4] + "AAAA")).status_code == 404
        refused = await looker.post(f"{newer}/start", headers={"Origin": "https://elsewhere.example"})
        assert refused.status_code == 403
    assert attempt_of(house, account).state == "waiting"


async def test_only_so_many_sign_in_at_once(house: House, caller: Caller, account: Account) -> None:
    usual, house.sign_ins.settings = house.sign_ins.settings, SignInSettings(at_once=0)
    try:
        url = await house.sign_ins.begin(caller, account.id)
        async with httpx.AsyncClient() as person:
            refused = await person.post(f"{url}/start", headers={"Origin": house.public_url})
    finally:
        house.sign_ins.settings = usual
    assert (refused.status_code, attempt_of(house, account).state) == (429, "waiting")


async def test_another_owner_cannot_sign_the_account_in(house: House, account: Account) -> None:
    stranger = Caller("key_x", "somebody else", frozenset({"read", "write", "admin"}))
    with pytest.raises(AccountNotFound):
        await house.sign_ins.begin(stranger, account.id)


async def test_a_check_logs_in_with_credentials_and_finds_out_when_they_do_not_fit(
    house: House, caller: Caller, api: httpx.AsyncClient, account: Account
) -> None:
    with pytest.raises(Conflict):
        await house.sign_ins.check(caller, account.id)
    fitting = {"username": "bob", "password": "practice-bob"}
    await api.post(f"/accounts/{account.id}/connect", json={"credentials": fitting})
    checked = (await api.post(f"/accounts/{account.id}/check")).json()["data"]
    assert (checked["status"], checked["identity"]) == ("active", "bob")

    wrong = await house.accounts.create(
        caller, "demo", secrets.token_hex(4), credentials={"username": "bob", "password": "guessed"}
    )
    refused = (await api.post(f"/accounts/{wrong.id}/check")).json()["data"]
    assert (refused["status"], refused["error"]["code"]) == ("error", "AUTHENTICATION_FAILED")
    assert "guessed" not in str(refused)


async def test_a_stored_login_that_does_not_hold_is_found_out(house: House, caller: Caller, account: Account) -> None:
    cookies = [{"name": "practice_session", "value": "none", "domain": "127.0.0.1"}]
    await house.accounts.reconnect(caller, account.id, cookies=cookies)
    checked = await house.sign_ins.check(caller, account.id)
    assert (checked.status, checked.error_code) == ("error", "AUTHENTICATION_FAILED")


@pytest.mark.parametrize("era", ["legacy", MODERN])
async def test_a_tool_call_has_its_account_signed_in_by_the_clients_user_and_goes_on(
    house: House, secret: str, account: Account, page: Page, era: str
) -> None:
    signing_in: list[asyncio.Task[None]] = []

    async def sign_in(asked: types.ElicitRequestURLParams) -> None:
        await page.goto(asked.url)
        await page.get_by_label("code").fill(asked.message.rpartition(" ")[2].rstrip("."))
        await page.get_by_role("button", name="Go on").click()
        await page.wait_for_url("**/sign-in/*")
        await log_in(page, await open_browser(page, house, account, page.url), "alice")

    async def answer(_context: object, asked: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(asked, types.ElicitRequestURLParams)
        assert f"'{account.name}' must be signed in to" in asked.message
        signing_in.append(asyncio.create_task(sign_in(asked)))
        return types.ElicitResult(action="accept")

    async with connected(f"{house.public_url}/mcp", secret, era, elicitation_callback=answer) as client:
        post = {"accountName": account.name, "text": f"Signed in over MCP, {era}"}
        result = await client.call_tool("demo_createPost", post)
    assert told(result)["status"] == "completed", result
    assert len(signing_in) == 1
    row = await house.account_store.get(account.id)
    assert row is not None
    assert row.identity == "alice"


async def test_a_client_that_cannot_ask_gets_the_link_in_words(house: House, secret: str, account: Account) -> None:
    async with connected(f"{house.public_url}/mcp", secret) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": account.name, "text": "Not yet"})
    assert answer.is_error
    link = next(word for word in text_of(answer).split() if "/sign-in/" in word)
    async with httpx.AsyncClient() as looker:
        assert "Open the browser" in (await looker.get(link)).text


async def test_a_question_that_the_client_could_not_put_after_all_is_put_in_words(
    house: House, secret: str, account: Account
) -> None:
    async def fail(_context: object, _params: types.ElicitRequestParams) -> types.ErrorData:
        return types.ErrorData(code=types.INTERNAL_ERROR, message="There is no window to ask in.")

    async with connected(f"{house.public_url}/mcp", secret, "legacy", elicitation_callback=fail) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": account.name, "text": "Not yet"})
    assert "Ask the user to open http" in text_of(answer)


async def test_a_user_who_does_not_want_to_sign_in_is_not_asked_twice(
    house: House, secret: str, account: Account
) -> None:
    asked: list[object] = []

    async def decline(_context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params)
        return types.ElicitResult(action="decline")

    async with connected(f"{house.public_url}/mcp", secret, elicitation_callback=decline) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": account.name, "text": "Not yet"})
    assert "did not want to sign in" in text_of(answer)
    assert len(asked) == 1
