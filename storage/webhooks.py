"""Webhooks and the calls that they are owed. A delivery's row is the truth about it: who claims it makes the next attempt.

owed ──claim──> sending ──> delivered
  ^                │ └────> given_up      (tried for long enough, or the webhook was disabled)
  └────failed──────┘
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from storage.database import Database, tell
from storage.idempotency import answer_of, answered
from storage.ids import mint
from storage.rows import touched
from storage.tables import Delivery, Idempotency, Webhook, now

MOST_TRIES = 30
"""So many attempts of one delivery are kept: more than there are in a day."""
_elder = aliased(Delivery)  # made once: that takes longer than the query
DELIVERIES = "deliveries"
"""The topic of whoever carries deliveries out."""


class Promises(Protocol):
    """What must be promised in the same transaction as a delivery."""

    async def deliver(self, session: AsyncSession, delivery: Delivery) -> None:
        """Somebody must look at the delivery at its `next_at`."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claimed attempt: `delivery.attempts` counts it, and fences it."""

    delivery: Delivery
    webhook: Webhook


async def listeners(session: AsyncSession, owner: str) -> Sequence[Webhook]:
    """The owner's webhooks that are not disabled. None of them can be deleted before the transaction ends."""
    wanted = select(Webhook).where(col(Webhook.owner) == owner, col(Webhook.disabled_at).is_(None))
    wanted = wanted.order_by(col(Webhook.id)).with_for_update(read=True, key_share=True)
    return (await session.execute(wanted)).scalars().all()


def owe(session: AsyncSession, webhook: Webhook, task_id: str | None, event: str, body: str) -> Delivery:
    """Stores a call that the webhook is owed, in the caller's transaction; the promise to make it is the caller's."""
    delivery = Delivery(
        id=mint("dlv"), webhook_id=webhook.id, task_id=task_id, event=event, body=body, state="owed", next_at=now()
    )
    session.add(delivery)
    tell(session, DELIVERIES)
    return delivery


class WebhookStore:
    """What may be asked of the webhook rows. `owner` None means anybody's."""

    def __init__(self, database: Database, promises: Promises) -> None:
        self._database = database
        self._promises = promises

    # -- webhooks -------------------------------------------------------------------------------------------------------

    async def add(self, webhook: Webhook, idempotency: Idempotency | None = None) -> Webhook:
        """Stores it, or gives back the one that was created under the same idempotency key. Raises IdempotencyClash."""
        async with self._database.writing() as session:
            if idempotency is not None:
                if not self._database.sqlite:
                    # Two identical requests at the same moment must meet: SQLite's writers queue up anyway.
                    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(idempotency.key_id))))
                known = await answered(session, idempotency, Webhook)
                if known is not None:
                    return known
            session.add(webhook)
        return webhook

    async def answered(self, idempotency: Idempotency) -> Webhook | None:
        """The webhook that was created under this idempotency key already. Raises IdempotencyClash."""
        async with self._database.reading() as session:
            return await answer_of(session, idempotency, Webhook)

    async def get(self, webhook_id: str, owner: str | None = None) -> Webhook | None:
        """The webhook, if the owner has it."""
        async with self._database.reading() as session:
            found = await session.get(Webhook, webhook_id)
        return found if found is not None and owner in (None, found.owner) else None

    async def list(self, owner: str) -> Sequence[Webhook]:
        """The owner's webhooks, oldest first."""
        wanted = select(Webhook).where(col(Webhook.owner) == owner).order_by(col(Webhook.created_at), col(Webhook.id))
        async with self._database.reading() as session:
            return (await session.execute(wanted)).scalars().all()

    async def delete(self, webhook_id: str) -> bool:
        """Removes the webhook and its log."""
        async with self._database.writing() as session:
            return bool(await touched(session, delete(Webhook).where(col(Webhook.id) == webhook_id)))

    async def enable(self, webhook_id: str) -> None:
        """It was reached: whatever was wrong is over."""
        async with self._database.writing() as session:
            webhook = await session.get(Webhook, webhook_id, with_for_update=True)
            if webhook is not None:
                _recovered(webhook)

    # -- the log --------------------------------------------------------------------------------------------------------

    async def deliveries(
        self, webhook_id: str, *, limit: int, offset: int = 0, state: str | None = None
    ) -> tuple[Sequence[Delivery], int]:
        """One page of the webhook's deliveries, newest first, and how many there are in all."""
        conditions = [col(Delivery.webhook_id) == webhook_id]
        if state is not None:
            conditions.append(col(Delivery.state) == state)
        newest = (col(Delivery.created_at).desc(), col(Delivery.id).desc())
        page = select(Delivery).where(*conditions).order_by(*newest).limit(limit).offset(offset)
        async with self._database.reading() as session:
            total = (await session.execute(select(func.count()).select_from(Delivery).where(*conditions))).scalar_one()
            return (await session.execute(page)).scalars().all(), total

    async def log(self, delivery: Delivery) -> None:
        """Notes a call that was made already."""
        async with self._database.writing() as session:
            session.add(delivery)

    async def replay(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """Owes the same body once more, as a delivery of its own. None: the webhook has no such delivery, or is disabled."""
        async with self._database.writing() as session:
            first = await session.get(Delivery, delivery_id)
            webhook = await session.get(Webhook, webhook_id, with_for_update={"read": True, "key_share": True})
            if first is None or webhook is None or first.webhook_id != webhook_id or webhook.disabled_at is not None:
                return None
            again = owe(session, webhook, first.task_id, first.event, first.body)
            await session.flush()
            await self._promises.deliver(session, again)
        return again

    async def prune(self, before: datetime) -> int:
        """Forgets deliveries that are over and were made before then."""
        over = (col(Delivery.state).in_(("delivered", "given_up")), col(Delivery.created_at) < before)
        async with self._database.writing() as session:
            return await touched(session, delete(Delivery).where(*over))

    # -- attempts -------------------------------------------------------------------------------------------------------

    async def claim(self, lease: float, busy: Collection[str] = ()) -> Attempt | None:
        """Takes the next delivery that is due, for `lease` seconds: who has not said by then how it went is taken for dead.

        `busy`: ids of webhooks that have enough calls under way. A task's events reach a webhook in their order as long as it
        answers: none is tried before the first attempt of the one before it is over.
        """
        moment = now()
        unheard = exists().where(
            col(_elder.webhook_id) == col(Delivery.webhook_id),
            col(_elder.task_id) == col(Delivery.task_id),
            col(_elder.id) < col(Delivery.id),
            or_(
                and_(col(_elder.state) == "sending", col(_elder.next_at) > moment),
                and_(col(_elder.state) == "owed", col(_elder.attempts) == 0),
            ),
        )
        due = (
            select(Delivery, Webhook)
            .join(Webhook, col(Webhook.id) == col(Delivery.webhook_id))
            .where(
                col(Delivery.next_at) <= moment,
                col(Delivery.state).in_(("owed", "sending")),
                col(Webhook.disabled_at).is_(None),
                col(Webhook.id).not_in(busy),
                ~unheard,
            )
            .order_by(col(Delivery.next_at), col(Delivery.id))
            .limit(1)
            .with_for_update(skip_locked=True, of=Delivery)
        )
        async with self._database.writing() as session:
            found = (await session.execute(due)).first()
            if found is None:
                return None
            delivery, webhook = found
            if delivery.state == "sending":
                tried(delivery, error="its worker was lost: nobody knows how it went")
            delivery.state, delivery.attempts = "sending", delivery.attempts + 1
            delivery.next_at = moment + timedelta(seconds=lease)
            return Attempt(delivery, webhook)

    async def soonest(self) -> datetime | None:
        """When the next delivery falls due that is not due yet."""
        later = (col(Delivery.next_at) > now(), col(Delivery.state).in_(("owed", "sending")))
        async with self._database.reading() as session:
            return (await session.execute(select(func.min(col(Delivery.next_at))).where(*later))).scalar_one()

    async def delivered(self, attempt: Attempt, status_code: int, *, ms: int | None = None) -> None:
        """The receiver has it; `ms`: how long the call took."""
        async with self._database.writing() as session:
            webhook = await session.get(Webhook, attempt.webhook.id, with_for_update=True)
            delivery = await _held(session, attempt)
            if webhook is None or delivery is None:
                return
            delivery.state, delivery.status_code, delivery.error = "delivered", status_code, None
            delivery.delivered_at, delivery.next_at = now(), None
            tried(delivery, status_code=status_code, ms=ms)
            _recovered(webhook)

    async def failed(
        self,
        attempt: Attempt,
        error: str,
        *,
        status_code: int | None,
        again: datetime | None,
        patience: timedelta | None,
        ms: int | None = None,
    ) -> Webhook | None:
        """The receiver does not have it: tried once more at `again` (None: given up).

        A webhook that has failed for longer than `patience` (None: it may go on) is disabled, and then returned.
        """
        async with self._database.writing() as session:
            webhook = await session.get(Webhook, attempt.webhook.id, with_for_update=True)
            delivery = await _held(session, attempt)
            if webhook is None or delivery is None:
                return None
            delivery.status_code, delivery.error = status_code, error
            tried(delivery, status_code=status_code, error=error, ms=ms)
            delivery.state, delivery.next_at = ("given_up" if again is None else "owed"), again
            since = webhook.failing_since = webhook.failing_since or now()
            if patience is not None and since <= now() - patience:
                await self._disable(session, webhook, f"Every call since {since:%Y-%m-%d %H:%M} UTC failed: {error}")
                return webhook
            if again is not None:
                await self._promises.deliver(session, delivery)
        return None

    @staticmethod
    async def _disable(session: AsyncSession, webhook: Webhook, reason: str) -> None:
        webhook.disabled_at, webhook.disabled_reason = now(), reason
        await session.flush()
        open_ = (col(Delivery.webhook_id) == webhook.id, col(Delivery.state).in_(("owed", "sending")))
        over = {"state": "given_up", "next_at": None, "error": "the webhook was disabled"}
        await session.execute(update(Delivery).where(*open_).values(over))


def tried(
    delivery: Delivery, *, status_code: int | None = None, error: str | None = None, ms: int | None = None
) -> None:
    """Notes one attempt, which is over now."""
    begun = now() - timedelta(milliseconds=ms or 0)
    known = {"status_code": status_code, "error": error, "ms": ms}
    entry = {"at": begun.isoformat(timespec="milliseconds")}
    entry |= {name: value for name, value in known.items() if value is not None}
    delivery.tries = [*(delivery.tries or []), entry][-MOST_TRIES:]


async def _held(session: AsyncSession, attempt: Attempt) -> Delivery | None:
    """The delivery, if nobody else has taken it since."""
    row = await session.get(Delivery, attempt.delivery.id, with_for_update=True, populate_existing=True)
    mine = row is not None and row.state == "sending" and row.attempts == attempt.delivery.attempts
    return row if mine else None


def _recovered(webhook: Webhook) -> None:
    webhook.failing_since = webhook.disabled_at = webhook.disabled_reason = None
