"""Reading a result back: the stages of a proof, and what the caller gets of the readings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page
from pydantic import ValidationError

from agent.engine import StepReport
from agent.lite.answers import Ear, Refused
from agent.lite.finder import Finder, UnknownReading, shown
from agent.lite.player import Player
from agent.lite.pool import Session
from agent.lite.signs import Lookout
from agent.lite.stages import action
from agent.lite.untrusted import plain
from agent.lite.watch import Detour, Patience, Watch
from agent.origins import Origins
from agent.signs import same
from tools.errors import BrowserFailed, ChallengeRequired, Failure, OutcomeUncertain, PageChanged, PlatformError
from tools.playbook import Playbook, Stage
from tools.proof import Proof
from tools.site import Site
from tools.tool import AnyTool, Parameters

PICTURE_MS = 5000.0
Report = Callable[[StepReport], Awaitable[None]]


async def play_proof(
    page: Page,
    tool: AnyTool,
    parameters: Parameters,
    readings: Mapping[str, str],
    site: Site,
    origins: Origins,
    *,
    patience: Patience | None = None,
    report: Report | None = None,
    identity: str | None = None,
) -> dict[str, Any]:
    """Plays a tool's proof on a page of the same login, and answers the result as its model has it.

    For a run that was played by others: `readings` are what is known already, `report` is told each stage as a step, `identity` is
    who was logged in.
    Raises OutcomeUncertain where a tool that writes is not proved, and the failure itself for one that only reads.
    """
    session = cast("Session", await page.context.new_cdp_session(page))
    lookout = Lookout(page, site, origins)
    watch = Watch(
        page,
        site,
        lookout,
        patience=patience or Patience(),
        session=session,
        acted=tool.writes,
        identity=identity,
    )
    at = Finder(watch, origins, readings, None)
    at.went_at = asyncio.get_running_loop().time()  # others have loaded pages until now
    ear = Ear(page.context, origins)
    player = Player(at, ear)

    async def play(stages: Playbook) -> None:
        for stage in stages:
            if stage.unless in at.readings or (stage.skip_if is not None and await at.shows(stage.skip_if)):
                continue
            began = time.monotonic()
            actions: list[Mapping[str, Any]] = []
            stopped: str | None = None
            try:
                for move in stage.moves:
                    actions.append(action(move, at))
                    await player.play(move)
            except (Failure, Refused, Detour) as reason:
                stopped = str(reason)
                raise
            finally:
                if report is not None:
                    await report(await seen(page, stage, actions, stopped, began))

    try:
        return await prove(tool, parameters, at, play)
    finally:
        ear.close()


async def seen(
    page: Page, stage: Stage, actions: Sequence[Mapping[str, Any]], stopped: str | None, began: float
) -> StepReport:
    """A stage of a proof as a step, with how the page looks now."""
    picture, title = None, ""
    with suppress(PlaywrightError):
        picture = await page.screenshot(type="jpeg", quality=60, timeout=PICTURE_MS)
        title = plain(await page.title())
    return StepReport(
        next_goal=stage.goal,
        evaluation_previous_goal="The agent ended its work: now its result is read back.",
        url=page.url,
        title=title,
        actions=tuple(actions),
        results=() if stopped is None else ({"stopped": stopped},),
        duration_ms=round(1000 * (time.monotonic() - began)),
        screenshot=picture,
    )


async def prove(
    tool: AnyTool,
    parameters: Parameters,
    at: Finder,
    play: Callable[[Playbook], Awaitable[None]],
    lost: Failure | None = None,
) -> dict[str, Any]:
    """Plays the proof with `play`, more than once where need be, and answers the result.

    `lost`: why it is not known whether the publishing act took effect. Raises OutcomeUncertain once the act went out.
    """
    proof = tool.proof(parameters) if tool.proof is not None else Proof(stages=())
    if not proof.stages and lost is not None:
        raise uncertain(lost, at)
    tries = at.watch.patience.proofs if at.watch.acted else 1
    for left in reversed(range(tries)):
        try:
            await play(proof.stages)
            check_author(proof, at)
            return result(tool, proof, at)
        except (Failure, Refused, Detour) as stopped:
            failure = as_failure(stopped)
            if not at.watch.acted:
                raise failure from None
            if not left or isinstance(failure, BrowserFailed) or isinstance(failure.__cause__, UnknownReading):
                raise uncertain(lost or failure, at) from None
        await asyncio.sleep(at.watch.patience.between_proofs)
    raise AssertionError  # the last try returns or raises


def check_author(proof: Proof, at: Finder) -> None:
    """Raises PlatformError where what was read back is somebody else's."""
    author, member = at.readings.get(proof.by or ""), at.watch.identity
    if author and member and not same(author, member):
        shown_as, own = plain(author, 60), plain(member, 60)
        raise PlatformError(f"{at.watch.site.name} shows it as published by {shown_as}, not by {own}")


def as_failure(stopped: Failure | Refused | Detour) -> Failure:
    """What stopped a proof, as a failure."""
    if isinstance(stopped, Refused):
        return stopped.failure
    return ChallengeRequired(str(stopped)) if isinstance(stopped, Detour) else stopped


def uncertain(failure: Failure, at: Finder) -> OutcomeUncertain:
    """The act went out and nothing proves what came of it."""
    url = shown(at.page.url)
    return OutcomeUncertain(
        f"It may have been done, but no proof of it came back: look at {url} before you try again. ({failure.message})",
        details={"cause": failure.code, "url": url},
    )


def result(tool: AnyTool, proof: Proof, at: Finder) -> dict[str, Any]:
    """The result that the proof describes, without what was never read. Raises PageChanged where its model refuses it."""
    values: dict[str, str] = {}
    for name, text in proof.result.items():
        try:
            values[name] = at.text(text)
        except UnknownReading:
            continue
    if tool.proof is None:
        known = {name for field, info in tool.result.model_fields.items() for name in (field, info.alias) if name}
        values = {"output": tool.summary} | {name: text for name, text in at.readings.items() if name in known}
    return as_result(tool, values)


def as_result(tool: AnyTool, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the tool's result model writes them."""
    try:
        return tool.result.model_validate(dict(values)).model_dump(mode="json", by_alias=True, exclude_none=True)
    except ValidationError as error:
        wrong = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
        raise PageChanged(f"The site did not say what the result needs: {wrong}") from None
