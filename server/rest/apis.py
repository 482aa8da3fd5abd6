"""Both dialects as they are documented, and the documents themselves. Only `app` and the commands come here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.errors import status_of
from server.rest.browserman import answers, examples
from server.rest.browserman import events as tasks_events
from server.rest.browserman.accounts import ENDPOINTS as ACCOUNTS
from server.rest.browserman.routes import ENDPOINTS as TASKS_ENDPOINTS
from server.rest.browserman.routes import refuse_http as tasks_refuse_http
from server.rest.browserman.steps import ENDPOINTS as STEPS
from server.rest.browserman.webhooks import ENDPOINTS as WEBHOOKS
from server.rest.cloud import events as cloud_events
from server.rest.cloud import wire as cloud_wire
from server.rest.cloud.refusals import complaints, words
from server.rest.cloud.refusals import refuse_http as cloud_refuse_http
from server.rest.cloud.refusals import status_of as cloud_status_of
from server.rest.cloud.routes import ENDPOINTS as CLOUD_ENDPOINTS
from server.rest.documents import Documents
from server.rest.endpoint import Endpoint
from server.rest.openapi import Api, Call, Refusal, Schema, document
from server.rest.platforms import platforms_document
from server.rest.reference import API_DOCUMENT, PLATFORMS_DOCUMENT
from tools.catalog import Catalog
from tools.errors import Failure, InvalidParameters

BROWSERMAN_EXTRA: tuple[Endpoint, ...] = (*STEPS, *ACCOUNTS, *WEBHOOKS, PLATFORMS_DOCUMENT)
"""What the app mounts beside the Tasks API's own endpoints."""

CLOUD_EXTRA: tuple[Endpoint, ...] = (API_DOCUMENT,)
"""What the app mounts beside Cloud v1's own endpoints."""

DESCRIPTION = "Let programs, people and language models act on the web through real browsers."


def tasks_api() -> Api:
    """The Tasks API (contract part 1)."""
    return Api(
        title="Tasks API",
        description="Tasks, accounts, platforms and webhooks. Every answer comes as `{success, data}`, every error as "
        "`{success, error: {code, message, details}}`.",
        prefix="/api",
        endpoints=(*TASKS_ENDPOINTS, *BROWSERMAN_EXTRA),
        wrap=_enveloped,
        shown=lambda data: {"success": True, "data": data},
        refusal=lambda kind: Refusal(status_of(kind()), answers.Refused, answers.refused(kind)),
        calls={name: _call(name) for name in tasks_events.EVENTS},
    )


def cloud_api() -> Api:
    """Cloud v1 (contract part 3)."""
    update = cloud_events.EVENTS[cloud_events.STATUS_UPDATE]
    return Api(
        title="Cloud v1",
        description="Tasks in plain words, schedules, browser profiles, files. Errors come as `{detail}`.",
        prefix="/api/v1",
        endpoints=(*CLOUD_ENDPOINTS, *CLOUD_EXTRA),
        refusal=_cloud_refusal,
        calls={
            cloud_events.STATUS_UPDATE: Call(
                summary=update,
                description="For webhooks created with `dialect: cloud`. Every change of a task's status.",
                model=cloud_events.StatusUpdateCall,
                example=_CLOUD_CALL,
                headers={
                    "X-Browser-Use-Timestamp": "Unix seconds.",
                    "X-Browser-Use-Signature": "HMAC-SHA256 in hex over the timestamp, a dot, and the body with sorted keys.",
                },
            )
        },
    )


async def refuse_outside(request: Request, error: Exception) -> Response:
    """What no mount takes, in the words of the dialect below whose path it lies: a path with a line break in it matches none."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if request.url.path.startswith("/api/v1/"):
        return await cloud_refuse_http(request, error)
    if request.url.path.startswith("/api/"):
        return await tasks_refuse_http(request, error)
    return PlainTextResponse(error.detail, error.status_code, error.headers)


def build_documents(catalog: Catalog, version: str, public_url: str) -> Documents:
    """Every document, for a server at that URL."""
    cloud = cloud_api()
    return Documents(
        everything=lambda: everything(version, public_url, (tasks_api(), cloud)),
        cloud=lambda: document(cloud.title, version, public_url, [cloud]),
        platforms=lambda: platforms_document(catalog, version, public_url),
    )


def everything(version: str, public_url: str, apis: Sequence[Api] | None = None) -> Schema:
    """Both dialects in one document."""
    return document("Webhand", version, public_url, apis or (tasks_api(), cloud_api()), description=DESCRIPTION)


def _enveloped(schema: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": True}, "data": schema},
    }


def _call(name: str) -> Call:
    usual = name in tasks_events.DOCUMENTED
    return Call(
        summary=tasks_events.EVENTS[name],
        description="" if usual else "Sent only to webhooks that name this event.",
        model=tasks_events.EventBody,
        example=examples.EVENTS[name],
        headers={tasks_events.SIGNATURE: "`sha256=` and the hex HMAC-SHA256 of the body with the webhook's secret."},
    )


def _cloud_refusal(kind: type[Failure]) -> Refusal:
    failure: Any = kind()
    if isinstance(failure, InvalidParameters):
        return Refusal(cloud_status_of(kind), cloud_wire.ValidationErrors, {"detail": complaints(failure)})
    return Refusal(cloud_status_of(kind), cloud_wire.Detail, {"detail": words(failure)})


_CLOUD_CALL = {
    "type": "agent.task.status_update",
    "timestamp": "2025-05-25T09:22:22.269116+00:00",
    "payload": {
        "session_id": "cd9cc7bf-e3af-4181-80a2-73f083bc94b4",
        "task_id": "cd9cc7bf-e3af-4181-80a2-73f083bc94b4",
        "status": "finished",
        "metadata": {"campaign": "q4-automation"},
    },
}
