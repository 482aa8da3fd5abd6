"""What becomes of a lite task that the site checks for robots."""

from __future__ import annotations

import pytest

from agent.cdp import Cdp
from agent.prompts import PromptAnswer, Prompts
from agent.screencast import Screen
from tests.agent.conftest import Notebook, eventually
from tests.agent.lite.practice import Practice, fault
from tests.agent.platforms.stage import unheard
from tools.errors import (
    ChallengeRequired,
)

pytestmark = pytest.mark.anyio


async def test_a_person_solves_a_challenge_and_the_run_goes_on(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")
    login = practice.login()

    async def person() -> None:
        for session in practice.site.sessions.values():
            session.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, login=login, text="I am a person")
    assert practice.site.published[-1].text == "I am a person"
    assert [reason for reason, _ in desk.asked] == ["challenge"]
    assert [step.kind for step in desk.steps].count("person") == 1
    shown = next(step for step in desk.steps if step.kind == "person")
    assert shown.url.partition("?")[0] == f"{practice.origin}/challenge"
    assert shown.screenshot


async def test_a_dialog_waits_for_the_person_for_whom_the_run_stands_still(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")
    answers: list[bool] = []

    async def person() -> None:
        window = desk.windows[-1]
        assert window
        screen = Screen(window)
        async with screen.watched():
            await screen.next(-1)
            assert screen.tab
            prompts = Prompts(screen, lambda: None)
            await prompts.begin()
            question = {"expression": "confirm('Is it you?')", "returnByValue": True}
            asking = await screen.cdp.post("Runtime.evaluate", question, screen.tab.session)
            await eventually(lambda: bool(prompts.pending))
            await prompts.answer(prompts.pending[0].id, PromptAnswer(accept=True))
            answers.append((await asking)["result"]["value"])
            await prompts.end()
        await screen.close()
        for session in practice.site.sessions.values():
            session.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, login=practice.login(), text="It is me")
    assert answers == [True], "nobody else answered"


ASTRAY = """if (location.pathname === '/compose' && !sessionStorage.astray) {
  sessionStorage.astray = 'yes';
  addEventListener('DOMContentLoaded', () => document.body.remove());
  setTimeout(() => location.replace('/posts/104'), 200);
}"""


async def test_a_page_that_goes_on_by_itself_over_the_one_opened_since_leads_nobody_astray(
    practice: Practice, desk: Notebook
) -> None:
    fault(practice, challenge="pages")
    opened: list[Cdp] = []

    async def person() -> None:
        window = desk.windows[-1]
        assert window
        cdp = await Cdp.open(window.cdp_url, unheard)
        opened.append(cdp)
        targets = (await cdp.call("Target.getTargets"))["targetInfos"]
        (page,) = [one["targetId"] for one in targets if one.get("browserContextId") == window.context_id]
        session = (await cdp.call("Target.attachToTarget", {"targetId": page, "flatten": True}))["sessionId"]
        await cdp.call("Page.enable", None, session)
        await cdp.call("Page.addScriptToEvaluateOnNewDocument", {"source": ASTRAY}, session)
        for one in practice.site.sessions.values():
            one.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, text="Not led astray")
    assert practice.site.counts["Not led astray"] == 1
    assert any("led to" in str(step.results) for step in desk.steps)
    await opened[0].close()


async def test_a_challenge_at_the_act_itself_is_solved_and_the_act_repeated_once(
    practice: Practice, desk: Notebook
) -> None:
    fault(practice, challenge="acts")

    async def person() -> None:
        for session in practice.site.sessions.values():
            session.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, text="Asked at the door")
    assert practice.site.counts["Asked at the door"] == 1
    assert desk.armed == 2


async def test_a_challenge_that_nobody_solves_ends_the_task(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")
    before = practice.site.counts.total()
    with pytest.raises(ChallengeRequired):
        await practice.do("createPost", desk, text="Nobody there")
    assert practice.site.counts.total() == before
    assert desk.steps[-1].kind == "person"


async def test_a_challenge_that_comes_back_again_and_again_ends_the_task(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")

    async def idle() -> None:
        return

    desk.on_ask = idle
    with pytest.raises(ChallengeRequired, match="came back 3 times"):
        await practice.do("createPost", desk, text="Nobody solves it")
    assert len(desk.asked) == 3
