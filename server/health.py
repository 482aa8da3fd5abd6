"""Whether the server lives, whether it can work, and what it counts: /healthz, /readyz and /metrics.

They tell no secrets, so they need no key; put them behind the proxy's own rules where even counts are private.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from server.state import State, reach
from storage.tables import now


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """The database answers and is not a newer Webhand's, and where there is to be a worker, it is there and no other can think it
    dead: else 503.
    """
    state = reach(request)
    workshop = state["workshop"]
    works = workshop is None or (workshop.worker is not None and workshop.worker.holds_lease())
    answers = await state["database"].answers()
    checks = {"database": answers, "version": answers and not await state["database"].outgrown(), "worker": works}
    return JSONResponse(checks, 200 if all(checks.values()) else 503)


async def metrics(request: Request) -> Response:
    """Prometheus' text format: what the rows say now, and what this process has counted."""
    now_registry = CollectorRegistry()
    now_registry.register(_Snapshot(await gauges(reach(request))))
    return Response(generate_latest(now_registry) + generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


async def gauges(state: State) -> Sequence[Metric]:
    """Tasks by state, platform and engine; the queue's depth and age; workers and what runs here."""
    tasks = GaugeMetricFamily("webhand_tasks", "Tasks that are kept.", labels=["state", "platform", "engine"])
    for task_state, platform, engine, count in await state["counts"].by_state():
        tasks.add_metric([task_state, platform, engine], count)
    depth = GaugeMetricFamily("webhand_queue_depth", "Pending tasks.", labels=["engine"])
    age = GaugeMetricFamily("webhand_queue_age_seconds", "Age of the oldest pending task.", labels=["engine"])
    for engine, count, oldest in await state["counts"].waiting():
        depth.add_metric([engine], count)
        age.add_metric([engine], (now() - oldest).total_seconds())
    owed = GaugeMetricFamily("webhand_deliveries", "Webhook deliveries that are kept.", labels=["state"])
    for delivery_state, count in await state["counts"].deliveries():
        owed.add_metric([delivery_state], count)
    workers = GaugeMetricFamily("webhand_workers", "Workers that have shown themselves.")
    workers.add_metric([], await state["counts"].workers())
    versions = GaugeMetricFamily(
        "webhand_worker_versions", "Workers by version: more than one means a rolling upgrade.", labels=["version"]
    )
    for worker_version, count in await state["counts"].versions():
        versions.add_metric([worker_version], count)
    running = GaugeMetricFamily("webhand_running", "Tasks that run in this process.", labels=["engine"])
    workshop = state["workshop"]
    if workshop is not None and workshop.worker is not None:
        for engine, count in workshop.worker.load.items():
            running.add_metric([engine], count)
    return [tasks, depth, age, owed, workers, versions, running]


class _Snapshot:
    """Metrics that were read from the database before Prometheus' synchronous collection."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


HEALTH_ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics))
