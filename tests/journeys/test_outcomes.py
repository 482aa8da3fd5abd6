"""How a task on the full engine can end by its agent, its model and its wall: each end as a caller of both dialects reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.journeys.conftest import Running
from tests.scripted_model import Fault, Line, Turn, acts, done, in_turn, scripted_model


@dataclass(frozen=True)
class Outcome:
    """What the model says, and the code that comes of it with what the message tells the caller to do."""

    lines: tuple[Line, ...]
    code: str
    advice: str
    retry_after: int | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])


WAIT = acts("wait", seconds=0)
OUTSIDE = acts("navigate", url="http://elsewhere.example/")
NO_PAGE = acts("navigate", url="chrome://version")
OUTCOMES = {
    "admits it": Outcome((done("There is no such page.", success=False),), "AGENT_FAILED", "look at its steps"),
    "never ends": Outcome(
        (WAIT,), "AGENT_GAVE_UP", "gave up after 2 steps. allow more steps", options={"max_agent_steps": 3}
    ),
    "fails on": Outcome((NO_PAGE,), "AGENT_GAVE_UP", "only http and https pages can be opened. allow more steps"),
    "wrong key": Outcome((Fault(401),), "MODEL_UNAUTHORIZED", "check webhand_llm_api_key"),
    "slow down": Outcome((Fault(429, headers={"Retry-After": "1"}),), "MODEL_RATE_LIMITED", "wait 1 seconds", 1),
    "no credit": Outcome(
        (Fault(429, code="insufficient_quota"),), "MODEL_UNAVAILABLE", "see to the account of its key"
    ),
    "unknown": Outcome((Fault(404),), "MODEL_UNAVAILABLE", "check webhand_llm_model"),
    "overloaded": Outcome((Fault(503, headers={"Retry-After": "0"}),), "MODEL_UNAVAILABLE", "try again later"),
    "too long": Outcome(
        (Fault(400, code="context_length_exceeded"),), "MODEL_CONTEXT_EXCEEDED", "use a model with a larger one"
    ),
    "cut off": Outcome((Turn([done()], finish_reason="length"),), "MODEL_OUTPUT_TRUNCATED", "raise its output limit"),
    "refuses": Outcome((Turn(refusal="I will not."),), "MODEL_REFUSED", "(i will not.): say it differently"),
    "babbles": Outcome((Turn([acts("fly", to="the moon")]),), "MODEL_ERROR", "use another model"),
    "strays": Outcome(
        (OUTSIDE, done("It did not open.", success=False)),
        "BLOCKED_BY_WALL",
        "elsewhere.example, outside its allowed domains: allow it",
        options={"allowed_domains": ["127.0.0.1"]},
    ),
}


@pytest.mark.timeout(200)  # a server and a browser for each outcome on two busy cores
def test_every_end_has_its_code_and_says_what_to_do_in_both_dialects(start: Callable[..., Running]) -> None:
    scripts = {name: in_turn(*outcome.lines) for name, outcome in OUTCOMES.items()}
    with scripted_model({**scripts, "succeeds": in_turn(done("It is done."))}) as (_, base_url):
        server = start(llm_base_url=base_url, llm_model="succeeds", full_slots="2", private_network="true")

        def run(name: str, **options: Any) -> str:
            wish = {"task": f"Do it: {name}", "llm_model": name, "highlight_elements": False, **options}
            answer = server.client.post("/api/v1/run-task", json=wish)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["id"])

        succeeding = run("succeeds")
        running = {name: run(name, **outcome.options) for name, outcome in OUTCOMES.items()}
        assert server.until(succeeding, "completed")["result"]["output"] == "It is done."
        for name, outcome in OUTCOMES.items():
            error = server.until(running[name], "failed")["error"]
            told = server.client.get(f"/api/v1/task/{running[name]}").json()
            assert (name, error["code"], error.get("retryAfter")) == (name, outcome.code, outcome.retry_after)
            assert outcome.advice in error["message"].lower()
            assert (told["status"], told["error"]["code"]) == ("failed", outcome.code)
            assert (told["error"]["message"], told["error"].get("retry_after")) == (
                error["message"],
                outcome.retry_after,
            )
