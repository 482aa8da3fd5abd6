"""The OpenAPI documents: valid, whole, true to what is sent, and shown without asking anybody else."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
import uvicorn
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from playwright.async_api import async_playwright
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.routing import Mount

from agent.installed import find_chromium
from server import npm
from server.rest.apis import CLOUD_EXTRA, build_documents, tasks_api
from server.rest.browserman import answers, inputs, views
from server.rest.browserman.webhooks import DeliveryView, WebhookView, delivery_view, webhook_view
from server.rest.endpoint import Endpoint, routes
from server.rest.openapi import implied
from server.rest.platforms import request_example
from server.rest.reference import ROUTES
from storage.states import TaskState
from storage.tables import Account, Delivery, Task, Webhook
from tests.person import FLAGS
from tools.catalog import catalog
from tools.errors import BodyTooLarge, Unauthorized

pytestmark = pytest.mark.anyio
DOCUMENTED = Path(__file__).parents[1] / "documents" / "browserman"
PAGES = Path(__file__).parents[2] / "server" / "pages" / "docs"
MOMENT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    made = build_documents(catalog(), "0.1.0", "https://webhand.example")
    return {
        "everything": json.loads(made.everything.content),
        "cloud": json.loads(made.cloud.content),
        "platforms": json.loads(made.platforms.content),
    }


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def check(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> None:
    """The value fits the schema, whose references lead into the document."""
    validator: Any = Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(value)


def test_each_document_is_valid_openapi(documents: dict[str, Any]) -> None:
    for document in documents.values():
        OpenAPIV31SpecValidator(document).validate()
        assert document["openapi"] == "3.1.0"
        assert document["servers"] == [{"url": "https://webhand.example"}]


@pytest.mark.parametrize(
    "wanted",
    [
        *("POST /api/tasks", "GET /api/tasks", "GET /api/tasks/{task_id}", "DELETE /api/tasks/{task_id}"),
        *("POST /api/webhooks", "GET /api/platforms", "GET /api/platforms/schema", "GET /api/platforms/{platform_id}"),
        *("GET /api/accounts", "GET /api/accounts/{account_id}", "DELETE /api/accounts/{account_id}"),
        *("POST /api/v1/run-task", "GET /api/v1/task/{task_id}", "GET /api/v1/task/{task_id}/status"),
        *("PUT /api/v1/stop-task", "PUT /api/v1/pause-task", "PUT /api/v1/resume-task", "GET /api/v1/tasks"),
        *(
            "GET /api/v1/task/{task_id}/media",
            "GET /api/v1/task/{task_id}/screenshots",
            "GET /api/v1/task/{task_id}/gif",
        ),
        *("GET /api/v1/task/{task_id}/output-file/{file_name}", "POST /api/v1/uploads/presigned-url"),
        *("POST /api/v1/scheduled-task", "GET /api/v1/scheduled-tasks", "GET /api/v1/scheduled-task/{task_id}"),
        *("PUT /api/v1/scheduled-task/{task_id}", "DELETE /api/v1/scheduled-task/{task_id}"),
        *("POST /api/v1/browser-profiles", "GET /api/v1/browser-profiles", "GET /api/v1/browser-profiles/{profile_id}"),
        *("PUT /api/v1/browser-profiles/{profile_id}", "DELETE /api/v1/browser-profiles/{profile_id}"),
        *("POST /api/v1/delete-browser-profile-for-user", "GET /api/v1/balance", "GET /api/v1/me", "GET /api/v1/ping"),
        *("POST /api/v1/simple-search", "POST /api/v1/search-url"),
    ],
)
def test_every_documented_endpoint_is_there(documents: dict[str, Any], wanted: str) -> None:
    assert wanted in {f"{method} {path}" for method, path, _ in operations(documents["everything"])}
    if wanted.partition(" ")[2].startswith("/api/v1"):
        assert wanted in {f"{method} {path}" for method, path, _ in operations(documents["cloud"])}


def test_cloud_generators_find_only_cloud_in_their_document(documents: dict[str, Any]) -> None:
    assert all(path.startswith("/api/v1/") for path in documents["cloud"]["paths"])
    assert set(documents["cloud"]["webhooks"]) == {"agent.task.status_update"}


def test_operations_have_names_of_their_own_an_answer_and_a_summary(documents: dict[str, Any]) -> None:
    for document in documents.values():
        names = [operation["operationId"] for _, _, operation in operations(document)]
        assert len(names) == len(set(names))
        for _, path, operation in operations(document):
            assert operation["summary"], path
            assert any(status.startswith("2") for status in operation["responses"]), path


def test_every_answer_and_request_says_what_it_holds(documents: dict[str, Any]) -> None:
    for method, path, operation in operations(documents["everything"]):
        [good] = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        for content in good["content"].values():
            schema = content.get("schema", {})
            data = schema.get("properties", {}).get("data", schema)
            assert data not in ({}, {"type": "null"}), f"{method} {path}"


def test_every_example_fits_its_own_schema(documents: dict[str, Any]) -> None:
    checked = 0
    for document in documents.values():
        calls = [operation for methods in document.get("webhooks", {}).values() for operation in methods.values()]
        for operation in [*(operation for _, _, operation in operations(document)), *calls]:
            parts = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (content for part in parts for content in part.get("content", {}).values()):
                for example in content.get("examples", {}).values():
                    check(document, content["schema"], example["value"])
                    checked += 1
    assert checked > 100


def test_what_fails_on_every_call_is_listed_with_the_status_that_is_really_sent(documents: dict[str, Any]) -> None:
    responses = documents["everything"]["paths"]["/api/tasks"]["post"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "404", "409", "413", "415", "429", "500", "503"}
    assert "ACCOUNT_NOT_FOUND" in responses["404"]["content"]["application/json"]["examples"]
    assert all("Retry-After" in responses[status]["headers"] for status in ("429", "503"))
    assert "422" in documents["cloud"]["paths"]["/api/v1/run-task"]["post"]["responses"]
    assert documents["everything"]["paths"]["/api/v1/ping"]["get"]["security"] == []


def test_a_key_is_asked_for_exactly_where_the_route_asks_for_one() -> None:
    for endpoint in tasks_api().endpoints:
        assert (Unauthorized in implied(endpoint)) is (endpoint.scope is not None)
        assert (BodyTooLarge in implied(endpoint)) is (endpoint.body is not None)


def documented() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['name']}")
        for file in sorted(DOCUMENTED.glob("*.json"))
        for case in json.loads(file.read_text())
    ]


@pytest.mark.parametrize("case", documented())
def test_documented_examples_fit_what_we_document(documents: dict[str, Any], case: dict[str, Any]) -> None:
    document = documents["everything"]
    if "call" in case:
        call = document["webhooks"][case["call"]["event"]]["post"]
        check(document, call["requestBody"]["content"]["application/json"]["schema"], case["call"])
        return
    found = operation_of(document, case["method"], case["path"])
    if found is None:  # a path that does not exist
        assert case["status"] == 404
        return
    if "request" in case:
        check(document, found["requestBody"]["content"]["application/json"]["schema"], case["request"])
    schema = found["responses"][str(case["status"])]["content"]["application/json"]["schema"]
    strict = {"components": narrowed(document["components"])}
    check(strict, narrowed(schema), case["response"])


def operation_of(document: Mapping[str, Any], method: str, path: str) -> dict[str, Any] | None:
    bare = path.partition("?")[0]
    for template, methods in sorted(document["paths"].items(), key=lambda item: "{" in item[0]):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), bare) and method.lower() in methods:
            return methods[method.lower()]
    return None


def narrowed(schema: Any) -> Any:
    """A schema that requires nothing and allows nothing else: documents show fewer members than we send, and none that we don't."""
    if isinstance(schema, list):
        return [narrowed(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    found = {name: narrowed(inner) for name, inner in cast("dict[str, Any]", schema).items()}
    if isinstance(found.get("properties"), dict):
        found.pop("required", None)
        found["additionalProperties"] = False
    return found


def exactly(kind: Any, view: Mapping[str, Any]) -> None:
    """The view has no member that its type does not have, and none that is wrong."""
    assert TypeAdapter(kind).dump_python(TypeAdapter(kind).validate_python(view)) == view


@pytest.mark.parametrize("state", list(TaskState))
def test_what_is_sent_of_a_task_is_what_is_documented(state: TaskState) -> None:
    task = Task(
        id="task_abc123",
        owner="alice",
        dialect="browserman",
        platform="twitter",
        tool="createTweet",
        effect="publish",
        writes=True,
        account_id="acc_abc123",
        account_name="my-twitter",
        parameters={"text": "Hello World!"},
        engine="lite",
        timeout_ms=120_000,
        state=state,
        pause_reason="challenge" if state is TaskState.PAUSED else None,
        pause_message="Solve it" if state is TaskState.PAUSED else None,
        created_at=MOMENT,
        started_at=MOMENT if state is not TaskState.PENDING else None,
        finished_at=MOMENT + timedelta(seconds=13) if state.final else None,
        result={"output": "Done", "tweetId": "1"} if state is TaskState.COMPLETED else None,
        error={"code": "RATE_LIMITED", "message": "no", "retryAfter": 9} if state is TaskState.FAILED else None,
    )
    exactly(answers.TaskDetail, views.task_view(task, position=3, live_url="https://webhand.example/live/token"))
    exactly(answers.TaskItem, views.list_item(task))
    if state is TaskState.CANCELLED:
        exactly(answers.Cancelled, views.cancelled_view(task))


def test_what_is_sent_of_everything_else_is_what_is_documented() -> None:
    account = Account(id="a", owner="alice", platform="twitter", name="n", auth_method="cookies", created_at=MOMENT)
    exactly(answers.Account, views.account_view(account))
    account.status, account.error_code, account.error_message = "error", "AUTHENTICATION_FAILED", "no"
    account.last_used_at, account.identity = MOMENT, "me"
    exactly(answers.Account, views.account_view(account, sign_in_url="https://webhand.example/sign-in/token"))
    for name in catalog().sites:
        exactly(answers.Platform, views.platform_view(catalog(), name))
        exactly(answers.PlatformDetail, views.platform_detail(catalog(), name))
    exactly(answers.Filters, inputs.parsed(inputs.ListTasks, {}).echo())
    webhook = Webhook(
        id="w", owner="alice", dialect="cloud", url="https://x", events=["e"], secret=b"", created_at=MOMENT
    )
    exactly(WebhookView, webhook_view(webhook, secret="s"))
    webhook.failing_since = webhook.disabled_at = MOMENT
    webhook.disabled_reason = "no"
    exactly(WebhookView, webhook_view(webhook))
    delivery = Delivery(id="d", webhook_id="w", event="e", body="{}", created_at=MOMENT)
    exactly(DeliveryView, delivery_view(delivery))
    delivery.task_id, delivery.status_code, delivery.error = "t", 500, "HTTP 500"
    delivery.next_at = delivery.delivered_at = MOMENT
    exactly(DeliveryView, delivery_view(delivery))
    exactly(answers.Refused, answers.refused(Unauthorized))


def test_the_platforms_document_holds_every_action_of_the_catalogue(documents: dict[str, Any]) -> None:
    document = documents["platforms"]
    body = document["paths"]["/api/tasks"]["post"]["requestBody"]["content"]["application/json"]
    for tool in catalog().tools.values():
        schemas = document["components"]["schemas"]
        assert {f"{tool.mcp_name}_{part}" for part in ("request", "parameters", "result")} <= set(schemas)
        check(document, body["schema"], request_example(tool))
    tweet = document["components"]["schemas"]["twitter_createTweet_parameters"]
    assert {"text", "preferredEngine"} <= set(tweet["properties"])


async def handler(_request: Any) -> Any:
    raise AssertionError


def an_endpoint(method: Any, path: str) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, scope=None, summary="x")


def test_fixed_paths_come_before_those_with_a_parameter_and_a_path_has_one_route() -> None:
    made = routes([an_endpoint("GET", "/a/{id}"), an_endpoint("GET", "/a/b"), an_endpoint("DELETE", "/a/{id}")])
    assert [route.path for route in made] == ["/a/b", "/a/{id}"]
    assert made[1].methods == {"GET", "HEAD", "DELETE"}
    with pytest.raises(ValueError, match="listed twice"):
        routes([an_endpoint("GET", "/a"), an_endpoint("GET", "/a")])


@pytest.fixture
async def reference() -> AsyncGenerator[str]:
    """The reference and the documents, served."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    state = {"documents": build_documents(catalog(), "0.1.0", "https://webhand.example")}
    inner = Starlette(routes=[Mount("/api/v1", routes=routes(CLOUD_EXTRA)), *ROUTES])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope | {"state": state}, receive, send)

    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        yield url
        server.should_exit = True
    listener.close()


async def test_documents_are_served_and_not_sent_again_to_those_who_have_them(reference: str) -> None:
    async with httpx.AsyncClient(base_url=reference) as client:
        for path in ("/openapi.json", "/api/v1/openapi.json"):
            first = await client.get(path)
            assert first.headers["content-type"] == "application/json"
            assert first.json()["openapi"] == "3.1.0"
            again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


async def test_the_page_shows_every_operation_and_asks_no_other_server(
    reference: str, documents: dict[str, Any]
) -> None:
    chromium = find_chromium(None)
    assert chromium, "these tests need a Chromium: webhand doctor --fix installs one"
    assert npm.SWAGGER_UI.present(), "Swagger UI is not there: python server/npm.py"
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.goto(f"{reference}/docs?document=cloud")
        shown = page.locator(".opblock-tag-section .opblock")
        await shown.first.wait_for()
        assert await shown.count() == len(list(operations(documents["cloud"])))
        await browser.close()
    assert complaints == []
    assert all(url.startswith((reference, "data:")) for url in asked), asked


def test_the_page_names_no_other_server() -> None:
    for file in PAGES.iterdir():
        assert not re.search(r"https?://", file.read_text()), file
