"""What the server counts, in Prometheus' text format: what the rows say now, and what this process has counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from server.state import State
from storage.tables import now

MEDIA_TYPE = CONTENT_TYPE_LATEST


async def exposition(state: State) -> bytes:
    """The document that Prometheus reads."""
    now_registry = CollectorRegistry()
    now_registry.register(_Snapshot(await gauges(state)))
    return generate_latest(now_registry) + generate_latest(REGISTRY)


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
