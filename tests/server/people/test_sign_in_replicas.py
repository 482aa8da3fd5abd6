"""Signing in to the four platforms, as they are known: on their replicas, with a real second browser as the person."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from server.auth import Caller
from server.house import House
from server.serving import serving
from server.settings import read_settings
from storage.ids import mint
from storage.tables import Account
from tests.replicas.eastmoney import Eastmoney
from tests.replicas.replica import Replica
from tests.replicas.replica import serving as replicating
from tests.replicas.tonghuashun import Tonghuashun
from tests.replicas.twitter import Twitter
from tests.replicas.xueqiu import Xueqiu
from tests.server.people.test_sign_in import PATIENCE_MS, browsers_left, click, open_browser, until
from tools.catalog import catalog

pytestmark = pytest.mark.anyio


@dataclass
class Place:
    """A server for which the replicas are the platforms."""

    house: House
    caller: Caller
    replicas: Mapping[str, Replica]


@pytest.fixture(scope="module")
def replicas() -> Generator[Mapping[str, Replica]]:
    found = {replica.platform: replica for replica in (Twitter(), Xueqiu(), Eastmoney(), Tonghuashun())}
    with replicating(*found.values()):
        yield found


@pytest.fixture(scope="module")
async def place(replicas: Mapping[str, Replica], tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Place]:
    sites = catalog().sites
    origins = {
        origin: replica.origin
        for name, replica in replicas.items()
        for origin in (sites[name].home, "/".join(sites[name].login_url.split("/")[:3]))
    }
    used = read_settings(data=tmp_path_factory.mktemp("house"), port=0, log_level="warning", origins=origins)
    async with serving(used) as house:
        caller = await house.verifier.verify((used.data / "local.key").read_text().strip())
        yield Place(house, caller, replicas)


@pytest.fixture(params=["twitter", "xueqiu", "eastmoney", "tonghuashun"])
async def account(place: Place, request: pytest.FixtureRequest) -> AsyncGenerator[Account]:
    account = await place.house.accounts.create(place.caller, request.param, mint("account"))
    yield account
    await place.house.sign_ins.forget(account.id)  # its browser must not be in the next one's way


async def test_a_person_signs_in_and_the_server_reads_who_they_are(place: Place, page: Page, account: Account) -> None:
    house, member = place.house, place.replicas[account.platform].member
    attempt = await open_browser(page, house, account, await house.sign_ins.begin(place.caller, account.id))
    await click(page, attempt, "[name=member]")
    await page.keyboard.type(member)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=f"You are connected as {member}.")).to_be_visible(timeout=PATIENCE_MS)
    await until(lambda: not browsers_left(house))
    row = await house.accounts.get(place.caller, account.id)
    assert (row.status, row.identity, row.auth_method) == ("active", member, "oauth")
    checked = await house.sign_ins.check(place.caller, account.id)
    assert (checked.status, checked.identity) == ("active", member)
