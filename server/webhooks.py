"""Everything that any facade may ask of webhooks, and who is owed what when a task changes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from agent.sender import Answer, Sender, checked_url
from server.auth import Caller
from server.idempotency import Fingerprints, once
from storage.idempotency import IdempotencyClash
from storage.ids import mint
from storage.tables import Delivery, Task, Webhook, now
from storage.vault import Vault
from storage.webhooks import WebhookStore, listeners, owe, tried
from tools.errors import Conflict, IdempotencyReused, InvalidParameters, NotFound

WebhookDialect = Literal["browserman", "cloud"]
_MOST_WEBHOOKS = 100
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """How one dialect tells: the names of its events, the bodies of its calls, and the headers that sign them."""

    events: Mapping[str, str]
    """What can be subscribed to, and what each one means."""
    usual: tuple[str, ...]
    """What a webhook gets that names no events."""
    notice: Callable[[Task, Sequence[str], datetime], tuple[str, str] | None]
    """(task as it is now, events subscribed to, now) to the event's name and the body's exact text; None: nothing to tell."""
    test: Callable[[datetime], tuple[str, str]]
    """The test event and its body."""
    headers: Callable[[str, str, datetime], Mapping[str, str]]
    """(body, secret, moment of sending) to the headers that sign the call."""
    test_first: bool = False
    """Whether a webhook is only created once it took the test event."""


class Owing:
    """Writes down which webhooks must hear of a task's change (agent.queue.Owing)."""

    def __init__(self, dialects: Mapping[str, Notices]) -> None:
        self._dialects = dialects

    async def owe(self, session: AsyncSession, task: Task) -> list[Delivery]:
        """Stores the deliveries that the task's present state owes its owner's webhooks, in the caller's transaction."""
        owed: list[Delivery] = []
        moment = now()
        for webhook in await listeners(session, task.owner):
            told = self._dialects[webhook.dialect].notice(task, webhook.events, moment)
            if told is not None:
                owed.append(owe(session, webhook, task.id, *told))
        return owed


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """What is asked for."""

    url: str
    dialect: WebhookDialect = "browserman"
    events: Sequence[str] | None = None
    secret: str | None = None
    """None: one is made."""
    idempotency_key: str | None = None
    request: Any = None
    """The body as it was sent: what the idempotency key stands for."""


class WebhookService:
    """Webhooks, as every facade sees them. Another owner's does not exist for the caller."""

    def __init__(
        self,
        webhooks: WebhookStore,
        sender: Sender,
        vault: Vault,
        dialects: Mapping[str, Notices],
        *,
        private: bool = False,
    ) -> None:
        """`private`: whether private addresses may be called (the sender looks again at each call)."""
        self._webhooks = webhooks
        self._sender = sender
        self._vault = vault
        self._dialects = dialects
        self._private = private
        self._fingerprints = Fingerprints(vault)

    async def create(self, caller: Caller, asked: NewWebhook) -> Webhook:
        """A new webhook, or the one that already answers the request.

        Raises InvalidParameters (also when a dialect's test event must be taken first and was not), Conflict, IdempotencyReused.
        """
        caller.need("write")
        notices = self._dialects[asked.dialect]
        secret = asked.secret if asked.secret is not None else f"whsec_{secrets.token_urlsafe(_SECRET_BYTES)}"
        webhook = Webhook(
            id=mint("wh"),
            owner=caller.owner,
            dialect=asked.dialect,
            url=checked_url(asked.url, private=self._private),
            events=checked_events(asked.events, notices),
            secret=self._vault.seal({"secret": checked_secret(secret)}),
        )
        told = asked.request if asked.request is not None else [asked.url, asked.dialect, asked.events, asked.secret]
        idempotency = once(caller, asked.idempotency_key, webhook.id, self._fingerprints.of(["webhook", told]))
        try:
            known = await self._webhooks.answered(idempotency) if idempotency is not None else None
            if known is not None:
                return known
            await self._admit(caller, webhook, notices, secret)
            return await self._webhooks.add(webhook, idempotency)
        except IdempotencyClash:
            raise IdempotencyReused from None

    async def _admit(self, caller: Caller, webhook: Webhook, notices: Notices, secret: str) -> None:
        if len(await self._webhooks.list(caller.owner)) >= _MOST_WEBHOOKS:
            message = f"There are {_MOST_WEBHOOKS} webhooks already: delete one first."
            raise Conflict(message)
        if notices.test_first:
            _, body = notices.test(now())
            answer = await self._send(webhook, notices, secret, body)
            if answer.error is not None:
                message = (
                    f"The URL did not take the test event ({answer.error}): it must answer 2xx before it can be used."
                )
                raise InvalidParameters(message, details={"fields": {"url": answer.error}})

    async def get(self, caller: Caller, webhook_id: str) -> Webhook:
        """The caller's webhook. Raises NotFound."""
        caller.need("read")
        return await self._mine(caller, webhook_id)

    async def _mine(self, caller: Caller, webhook_id: str) -> Webhook:
        webhook = await self._webhooks.get(webhook_id, caller.owner)
        if webhook is None:
            message = f"Webhook '{webhook_id}' not found"
            raise NotFound(message, details={"webhookId": webhook_id})
        return webhook

    async def list(self, caller: Caller) -> Sequence[Webhook]:
        """The caller's webhooks, oldest first."""
        caller.need("read")
        return await self._webhooks.list(caller.owner)

    async def delete(self, caller: Caller, webhook_id: str) -> None:
        """Removes a webhook with its log; nothing more is sent to it. Raises NotFound."""
        caller.need("write")
        webhook = await self._mine(caller, webhook_id)
        await self._webhooks.delete(webhook.id)

    async def deliveries(
        self, caller: Caller, webhook_id: str, *, limit: int, offset: int = 0, state: str | None = None
    ) -> tuple[Sequence[Delivery], int]:
        """One page of the webhook's log, newest first, and how many entries there are. Raises NotFound."""
        webhook = await self.get(caller, webhook_id)
        return await self._webhooks.deliveries(webhook.id, limit=limit, offset=offset, state=state)

    async def replay(self, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
        """Owes the same body once more, as a new entry of the log. Raises NotFound, or Conflict for a disabled webhook."""
        caller.need("write")
        webhook = await self._mine(caller, webhook_id)
        if webhook.disabled_at is not None:
            how = f"'webhand webhook test {webhook_id}' or POST /api/webhooks/{webhook_id}/test"
            message = f"This webhook is disabled: a test event that it takes enables it again ({how})."
            raise Conflict(message, details={"webhookId": webhook_id, "reason": webhook.disabled_reason})
        again = await self._webhooks.replay(webhook.id, delivery_id)
        if again is None:
            message = f"Delivery '{delivery_id}' not found"
            raise NotFound(message, details={"webhookId": webhook_id, "deliveryId": delivery_id})
        return again

    async def test(self, caller: Caller, webhook_id: str) -> Delivery:
        """Sends the test event now and returns its entry in the log. One that is taken enables a disabled webhook."""
        caller.need("write")
        webhook = await self._mine(caller, webhook_id)
        notices = self._dialects[webhook.dialect]
        event, body = notices.test(now())
        begun = now()
        answer = await self._send(webhook, notices, self.secret(webhook), body)
        taken = answer.error is None
        entry = Delivery(
            id=mint("dlv"),
            webhook_id=webhook.id,
            event=event,
            body=body,
            state="delivered" if taken else "given_up",
            attempts=1,
            status_code=answer.status_code,
            error=answer.error,
            created_at=begun,
            delivered_at=now() if taken else None,
        )
        tried(entry, status_code=answer.status_code, error=answer.error, ms=answer.ms)
        await self._webhooks.log(entry)
        if taken:
            await self._webhooks.enable(webhook.id)
        return entry

    def secret(self, webhook: Webhook) -> str:
        """What its calls are signed with: to be shown at most once, to whoever creates it."""
        return self._vault.unseal(webhook.secret)["secret"]

    async def _send(self, webhook: Webhook, notices: Notices, secret: str, body: str) -> Answer:
        return await self._sender.send(webhook.url, body.encode(), notices.headers(body, secret, now()))


def checked_events(given: Sequence[str] | None, notices: Notices) -> list[str]:
    """The events to subscribe to. Raises InvalidParameters for one that does not exist."""
    if not given:
        return list(notices.usual)
    unknown = [event for event in given if event not in notices.events]
    if unknown:
        message = f"Event '{unknown[0]}' is not known: use of {', '.join(notices.events)}"
        raise InvalidParameters(message, details={"fields": {"events": message}})
    return list(dict.fromkeys(given))


def checked_secret(secret: str) -> str:
    """The secret. Raises InvalidParameters for an empty one, with which anybody could sign."""
    try:
        usable = 0 < len(secret.encode()) <= 1024
    except UnicodeEncodeError:
        usable = False
    if not usable:
        message = "'secret' is a text of 1 to 1024 bytes; leave it out to get one."
        raise InvalidParameters(message, details={"fields": {"secret": message}})
    return secret
