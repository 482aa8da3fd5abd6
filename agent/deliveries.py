"""Carries out the calls that webhooks are owed: at least once, again after a failure, and never one receiver at another's cost.

The rows say what is due. A wake-up (from the queue, or from a transaction that owes something) only makes the courier look now; it
also looks by itself, so that a delivery whose wake-up was lost, or whose process died, is late and not forgotten.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from agent.sender import LIMIT_S, Answer, Sender
from storage.changes import Changes
from storage.tables import Delivery, now
from storage.vault import Vault
from storage.webhooks import DELIVERIES, Attempt, WebhookStore

Signature = Callable[[str, str, datetime], Mapping[str, str]]
"""(body, secret, moment of sending) to the headers that prove where the call comes from."""

AT_ONCE = 32
PER_WEBHOOK = 4
LEASE_S = LIMIT_S + 20
_FIRST_PAUSE_S = 10.0
_GROWTH = 3.0
_MOST_GROWTHS = 40
_LOOK_S = 5.0
_GRACE_S = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a receiver may fail. Seconds."""

    give_up: float = 24 * 3600
    """For so long one delivery is tried again."""
    disable: float = 3 * 24 * 3600
    """A webhook that nothing has reached for so long is disabled."""

    def again(self, delivery: Delivery, answer: Answer, moment: datetime) -> datetime | None:
        """When to try next: 10, 30, 90, ... seconds later, at most an eighth of all the time, give or take a third. None: never."""
        ends = delivery.created_at + timedelta(seconds=self.give_up)
        if moment >= ends:
            return None
        first = min(_FIRST_PAUSE_S, self.give_up / 1000)
        pause = min(first * _GROWTH ** min(delivery.attempts - 1, _MOST_GROWTHS), self.give_up / 8)
        pause *= random.uniform(2 / 3, 4 / 3)  # noqa: S311  # spreads calls out; nothing secret
        asked = min(answer.retry_after or 0, self.give_up / 8)
        return min(moment + timedelta(seconds=max(pause, asked)), ends)

    def worn_out(self, delivery: Delivery, moment: datetime) -> bool:
        """Whether this delivery was tried for long enough that its failure may disable the webhook."""
        return moment - delivery.created_at >= timedelta(seconds=min(self.give_up, self.disable))


class Courier:
    """Makes the calls that are due, in this process."""

    def __init__(
        self,
        webhooks: WebhookStore,
        sender: Sender,
        vault: Vault,
        changes: Changes,
        signatures: Mapping[str, Signature],
        patience: Patience,
    ) -> None:
        """`signatures`: by the webhook's dialect."""
        self._webhooks = webhooks
        self._sender = sender
        self._vault = vault
        self._changes = changes
        self._signatures = signatures
        self._patience = patience
        self._calls: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()

    async def look(self, _subject: str = "") -> None:
        """Looks for deliveries that are due now. The queue's handler for a delivery's wake-up."""
        self._changes.wake(DELIVERIES)

    async def run(self) -> None:
        """Carries deliveries out until cancelled; calls under way then have a moment to end."""
        with self._changes.follow(DELIVERIES) as follower:
            try:
                while True:
                    await follower.changed(await self._take_all())
            finally:
                await asyncio.shield(self._land())

    async def _take_all(self) -> float:
        """Begins every call that is due, and says how long there is nothing to do."""
        try:
            while len(self._calls) < AT_ONCE and (attempt := await self._take()) is not None:
                self._busy[attempt.webhook.id] += 1
                call = asyncio.create_task(self._call(attempt), name=f"delivery {attempt.delivery.id}")
                self._calls.add(call)
                call.add_done_callback(lambda done, webhook_id=attempt.webhook.id: self._done(done, webhook_id))
            soonest = await self._webhooks.soonest()
        except Exception:  # noqa: BLE001  # a database that is away for a moment must not end the courier
            _log.exception("webhook.look_failed")
            return _LOOK_S
        return _LOOK_S if soonest is None else max(0.0, min(_LOOK_S, (soonest - now()).total_seconds()))

    async def _take(self) -> Attempt | None:
        busy = [webhook_id for webhook_id, calls in self._busy.items() if calls >= PER_WEBHOOK]
        return await self._webhooks.claim(LEASE_S, busy)

    def _done(self, call: asyncio.Task[None], webhook_id: str) -> None:
        self._calls.discard(call)
        self._busy[webhook_id] -= 1
        if not self._busy[webhook_id]:
            del self._busy[webhook_id]
        self._changes.wake(DELIVERIES)

    async def _land(self) -> None:
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=_GRACE_S)
            for call in late:
                call.cancel()  # its row stays claimed until the lease is over: it will be made again
            await asyncio.gather(*late, return_exceptions=True)

    async def _call(self, attempt: Attempt) -> None:
        delivery, webhook = attempt.delivery, attempt.webhook
        log = _log.bind(webhook=webhook.id, delivery=delivery.id, event_name=delivery.event, attempt=delivery.attempts)
        try:
            secret = self._vault.unseal(webhook.secret)["secret"]
            headers = self._signatures[webhook.dialect](delivery.body, secret, now())
            sent = {**headers, "X-Webhand-Delivery": delivery.id}
            answer = await self._sender.send(webhook.url, delivery.body.encode(), sent)
            await self._note(attempt, answer)
        except Exception:  # the row stays claimed until the lease is over and is then taken again
            log.exception("webhook.broke")
            return
        log.info("webhook.called", status=answer.status_code, error=answer.error)

    async def _note(self, attempt: Attempt, answer: Answer) -> None:
        if answer.error is None and answer.status_code is not None:
            await self._webhooks.delivered(attempt, answer.status_code, ms=answer.ms)
            return
        moment = now()
        worn_out = self._patience.worn_out(attempt.delivery, moment)
        disabled = await self._webhooks.failed(
            attempt,
            answer.error or "",
            status_code=answer.status_code,
            again=self._patience.again(attempt.delivery, answer, moment),
            patience=timedelta(seconds=self._patience.disable) if worn_out else None,
            ms=answer.ms,
        )
        if disabled is not None:
            _log.warning("webhook.disabled", webhook=disabled.id, reason=disabled.disabled_reason)
