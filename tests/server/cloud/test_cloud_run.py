"""POST /run-task: every field does what it says, and what cannot be is refused in the documented words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.engine import Assignment, Desk, Outcome, StepReport, Viewport
from tests.agent.conftest import served
from tests.server.cloud.stage import Stage, begun, ran, staged

pytestmark = pytest.mark.anyio
NULLABLE = (
    "secrets",
    "allowed_domains",
    "browser_profile_id",
    "save_browser_data",
    "structured_output_json",
    "llm_model",
    "use_adblock",
    "use_proxy",
    "proxy_country_code",
    "highlight_elements",
    "included_file_names",
    "browser_viewport_width",
    "browser_viewport_height",
    "max_agent_steps",
    "enable_public_share",
    "metadata",
)


async def complaint(client: httpx.AsyncClient, **fields: Any) -> tuple[list[str | int], str, str]:
    """Where, what and of which type the first complaint about a request is."""
    answer = await client.post("/run-task", json={"task": "Report the title", **fields})
    assert answer.status_code == 422, answer.text
    first = answer.json()["detail"][0]
    assert first.keys() == {"loc", "msg", "type"}
    return first["loc"], first["msg"], first["type"]


async def test_a_task_alone_gets_the_documented_defaults(stage: Stage, client: httpx.AsyncClient) -> None:
    answer = await client.post("/run-task", json={"task": "Report the title"})
    assert (answer.status_code, list(answer.json())) == (200, ["id"])
    task = await stage.became(answer.json()["id"], lambda task: task.state.final)
    options = stage.assignment(task.id).options
    assert (options.viewport, options.max_steps) == (Viewport(1280, 960), 75)
    assert options.highlight_elements is options.use_adblock is True
    assert options.save_browser_data is options.record is False
    assert options.proxy is options.model is options.allowed_domains is options.structured_output is None
    assert (task.dialect, task.platform, task.tool, task.share_token) == ("cloud", "browser", "runTask", None)


async def test_null_means_the_default_and_unknown_members_are_ignored(stage: Stage, client: httpx.AsyncClient) -> None:
    plain = await ran(client, "Report the title")
    nulls = await ran(client, "Report the title", **dict.fromkeys(NULLABLE), max_steps=3, model="gpt-4o", whatever=[1])
    assert (await stage.task(nulls)).options == (await stage.task(plain)).options


async def test_every_option_reaches_the_engine(stage: Stage, client: httpx.AsyncClient) -> None:
    task_id = await ran(
        client,
        "Report the title",
        allowed_domains=["Example.com", "*.example.org", "https://bücher.example/"],
        browser_viewport_width=800,
        browser_viewport_height=600,
        max_agent_steps=200,
        highlight_elements=False,
        use_adblock=False,
        save_browser_data=True,
        llm_model="my-own-model",
        structured_output_json='{"type": "object", "properties": {"title": {"type": "string"}}}',
        secrets={"password": "open sesame"},
    )
    given = stage.assignment(task_id)
    options = given.options
    assert options.allowed_domains == ("example.com", "*.example.org", "xn--bcher-kva.example")
    assert (options.viewport, options.max_steps) == (Viewport(800, 600), 200)
    assert options.highlight_elements is options.use_adblock is False
    assert options.save_browser_data is True
    assert options.model == "my-own-model"
    assert options.structured_output == {"type": "object", "properties": {"title": {"type": "string"}}}
    assert given.secrets == {"password": "open sesame"}
    assert (await stage.task(task_id)).timeout_ms == 200 * 20_000, "200 steps need more than ten minutes"


async def test_an_empty_list_of_domains_allows_every_domain(stage: Stage, client: httpx.AsyncClient) -> None:
    assert stage.assignment(await ran(client, allowed_domains=[])).options.allowed_domains is None


async def test_numbers_are_taken_for_texts_where_texts_belong(client: httpx.AsyncClient) -> None:
    task_id = await ran(client, metadata={"order": 42}, secrets={"pin": 1234})
    assert (await client.get(f"/task/{task_id}")).json()["metadata"] == {"order": "42"}


@pytest.mark.parametrize(
    ("fields", "where", "kind"),
    [
        ({"task": None}, "task", "type_error.none.not_allowed"),
        ({"task": ""}, "task", "value_error.any_str.min_length"),
        ({"task": "  "}, "task", "value_error.str.regex"),
        ({"task": ["x"]}, "task", "type_error.str"),
        ({"task": "x" * 32_001}, "task", "value_error.any_str.max_length"),
        ({"task": "nul \0"}, "task", "value_error"),
        ({"max_agent_steps": 201}, "max_agent_steps", "value_error.number.not_le"),
        ({"max_agent_steps": 0}, "max_agent_steps", "value_error.number.not_ge"),
        ({"max_agent_steps": "many"}, "max_agent_steps", "type_error.integer"),
        ({"browser_viewport_width": 10}, "browser_viewport_width", "value_error.number.not_ge"),
        ({"use_adblock": "perhaps"}, "use_adblock", "type_error.bool"),
        ({"allowed_domains": "example.com"}, "allowed_domains", "type_error.list"),
        ({"allowed_domains": ["exa mple"]}, "allowed_domains", "value_error"),
        ({"proxy_country_code": "xx"}, "proxy_country_code", "type_error.enum"),
        ({"proxy_country_code": 1}, "proxy_country_code", "type_error.enum"),
        ({"metadata": {str(n): "x" for n in range(11)}}, "metadata", "value_error"),
        ({"metadata": {"": "x"}}, "metadata", "value_error.any_str.min_length"),
        ({"metadata": {"k" * 101: "x"}}, "metadata", "value_error.any_str.max_length"),
        ({"metadata": {"k": "x" * 1001}}, "metadata", "value_error.any_str.max_length"),
        ({"metadata": {"k": ["x"]}}, "metadata", "type_error.str"),
        ({"secrets": {"k": None}}, "secrets", "type_error.none.not_allowed"),
        ({"secrets": ["k"]}, "secrets", "type_error.dict"),
        ({"structured_output_json": "{no json"}, "structured_output_json", "value_error"),
        ({"structured_output_json": 5}, "structured_output_json", "value_error"),
        ({"structured_output_json": {"type": "object", "required": 1}}, "structured_output_json", "value_error"),
        ({"llm_model": ""}, "llm_model", "value_error.any_str.min_length"),
    ],
)
async def test_what_cannot_be_is_a_422_that_names_the_field(
    client: httpx.AsyncClient, fields: dict[str, Any], where: str, kind: str
) -> None:
    loc, _, found = await complaint(client, **fields)
    assert loc[:2] == ["body", where]
    assert found == kind


async def test_the_documented_words_for_a_field_that_is_missing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/run-task", json={})
    assert answer.json() == {
        "detail": [{"loc": ["body", "task"], "msg": "field required", "type": "value_error.missing"}]
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"{", "value_error.jsondecode"), (b"[]", "type_error.dict"), (b"[" * 50_000, "value_error.jsondecode")],
)
async def test_a_body_that_is_no_object_is_a_422(client: httpx.AsyncClient, body: bytes, kind: str) -> None:
    answer = await client.post("/run-task", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert (answer.json()["detail"][0]["loc"], answer.json()["detail"][0]["type"]) == (["body"], kind)


async def test_half_a_character_is_a_422_and_not_a_defect(client: httpx.AsyncClient) -> None:
    body = b'{"task": "x", "metadata": {"\\ud800": "y"}}'
    answer = await client.post("/run-task", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    body = b'{"task": "x", "structured_output_json": {"type": "number", "maximum": NaN}}'
    answer = await client.post("/run-task", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_secrets_are_sealed_echoed_nowhere_and_gone_with_the_task(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    async def leak(assignment: Assignment, desk: Desk) -> Outcome:
        row = await stage.task(assignment.task_id)
        assert row.secrets is not None
        assert b"open sesame" not in row.secrets
        await desk.step(StepReport("Typed open sesame", "Saw open sesame", "https://example.com/?p=open sesame"))
        return Outcome({"output": "The password is open sesame"})

    stage.actor.acts["leak"] = leak
    task_id = await ran(client, "leak", secrets={"password": "open sesame"})
    assert (await stage.task(task_id)).secrets is None
    for path in (f"/task/{task_id}", "/tasks"):
        assert "open sesame" not in (await client.get(path)).text
    for file in await asyncio.to_thread(lambda: list(stage.house.settings.data.glob("*.db*"))):
        assert b"open sesame" not in await asyncio.to_thread(file.read_bytes)


async def test_a_secret_is_not_repeated_by_a_422(client: httpx.AsyncClient) -> None:
    answer = await client.post("/run-task", json={"task": 1, "secrets": {"password": ["open sesame"]}})
    assert answer.status_code == 422
    assert "sesame" not in answer.text


async def test_cookies_come_back_only_where_asked_for_and_only_to_who_may_write(stage: Stage) -> None:
    async def log_in(assignment: Assignment, desk: Desk) -> Outcome:
        cookies = [{"name": "session", "value": "abc", "domain": "example.com"}]
        kept = cookies if assignment.options.save_browser_data else None
        return Outcome({"output": "in"}, login_state={"cookies": cookies, "origins": []}, cookies=kept)

    stage.actor.acts["log in"] = log_in
    async with (
        stage.caller("write", "read", owner="cookies") as writer,
        stage.caller("read", owner="cookies") as reader,
    ):
        with_data = await ran(writer, "log in", save_browser_data=True)
        without = await ran(writer, "log in")
        data = (await writer.get(f"/task/{with_data}")).json()["browser_data"]
        assert data == {"cookies": [{"name": "session", "value": "abc", "domain": "example.com"}]}
        assert (await writer.get(f"/task/{without}")).json()["browser_data"] is None
        assert (await reader.get(f"/task/{with_data}")).json()["browser_data"] is None


async def test_a_file_must_have_been_uploaded(stage: Stage, client: httpx.AsyncClient) -> None:
    answer = await client.post("/run-task", json={"task": "Read it", "included_file_names": ["orders.csv"]})
    assert answer.status_code == 400
    assert "'orders.csv'" in answer.json()["detail"]


async def test_the_same_idempotency_key_runs_a_task_once(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "order-42"}
    bodies = [{"task": "Buy it"}] * 4
    answers = await asyncio.gather(*(client.post("/run-task", json=body, headers=headers) for body in bodies))
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await client.post("/run-task", json={"task": "Buy two"}, headers=headers)
    assert other.status_code == 409
    assert isinstance(other.json()["detail"], str)


async def test_a_profile_must_be_there(client: httpx.AsyncClient) -> None:
    answer = await client.post("/run-task", json={"task": "x", "browser_profile_id": "profile_of_nobody"})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Browser profile not found"})


async def test_a_share_is_only_made_on_request(client: httpx.AsyncClient) -> None:
    shared = (await client.get(f"/task/{await ran(client, enable_public_share=True)}")).json()["public_share_url"]
    assert len(shared.rpartition("/share/")[2]) == 32
    assert (await client.get(f"/task/{await ran(client)}")).json()["public_share_url"] is None


async def test_a_country_leads_to_the_proxy_that_is_configured_for_it(tmp_path: Path) -> None:
    proxies = {"DE": SecretStr("http://user:geheim@proxy.example:3128")}
    async with staged(tmp_path, proxies=proxies) as stage, stage.caller() as client:
        german = await ran(client, proxy_country_code="DE")
        assert stage.assignment(german).options.proxy == "http://user:geheim@proxy.example:3128"
        assert "geheim" not in json.dumps((await stage.task(german)).options)
        direct = await ran(client, proxy_country_code="de", use_proxy=False)
        assert stage.assignment(direct).options.proxy is None
        assert stage.assignment(await ran(client)).options.proxy is None, "there is none for the default, us"


async def test_a_model_that_the_endpoint_does_not_have_is_replaced_by_the_configured_one(tmp_path: Path) -> None:
    async def models(_request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": "qwen"}, {"id": "gpt-4o"}]})

    async with (
        served(Starlette(routes=[Route("/v1/models", models)])) as origin,
        staged(tmp_path, llm_base_url=f"{origin}/v1", llm_model="qwen") as stage,
        stage.caller() as client,
    ):
        used = [
            stage.assignment(await ran(client, llm_model=name)).options.model
            for name in ("gpt-4o", "o3", "qwen", "qwen-large")
        ]
        assert used == ["gpt-4o", None, None, "qwen-large"]


async def test_a_server_may_know_only_the_documented_models(tmp_path: Path) -> None:
    async with staged(tmp_path, strict_models=True) as stage, stage.caller() as client:
        loc, msg, kind = await complaint(client, llm_model="gemini-3-flash")
        assert (loc, kind) == (["body", "llm_model"], "type_error.enum")
        assert "'gpt-4.1'" in msg
        await begun(client, llm_model="claude-sonnet-4-20250514")


async def test_the_balance_counts_down_by_tasks_and_steps(tmp_path: Path) -> None:
    async with staged(tmp_path, balance=12, enforce_balance=True) as stage, stage.caller() as client:
        assert (await client.get("/balance")).json() == {"balance": 12.0}
        await ran(client)
        assert (await client.get("/balance")).json() == {"balance": 6.0}, "a task costs 1, each of its two steps 2.5"
        await ran(client, llm_model="o3")
        assert (await client.get("/balance")).json() == {"balance": 0.0}, "the configured model did it: no other price"
        answer = await client.post("/run-task", json={"task": "x"})
        assert (answer.status_code, answer.json()) == (402, {"detail": "Insufficient credits"})
        async with stage.caller() as other:
            assert (await other.get("/balance")).json() == {"balance": 12.0}
