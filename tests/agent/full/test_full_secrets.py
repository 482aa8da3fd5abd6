"""Secrets reach the fields they are made for, and nothing else: no prompt, step, result, log or file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyotp
import pytest

from agent.engine import Login
from tests.agent.full.board import PASSWORD, WriteNote, write_note
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import Act, Scene, acts, done
from tools.browser.run_task import RunTask
from tools.errors import AgentFailed, InvalidParameters

pytestmark = pytest.mark.anyio

TOTP = "JBSWY3DPEHPK3PXP"
LOGIN = Login(
    "acc_1", "mine", credentials={"username": "member@board.example", "password": PASSWORD, "totp_secret": TOTP}
)


def spellings(secret: str) -> set[str]:
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def fill_in(scene: Scene) -> list[Act]:
    return [
        acts("input", index=scene.index("input", aria_label="User"), text="<secret>account_username</secret>"),
        acts("input", index=scene.index("input", type="password"), text="<secret>account_password</secret>"),
        acts("input", index=scene.index("input", aria_label="Code"), text="<secret>account_code</secret>"),
        acts("click", index=scene.index("button")),
    ]


async def test_a_login_leaves_its_secrets_nowhere(
    stage: Stage, desk: RecordingDesk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = f"{stage.url}/text?say={quote(PASSWORD, safe='')}"
    with pytest.raises(AgentFailed) as failed:
        await stage.play(
            acts("navigate", url=f"{stage.url}/login"),
            fill_in,
            acts("navigate", url=echo),
            acts("extract", query="everything"),
            acts("find_text", text=PASSWORD),
            done(f"The password is {PASSWORD}.", success=False),
            tool=write_note,
            parameters=WriteNote(text="x"),
            login=LOGIN,
            desk=desk,
        )
    (sent,) = stage.journal.sent
    assert (sent["user"], sent["word"]) == ("member@board.example", PASSWORD)
    assert pyotp.TOTP(TOTP).verify(sent["code"], valid_window=2)
    assert len(stage.model.requests) >= 5
    out, err = capfd.readouterr()
    written = contents(stage.folder)
    everything = {
        "prompts": b"".join(stage.model.requests),
        "steps": "".join(str(step) for step in desk.steps).encode(),
        "failure": failed.value.message.encode(),
        "logs": (caplog.text + out + err).encode(),
        "files": b"".join(written),
    }
    for place, content in everything.items():
        for secret in (PASSWORD, TOTP):
            assert not [s for s in spellings(secret) if s.encode() in content], f"a secret is in the {place}"
    assert b"member@board.example" not in everything["prompts"]
    assert b"<secret>account_password</secret>" in everything["prompts"]
    stage.journal.sent.clear()


async def test_what_was_typed_is_masked_on_the_page(stage: Stage, desk: RecordingDesk) -> None:
    def masked(scene: Scene) -> Act:
        return acts("find_elements", selector="input[name=user]", attributes=["style"])

    with pytest.raises(AgentFailed):
        await stage.play(
            acts("navigate", url=f"{stage.url}/login"),
            lambda scene: fill_in(scene)[0],
            masked,
            done("Fine", success=False),
            tool=write_note,
            parameters=WriteNote(text="x"),
            login=LOGIN,
            desk=desk,
        )
    assert "-webkit-text-security: disc" in desk.steps[2].results[0]["text"]


async def test_the_model_is_told_of_a_secret_only_on_its_own_site(stage: Stage) -> None:
    elsewhere = stage.url.replace("127.0.0.1", "localhost")
    await stage.play(
        acts("navigate", url=f"{elsewhere}/login"),
        acts("navigate", url=f"{stage.url}/login"),
        done("Fine"),
        parameters=None,
        secrets={"door_code": "7766554433"},
    )
    on_elsewhere, on_site = stage.model.requests[1], stage.model.requests[2]
    assert b"door_code" in on_site
    assert b"door_code" not in on_elsewhere


async def test_secrets_of_a_task_without_a_site_are_refused(stage: Stage, desk: RecordingDesk) -> None:
    with pytest.raises(InvalidParameters, match="allowed_domains"):
        await stage.play(
            done(), parameters=RunTask(task="Log in where you like"), secrets={"x_pass": "s3cret-value"}, desk=desk
        )
    assert desk.windows == []


async def test_a_stored_login_is_put_in_and_taken_out_again(stage: Stage) -> None:
    expires = round(time.time()) + 86400.5
    state = {
        "cookies": [{"name": "who", "value": "stored", "domain": "127.0.0.1", "path": "/", "expires": expires}],
        "origins": [{"origin": stage.url, "localStorage": [{"name": "mark", "value": "old"}]}],
    }
    outcome = await stage.play(
        acts("navigate", url=f"{stage.url}/storage"),
        acts("navigate", url=f"{stage.url}/me"),
        lambda scene: done(scene.text),
        login=Login("profile_1", "mine", state=state),
        save_browser_data=True,
    )
    assert "You are stored" in outcome.result["output"]
    assert outcome.login_state is not None
    (cookie,) = outcome.login_state["cookies"]
    assert (cookie["value"], cookie["expires"], cookie["sameSite"]) == ("stored", expires, "Lax")
    assert outcome.login_state["origins"] == [
        {"origin": stage.url, "localStorage": [{"name": "mark", "value": "new-old"}]}
    ]
    assert outcome.cookies == outcome.login_state["cookies"]


async def test_the_key_of_the_model_is_sent_to_the_model_alone(stage: Stage, desk: RecordingDesk) -> None:
    stage.model.api_key = "sk-test-model-key"
    try:
        await stage.play(done("Fine"), desk=desk)
    finally:
        stage.model.api_key = None
    assert b"sk-test-model-key" not in b"".join(stage.model.requests)
