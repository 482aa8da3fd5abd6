"""Each tool's run by the lite engine over a hand-written script of the same automation library, on the replica of its platform.

Both do the same: a fresh context with the stored login on a warm Chromium, the same pages and clicks, the site's answer listened for,
the post read back on its own page. The engine also takes a JPEG of each stage; the script is measured with and without. They take
turns, so that a busy machine slows all three.

    python -m benchmarks.platforms [rounds]
"""

# ruff: noqa: D102  # the scripts are named after the tools that they do by hand
from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from agent.chromium import Chromium, find_chromium
from agent.engine import Assignment, Login, Options
from agent.lite.engine import LiteEngine
from agent.origins import Origins
from tests.replicas.eastmoney import Eastmoney
from tests.replicas.replica import Replica, serving
from tests.replicas.tonghuashun import Tonghuashun
from tests.replicas.twitter import Twitter
from tests.replicas.xueqiu import Xueqiu
from tools.catalog import catalog

ROUNDS = 10
DIALOG = "[role=dialog][aria-modal=true]"
TEXT = "Measured number"
JACK = "https://x.com/jack/status/20"
ARTICLE = 'article[data-testid=tweet]:has(a[href$="/status/{}"])'

Camera = Callable[[Page], Awaitable[None]]
HEAD = (
    "The engine takes a picture of each stage: the script with pictures does the same (goal 1.1), the one without shows their cost.",
    "",
    "| tool | script with pictures, ms | script without, ms | lite engine, ms | ratio with | ratio without |",
    "|---|---:|---:|---:|---:|---:|",
)
Script = Callable[[Page, str, int, Camera], Awaitable[None]]


class Quiet:
    """A desk that takes every report and asks for nothing."""

    async def progress(self, word: str, percentage: int) -> None: ...

    async def step(self, report: object) -> None: ...

    async def arm(self) -> None: ...

    async def gate(self) -> None: ...

    async def ask(self, reason: str, message: str) -> None:
        raise RuntimeError(f"{reason}: {message}")

    async def keep_login(self, state: Mapping[str, Any]) -> None: ...

    def show(self, window: object) -> None: ...


async def picture(page: Page) -> None:
    await page.screenshot(type="jpeg", quality=60)


async def nothing(page: Page) -> None: ...


async def send_tweet(page: Page, home: str, text: str, shot: Camera) -> None:
    dialog = page.locator(DIALOG)
    await dialog.locator("[data-testid=tweetTextarea_0]").fill(text)
    await shot(page)
    async with page.expect_response(lambda answer: "/CreateTweet" in answer.url) as coming:
        await dialog.locator("[data-testid=tweetButton]").click()
    body = await (await coming.value).json()
    number = body["data"]["create_tweet"]["tweet_results"]["result"]["rest_id"]
    await shot(page)
    await page.goto(f"{home}/i/status/{number}")
    await expect(page.locator(f"{ARTICLE.format(number)} [data-testid=tweetText]").first).to_contain_text(text)
    await shot(page)


async def open_tweet(page: Page, home: str, shot: Camera) -> None:
    await page.goto(f"{home}/i/status/20")
    await page.locator(ARTICLE.format(20)).wait_for()
    await shot(page)


async def create(page: Page, home: str, number: int, shot: Camera) -> None:
    await page.goto(f"{home}/compose/post")
    await page.locator(DIALOG).wait_for()
    await shot(page)
    await send_tweet(page, home, f"{TEXT} {number}", shot)


async def reply(page: Page, home: str, number: int, shot: Camera) -> None:
    await open_tweet(page, home, shot)
    await page.goto(f"{home}/compose/post?in_reply_to=20")
    await page.locator(f"{DIALOG} article[data-testid=tweet]").wait_for()
    await shot(page)
    await send_tweet(page, home, f"{TEXT} {number}", shot)


async def quote(page: Page, home: str, number: int, shot: Camera) -> None:
    await open_tweet(page, home, shot)
    await page.locator(f"{ARTICLE.format(20)} [data-testid$=retweet]").click()
    await page.locator('[role=menuitem][href="/compose/post"]').click()
    await page.locator(f"{DIALOG} [data-testid=User-Name]").wait_for()
    await shot(page)
    await send_tweet(page, home, f"{TEXT} {number}", shot)


async def like(page: Page, home: str, number: int, shot: Camera) -> None:
    await open_tweet(page, home, shot)
    await page.locator(f"{ARTICLE.format(20)} [data-testid=like]").get_attribute("data-testid")
    await shot(page)
    async with page.expect_response(lambda answer: "/FavoriteTweet" in answer.url):
        await page.locator(f"{ARTICLE.format(20)} [data-testid=like]").click()
    await shot(page)
    await page.goto(f"{home}/i/status/20")
    await page.locator(f"{ARTICLE.format(20)} [data-testid=unlike]").wait_for()
    await shot(page)


async def repost(page: Page, home: str, number: int, shot: Camera) -> None:
    await open_tweet(page, home, shot)
    await page.locator(f"{ARTICLE.format(20)} [data-testid=retweet]").get_attribute("data-testid")
    await shot(page)
    await page.locator(f"{ARTICLE.format(20)} [data-testid=retweet]").click()
    async with page.expect_response(lambda answer: "/CreateRetweet" in answer.url):
        await page.locator("[data-testid=retweetConfirm]").click()
    await shot(page)
    await page.goto(f"{home}/i/status/20")
    await page.locator(f"{ARTICLE.format(20)} [data-testid=unretweet]").wait_for()
    await shot(page)


async def xueqiu(page: Page, home: str, number: int, shot: Camera) -> None:
    await page.goto(f"{home}/")
    await page.locator(".fake-placeholder").wait_for()
    await shot(page)
    await page.locator(".fake-placeholder").click()
    await page.locator(".medium-editor-element").wait_for()
    await shot(page)
    await page.locator(".medium-editor-element").fill(f"{TEXT} {number}")
    await shot(page)
    async with page.expect_response(lambda answer: "/statuses/update.json" in answer.url) as coming:
        await page.locator("a.lite-editor__submit:not(.disabled)").click()
    made = await (await coming.value).json()
    await shot(page)
    await page.goto(f"{home}/{made['user_id']}/{made['id']}")
    await expect(page.locator("article .article__bd__detail")).to_contain_text(f"{TEXT} {number}")
    await shot(page)


async def eastmoney(page: Page, home: str, number: int, shot: Camera) -> None:
    await page.goto(f"{home}/list,600519.html")
    await page.locator("form.gbsform").wait_for()
    await shot(page)
    await page.locator("textarea#gbtainput").fill(f"{TEXT} {number}")
    await shot(page)
    async with page.expect_response(lambda answer: "postopt" in answer.url) as coming:
        await page.locator("button.gbsformi3").click()
    made = await (await coming.value).json()
    await shot(page)
    await page.goto(f"{home}/news,600519,{made['main_post_id']}.html")
    await expect(page.locator("#newscontent .newstext")).to_contain_text(f"{TEXT} {number}")
    await shot(page)


async def tonghuashun(page: Page, home: str, number: int, shot: Camera) -> None:
    await page.goto(f"{home}/newcircle/creation/postAll")
    opened = time.monotonic()
    await page.locator("i.icon-editpost-add").wait_for()
    await shot(page)
    await page.locator("i.icon-editpost-add").click()
    await page.locator("input#edui1-title").wait_for()
    await shot(page)
    await page.locator("input#edui1-title").fill(f"{TEXT} {number}")
    await page.frame_locator("iframe#ueditor_0").locator("body").fill(f"{TEXT} {number}")
    await page.locator("a[data-statid]").click()
    await shot(page)
    async with page.expect_response(lambda answer: "publishPost" in answer.url) as coming:
        await page.locator(".button_publish").click()
    made = await (await coming.value).json()
    await shot(page)
    gap = catalog().sites["tonghuashun"].gap
    await asyncio.sleep(max(0.0, gap - (time.monotonic() - opened)))
    await page.goto(f"{home}/pid_{made['result']['pid']}.shtml")
    await expect(page.locator(".post-detail .content")).to_contain_text(f"{TEXT} {number}")
    await shot(page)


SCRIPTS: Mapping[str, tuple[Script, Mapping[str, str]]] = {
    "twitter.createTweet": (create, {"text": TEXT}),
    "twitter.replyTweet": (reply, {"tweetUrl": JACK, "text": TEXT}),
    "twitter.quoteTweet": (quote, {"tweetUrl": JACK, "text": TEXT}),
    "twitter.likeTweet": (like, {"tweetUrl": JACK}),
    "twitter.reTweet": (repost, {"tweetUrl": JACK}),
    "xueqiu.post": (xueqiu, {"text": TEXT}),
    "eastmoney.postWithCode": (eastmoney, {"text": TEXT, "code": "600519"}),
    "tonghuashun.post": (tonghuashun, {"text": TEXT}),
}


async def by_hand(browser: Browser, replica: Replica, script: Script, number: int, shot: Camera) -> float:
    began = time.perf_counter()
    context = await browser.new_context(storage_state=replica.login_state(), viewport={"width": 1280, "height": 960})  # pyright: ignore[reportArgumentType]  # a plain dict of the same shape
    await script(await context.new_page(), replica.origin, number, shot)
    await context.close()
    return time.perf_counter() - began


async def by_engine(engine: LiteEngine, replica: Replica, name: str, given: Mapping[str, str], number: int) -> float:
    tool = catalog().tools[name]
    wanted = {key: f"{value} {number}" if key == "text" else value for key, value in given.items()}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        await engine.carry_out(
            Assignment(
                task_id=f"task_{number}",
                tool=tool,
                site=catalog().sites[tool.platform],
                parameters=tool.parameters.model_validate(wanted),
                options=Options(),
                folder=Path(folder),
                login=Login("acc_1", replica.member, identity=replica.member, state=replica.login_state()),
            ),
            Quiet(),
        )
        return time.perf_counter() - began


async def measure(rounds: int) -> list[str]:
    """The table, line by line."""
    replicas = {replica.platform: replica for replica in (Twitter(), Xueqiu(), Eastmoney(), Tonghuashun())}
    path = find_chromium(None)
    if path is None:
        sys.exit("There is no Chromium: webhand doctor --fix installs one")
    with serving(*replicas.values()), tempfile.TemporaryDirectory() as folder:
        origins = Origins({catalog().sites[name].home: replica.origin for name, replica in replicas.items()})
        engine = LiteEngine(path, Path(folder) / "lite", origins)
        chromium = await Chromium.launch(path, Path(folder) / "script")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.connect_over_cdp(chromium.cdp_url)
            lines = [await compare(engine, browser, replicas[name.partition(".")[0]], name, rounds) for name in SCRIPTS]
            await browser.close()
        await engine.close()
        await chromium.close()
    return [*HEAD, *lines]


async def compare(engine: LiteEngine, browser: Browser, replica: Replica, name: str, rounds: int) -> str:
    """One tool's line: medians of the three ways, which take turns; the first round only warms them up."""
    script, given = SCRIPTS[name]
    times: list[tuple[float, float, float]] = []
    for number in range(rounds + 1):
        replica.reset()
        seen = await by_hand(browser, replica, script, number, picture)
        replica.reset()
        blind = await by_hand(browser, replica, script, number, nothing)
        replica.reset()
        times.append((seen, blind, await by_engine(engine, replica, name, given, number)))
    seen, blind, lite = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return f"| {name} | {seen * 1000:.0f} | {blind * 1000:.0f} | {lite * 1000:.0f} | {lite / seen:.2f} | {lite / blind:.2f} |"


if __name__ == "__main__":
    print("\n".join(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))))
