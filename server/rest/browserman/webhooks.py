"""Webhooks over REST (contract 1.8). The documents know only POST /webhooks; looking, deleting, trying out and replaying are ours.

Cloud v1 had no endpoints for its webhooks at all (3.13): `dialect` creates them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from server.door import json_body, sent
from server.rest.browserman import answers
from server.rest.browserman.events import EVENTS
from server.rest.browserman.inputs import Limit, parsed
from server.rest.browserman.views import iso, present, succeeded
from server.rest.endpoint import Endpoint, caller_of
from server.rest.message import Message
from server.state import reach
from server.webhooks import NewWebhook, WebhookDialect
from storage.tables import Delivery, Webhook
from tools.errors import Conflict, IdempotencyReused, NotFound


class CreateWebhook(Message):
    """POST /api/webhooks (1.8)."""

    model_config = ConfigDict(extra="ignore")

    url: str = Field(
        min_length=1,
        description="Where to call: HTTPS, or HTTP on loopback; never a private address.",
        examples=["https://your-server.com/webhook"],
    )
    events: list[str] | None = Field(
        None,
        description="Left out: task.completed and task.failed. "
        + " ".join(f"`{event}`: {meaning}" for event, meaning in EVENTS.items()),
        examples=[["task.completed", "task.failed"]],
    )
    secret: str | None = Field(
        None, description="What calls are signed with. Left out: one is made, and shown in this one answer."
    )
    dialect: WebhookDialect = Field(
        "browserman", description="The form of the calls; `cloud`: Cloud v1's, whose test event must be taken first."
    )


class DeliveriesQuery(Message):
    """The query of GET /api/webhooks/:id/deliveries."""

    limit: Limit = 50
    offset: int = Field(0, ge=0, le=2**31)
    state: Literal["owed", "sending", "delivered", "given_up"] | None = None


class WebhookView(TypedDict, total=False):
    """A webhook."""

    id: str
    url: str
    events: list[str]
    dialect: WebhookDialect
    status: Literal["active", "failing", "disabled"]
    createdAt: str
    failingSince: str
    disabledAt: str
    disabledReason: str
    secret: str


class TryView(TypedDict):
    """One attempt at a call: `statusCode` where it was answered, `error` where it was not taken."""

    at: answers.Moment
    durationMs: NotRequired[int]
    statusCode: NotRequired[int]
    error: NotRequired[str]


class DeliveryView(TypedDict, total=False):
    """One call in a webhook's log."""

    id: str
    webhookId: str
    taskId: str
    event: str
    state: Literal["owed", "sending", "delivered", "given_up"]
    attempts: int
    statusCode: int
    error: str
    tries: list[TryView]
    createdAt: str
    nextAt: str
    deliveredAt: str
    body: str


class WebhookList(TypedDict):
    """Every webhook of the owner."""

    webhooks: list[WebhookView]
    total: int


class DeliveryList(TypedDict):
    """One page of a webhook's log, newest first."""

    deliveries: list[DeliveryView]
    total: int
    limit: int
    offset: int


def webhook_view(webhook: Webhook, *, secret: str | None = None) -> dict[str, Any]:
    """A webhook; its secret only in the answer that makes it known."""
    status = "disabled" if webhook.disabled_at else "failing" if webhook.failing_since else "active"
    return present(
        {
            "id": webhook.id,
            "url": webhook.url,
            "events": webhook.events,
            "dialect": webhook.dialect,
            "status": status,
            "createdAt": iso(webhook.created_at),
            "failingSince": iso(webhook.failing_since),
            "disabledAt": iso(webhook.disabled_at),
            "disabledReason": webhook.disabled_reason,
            "secret": secret,
        }
    )


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """One call of the log, with its newest attempts and the exact text that is signed and sent."""
    return present(
        {
            "id": delivery.id,
            "webhookId": delivery.webhook_id,
            "taskId": delivery.task_id,
            "event": delivery.event,
            "state": delivery.state,
            "attempts": delivery.attempts,
            "statusCode": delivery.status_code,
            "error": delivery.error,
            "tries": [try_view(entry) for entry in delivery.tries or []],
            "createdAt": iso(delivery.created_at),
            "nextAt": iso(delivery.next_at),
            "deliveredAt": iso(delivery.delivered_at),
            "body": delivery.body,
        }
    )


def try_view(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One attempt."""
    shown = {"at": iso(datetime.fromisoformat(entry["at"])), "durationMs": entry.get("ms")}
    return present(shown | {"statusCode": entry.get("status_code"), "error": entry.get("error")})


def _answer(view: Any) -> Response:
    return JSONResponse(succeeded(view))


async def create_webhook(request: Request) -> Response:
    """POST /webhooks (1.8)."""
    body = parsed(CreateWebhook, await json_body(request))
    service = reach(request)["webhooks"]
    asked = NewWebhook(
        url=body.url,
        dialect=body.dialect,
        events=body.events,
        secret=body.secret,
        idempotency_key=request.headers.get("idempotency-key"),
        request=sent(request),
    )
    webhook = await service.create(caller_of(request), asked)
    return _answer(webhook_view(webhook, secret=service.secret(webhook) if body.secret is None else None))


async def list_webhooks(request: Request) -> Response:
    """GET /webhooks."""
    rows = await reach(request)["webhooks"].list(caller_of(request))
    return _answer({"webhooks": [webhook_view(row) for row in rows], "total": len(rows)})


async def get_webhook(request: Request) -> Response:
    """GET /webhooks/:id."""
    return _answer(webhook_view(await reach(request)["webhooks"].get(caller_of(request), _webhook_id(request))))


async def delete_webhook(request: Request) -> Response:
    """DELETE /webhooks/:id."""
    await reach(request)["webhooks"].delete(caller_of(request), _webhook_id(request))
    return _answer({"id": _webhook_id(request), "deleted": True})


async def list_deliveries(request: Request) -> Response:
    """GET /webhooks/:id/deliveries."""
    query = parsed(DeliveriesQuery, dict(request.query_params))
    rows, total = await reach(request)["webhooks"].deliveries(
        caller_of(request), _webhook_id(request), limit=query.limit, offset=query.offset, state=query.state
    )
    shown = [delivery_view(row) for row in rows]
    return _answer({"deliveries": shown, "total": total, "limit": query.limit, "offset": query.offset})


async def replay_delivery(request: Request) -> Response:
    """POST /webhooks/:id/deliveries/:deliveryId/replay."""
    delivery_id = request.path_params["delivery_id"]
    return _answer(
        delivery_view(await reach(request)["webhooks"].replay(caller_of(request), _webhook_id(request), delivery_id))
    )


async def test_webhook(request: Request) -> Response:
    """POST /webhooks/:id/test."""
    return _answer(delivery_view(await reach(request)["webhooks"].test(caller_of(request), _webhook_id(request))))


def _webhook_id(request: Request) -> str:
    return request.path_params["webhook_id"]


_WEBHOOK = "/webhooks/{webhook_id}"
_CREATED: dict[str, Any] = {
    "id": "wh_0199c2f2a0f87d53a2f4",
    "url": "https://your-server.com/webhook",
    "events": ["task.completed", "task.failed"],
    "dialect": "browserman",
    "status": "active",
    "createdAt": "2024-01-15T10:30:00Z",
}
_DELIVERED: dict[str, Any] = {
    "id": "dlv_0199c2f2a0f97c11b6a0",
    "webhookId": "wh_0199c2f2a0f87d53a2f4",
    "taskId": "task_abc123",
    "event": "task.completed",
    "state": "delivered",
    "attempts": 1,
    "statusCode": 200,
    "tries": [{"at": "2024-01-15T10:30:15Z", "durationMs": 84, "statusCode": 200}],
    "createdAt": "2024-01-15T10:30:15Z",
    "deliveredAt": "2024-01-15T10:30:15Z",
    "body": '{"event":"task.completed","taskId":"task_abc123","timestamp":"2024-01-15T10:30:15Z","data":{"state":"completed"}}',
}
_OWED: dict[str, Any] = {
    **{name: _DELIVERED[name] for name in ("id", "webhookId", "taskId", "event", "createdAt", "body")},
    "state": "owed",
    "attempts": 0,
    "tries": [],
    "nextAt": "2024-01-15T10:30:15Z",
}
_TRIED: dict[str, Any] = {
    **{name: value for name, value in _DELIVERED.items() if name != "taskId"},
    "event": "webhook.test",
    "body": '{"event":"webhook.test","taskId":"test","timestamp":"2024-01-15T10:30:15Z","data":{"state":"completed"}}',
}

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/webhooks",
        handler=create_webhook,
        scope="write",
        summary="Register a webhook",
        description=(
            "Calls are POSTs of JSON with the header `x-browserman-signature`: `sha256=` and the hex HMAC-SHA256 of the body. A call that "
            "is not answered 2xx within 10 seconds is made again, at growing distances, for 24 hours."
        ),
        tag="Webhooks",
        body=CreateWebhook,
        body_examples={
            "Both documented events": {
                "url": "https://your-server.com/webhook",
                "events": ["task.completed", "task.failed"],
                "secret": "your-webhook-secret",
            }
        },
        answer=WebhookView,
        examples={"Registered": _CREATED},
        errors=(Conflict, IdempotencyReused),
        idempotent=True,
    ),
    Endpoint(
        method="GET",
        path="/webhooks",
        handler=list_webhooks,
        scope="read",
        summary="List webhooks",
        tag="Webhooks",
        answer=WebhookList,
        examples={"One": {"webhooks": [_CREATED], "total": 1}},
    ),
    Endpoint(
        method="GET",
        path=_WEBHOOK,
        handler=get_webhook,
        scope="read",
        summary="Get a webhook",
        tag="Webhooks",
        answer=WebhookView,
        examples={
            "Disabled": {
                **_CREATED,
                "status": "disabled",
                "failingSince": "2024-01-15T10:30:00Z",
                "disabledAt": "2024-01-18T10:31:00Z",
                "disabledReason": "Every call since 2024-01-15 10:30 UTC failed: HTTP 500",
            }
        },
        errors=(NotFound,),
    ),
    Endpoint(
        method="DELETE",
        path=_WEBHOOK,
        handler=delete_webhook,
        scope="write",
        summary="Delete a webhook and its log",
        tag="Webhooks",
        answer=answers.Deleted,
        examples={"Deleted": {"id": "wh_0199c2f2a0f87d53a2f4", "deleted": True}},
        errors=(NotFound,),
    ),
    Endpoint(
        method="GET",
        path=f"{_WEBHOOK}/deliveries",
        handler=list_deliveries,
        scope="read",
        summary="List what a webhook was sent",
        tag="Webhooks",
        query=DeliveriesQuery,
        answer=DeliveryList,
        examples={"One": {"deliveries": [_DELIVERED], "total": 1, "limit": 50, "offset": 0}},
        errors=(NotFound,),
    ),
    Endpoint(
        method="POST",
        path=f"{_WEBHOOK}/deliveries/{{delivery_id}}/replay",
        handler=replay_delivery,
        scope="write",
        summary="Send a call once more",
        description="The same body, as a new entry of the log.",
        tag="Webhooks",
        answer=DeliveryView,
        examples={"Owed": _OWED},
        errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="POST",
        path=f"{_WEBHOOK}/test",
        handler=test_webhook,
        scope="write",
        summary="Send a test event now",
        description="One that is answered 2xx enables a disabled webhook again.",
        tag="Webhooks",
        answer=DeliveryView,
        examples={"Taken": _TRIED},
        errors=(NotFound,),
    ),
)
