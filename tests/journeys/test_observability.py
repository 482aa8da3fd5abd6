"""What is seen from outside: traces at a collector, and Prometheus' numbers."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.storm import MEMBER, Storm, storm
from tests.server.mcp.client import connected
from tests.server.webhooks.house import Receiver, receiving

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]
REST_TRACE, MCP_TRACE = "a" * 31 + "1", "b" * 31 + "2"
CALLER = "c" * 15 + "3"


@dataclass
class Collector(Receiver):
    """An OTLP receiver: what it was sent, taken apart."""

    def spans(self) -> list[Any]:
        found: list[Any] = []
        for call in self.calls:
            raw = gzip.decompress(call.raw) if call.headers.get("content-encoding") == "gzip" else call.raw
            request = ExportTraceServiceRequest.FromString(raw)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found += scope.spans
        return found

    async def traced(self, trace_id: str) -> list[Any]:
        """The spans of a trace, once its task's own has come (a task's comes after its steps')."""
        while True:
            spans = [span for span in self.spans() if span.trace_id.hex() == trace_id]
            if any(span.name == "demo.createPost" for span in spans):
                return spans
            await asyncio.sleep(0.05)


@dataclass
class Scene:
    world: Storm
    collector: Collector = field(default_factory=Collector)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Scene]:
    async with receiving(Collector()) as collector:
        assert isinstance(collector, Collector)
        base = collector.url.removesuffix("/webhook")
        async with storm(tmp_path_factory.mktemp("storm"), tasks=0, otlp_endpoint=base) as world:
            body = {"platform": "demo", "name": "account-0", "credentials": MEMBER}
            await world.call("POST", "/api/accounts", json=body)
            yield Scene(world, collector)


async def test_a_task_is_a_trace_of_its_callers_and_counts_in_the_metrics(scene: Scene) -> None:
    world = scene.world
    async with connected(f"{world.base}/mcp", world.key) as client:
        arguments = {"accountName": "account-0", "text": "Traced over MCP"}
        meta: Any = {"traceparent": f"00-{MCP_TRACE}-{CALLER}-01"}
        await client.call_tool("demo_createPost", arguments, meta=meta)
    body = {"platform": "demo", "tool": "createPost", "accountName": "account-0", "parameters": {"text": "Traced"}}
    headers = {"traceparent": f"00-{REST_TRACE}-{CALLER}-01"}
    created = await world.call("POST", "/api/tasks", json=body, headers=headers)
    world.created["Traced"] = created["taskId"]
    ended = await world.ended()
    assert ended["Traced"]["state"] == "completed"
    for trace_id in (MCP_TRACE, REST_TRACE):
        spans = await scene.collector.traced(trace_id)
        root = next(span for span in spans if span.name == "demo.createPost")
        assert root.parent_span_id.hex() == CALLER
        # MCP's library has a span of its own for the request, beside the task.
        steps = [span for span in spans if "webhand.step.kind" in {attribute.key for attribute in span.attributes}]
        assert len(steps) >= 2
        assert {step.parent_span_id for step in steps} == {root.span_id}
        assert all(root.start_time_unix_nano <= step.start_time_unix_nano < step.end_time_unix_nano for step in steps)
    assert {call.path for call in scene.collector.calls} == {"/v1/traces"}
    await see_metrics(world)


async def test_a_traceparent_that_is_none_is_left_alone(scene: Scene) -> None:
    world = scene.world
    body = {"platform": "demo", "tool": "createPost", "accountName": "account-0", "parameters": {"text": "Odd"}}
    created = await world.call("POST", "/api/tasks", json=body, headers={"traceparent": "x" * 4000})
    assert created["state"] == "pending"


async def see_metrics(world: Storm) -> None:
    async with httpx.AsyncClient(base_url=world.base) as client:
        text = (await client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    done = ("webhand_tasks", ("engine", "lite"), ("platform", "demo"), ("state", "completed"))
    assert samples[done] == 2
    took = ("webhand_task_duration_seconds_count", ("engine", "lite"), ("platform", "demo"), ("state", "completed"))
    assert samples[took] == 2
    assert samples[("webhand_task_wait_seconds_count", ("engine", "lite"))] == 2
    assert samples[("webhand_workers",)] == 1
    assert samples[("webhand_running", ("engine", "lite"))] == 0
    assert {"webhand_queue_depth", "webhand_queue_age_seconds", "webhand_deliveries"} <= families.keys()
    assert {"webhand_step_duration_seconds", "webhand_model_tokens", "webhand_model_cost_usd"} <= families.keys()
    assert sum(value for name, value in samples.items() if name[0] == "webhand_worker_versions") == 1
