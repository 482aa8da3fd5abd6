"""Traces of tasks: the task is the root (or a child of the caller's W3C traceparent), its steps are spans. Without an SDK: nothing."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from agent.engine import StepReport
from storage.tables import Task

_tracer = trace.get_tracer("webhand")
_w3c = TraceContextTextMapPropagator()


@contextmanager
def of_task(task: Task) -> Generator[Span]:
    """The span of a run, current while it lasts."""
    caller = _w3c.extract({"traceparent": task.trace}) if task.trace else None
    attributes = {
        "webhand.task.id": task.id,
        "webhand.platform": task.platform,
        "webhand.tool": task.tool,
        "webhand.engine": task.engine,
    }
    with _tracer.start_as_current_span(f"{task.platform}.{task.tool}", caller, attributes=attributes) as span:
        yield span


def failed(span: Span, code: str) -> None:
    """The run ended with a failure of this code."""
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR, code))


def of_step(report: StepReport) -> None:
    """The span of a step that has just ended."""
    end = time.time_ns()
    attributes = {"webhand.step.kind": report.kind, "webhand.step.tokens": report.tokens}
    span = _tracer.start_span(
        report.next_goal[:120] or "step", start_time=end - report.duration_ms * 1_000_000, attributes=attributes
    )
    span.end(end)
