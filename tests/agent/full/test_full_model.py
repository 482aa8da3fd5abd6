"""What goes wrong with a language model has its own code, asked over real HTTP; how a run ends by it stands beside the outcomes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from agent.full.llm import LanguageModel
from agent.full.wire import ModelChoice
from server.rehearsed_model import RehearsedModel
from tests.scripted_model import Fault, Turn, done, in_turn, scripted_model
from tools.errors import (
    Failure,
    ModelContext,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelTruncated,
    ModelUnauthorized,
    ModelUnavailable,
)

pytestmark = pytest.mark.anyio

PAGE = Fault(200, body="<html>a proxy's page</html>", headers={"content-type": "application/json"})
HOLLOW = Fault(200, body='{"choices": null}', headers={"content-type": "application/json"})
FAULTS: dict[str, tuple[Fault | Turn, type[Failure]]] = {
    "a wrong key": (Fault(401, "Incorrect API key provided"), ModelUnauthorized),
    "no permission": (Fault(403, "You may not"), ModelUnauthorized),
    "an unknown model": (Fault(404, "The model does not exist"), ModelUnavailable),
    "no money": (Fault(402, "Insufficient credits"), ModelUnavailable),
    "an overload": (Fault(503, "overloaded"), ModelUnavailable),
    "a quota used up": (Fault(429, "You exceeded your quota", code="insufficient_quota"), ModelUnavailable),
    "too many requests": (Fault(429, "slow down", headers={"Retry-After": "7"}), ModelRateLimited),
    "a prompt too long": (Fault(400, "too long", code="context_length_exceeded"), ModelContext),
    "a bad request": (Fault(400, "no such parameter"), ModelError),
    "an answer cut off": (Turn([done()], finish_reason="length"), ModelTruncated),
    "a refusal": (Turn(refusal="I will not help with that."), ModelRefused),
    "a filtered answer": (Turn([done()], finish_reason="content_filter"), ModelRefused),
    "no JSON": (PAGE, ModelError),
    "no choices": (HOLLOW, ModelError),
}


@pytest.fixture(scope="module")
async def endpoint() -> AsyncGenerator[
    tuple[RehearsedModel, str]
]:  # async: the client keeps its connections, so one loop for all
    with scripted_model({}) as served:
        yield served


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_goes_wrong_with_the_model_has_its_own_code(
    endpoint: tuple[RehearsedModel, str], fault: str
) -> None:
    said, failure = FAULTS[fault]
    model, base_url = endpoint
    model.scripts = {**model.scripts, fault: in_turn(said)}
    choice = ModelChoice(base_url=base_url, name=fault, api_key="none", retries=0)
    with pytest.raises(Failure) as failed:
        await LanguageModel(choice).ask([{"role": "user", "content": "Go on"}], {"type": "object"})
    assert type(failed.value) is failure, failed.value
    assert failed.value.retry_after == (7 if failure is ModelRateLimited else None)
    assert failed.value.message
