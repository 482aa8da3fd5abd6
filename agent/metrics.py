"""What a worker counts, for /metrics. Names and units follow Prometheus' conventions."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Counter, Histogram

from storage.tables import Task

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)

WAITED = Histogram("webhand_task_wait_seconds", "From a task's creation to its start.", ["engine"], buckets=_SECONDS)
TOOK = Histogram(
    "webhand_task_duration_seconds",
    "From a task's start to its end.",
    ["platform", "engine", "state"],
    buckets=_SECONDS,
)
STEP = Histogram("webhand_step_duration_seconds", "One step of a task.", ["engine", "kind"], buckets=_SECONDS)
TOKENS = Counter("webhand_model_tokens", "Tokens that model calls used.", ["platform"])
COST = Counter("webhand_model_cost_usd", "What model calls cost.", ["platform"])


def started(task: Task) -> None:
    """A task was claimed."""
    if task.started_at is not None:
        WAITED.labels(task.engine).observe((task.started_at - task.created_at).total_seconds())


def stepped(task: Task, kind: str, duration_ms: int, tokens: int, cost: float) -> None:
    """A step was recorded."""
    STEP.labels(task.engine, kind).observe(duration_ms / 1000)
    if tokens:
        TOKENS.labels(task.platform).inc(tokens)
        COST.labels(task.platform).inc(cost)


def ended(task: Task, state: str, moment: datetime) -> None:
    """A task ended."""
    if task.started_at is not None:
        TOOK.labels(task.platform, task.engine, state).observe((moment - task.started_at).total_seconds())
