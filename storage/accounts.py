"""Accounts: logins at platforms. What must stay secret in them is sealed before it comes here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from storage.database import Database
from storage.idempotency import answer_of, answered
from storage.states import OPEN
from storage.tables import Account, Idempotency, Task


class AccountTaken(Exception):
    """There is an account of that name for that platform already."""


class AccountBusy(Exception):
    """The account still has open tasks."""


class AccountStore:
    """What may be asked of the account rows. `owner` None means anybody's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, account: Account, idempotency: Idempotency | None = None) -> Account:
        """Stores a new account, or gives back the one that answers the request already. Raises AccountTaken or IdempotencyClash."""
        try:
            return await self._add(account, idempotency)
        except IntegrityError as error:
            # Either the name is taken, or the same request at the same moment was first.
            known = await self._answered(idempotency) if idempotency is not None else None
            if known is None:
                raise AccountTaken from error
            return known

    async def _add(self, account: Account, idempotency: Idempotency | None) -> Account:
        async with self._database.writing() as session:
            known = await answered(session, idempotency, Account) if idempotency is not None else None
            if known is None:
                session.add(account)
            return known or account

    async def _answered(self, idempotency: Idempotency) -> Account | None:
        async with self._database.reading() as session:
            return await answer_of(session, idempotency, Account)

    async def get(self, account_id: str, owner: str | None = None) -> Account | None:
        """The account, if the owner has it."""
        async with self._database.reading() as session:
            account = await session.get(Account, account_id)
        return account if account is not None and owner in (None, account.owner) else None

    async def named(self, owner: str, platform: str, name: str) -> Account | None:
        """The owner's account of that name."""
        wanted = select(Account).where(
            col(Account.owner) == owner, col(Account.platform) == platform, col(Account.name) == name
        )
        async with self._database.reading() as session:
            return (await session.execute(wanted)).scalar_one_or_none()

    async def list(
        self, owner: str | None, *, platform: str | None = None, status: str | None = None
    ) -> Sequence[Account]:
        """The owner's accounts, oldest first."""
        wanted = select(Account).order_by(col(Account.created_at), col(Account.id))
        if owner is not None:
            wanted = wanted.where(col(Account.owner) == owner)
        if platform is not None:
            wanted = wanted.where(col(Account.platform) == platform)
        if status is not None:
            wanted = wanted.where(col(Account.status) == status)
        async with self._database.reading() as session:
            return (await session.execute(wanted)).scalars().all()

    async def connect(self, account_id: str, login_state: bytes | None, identity: str | None) -> None:
        """The login holds: keeps its state (None: keeps the one there is) and who it is."""
        values: dict[str, object] = {"status": "active", "error_code": None, "error_message": None}
        if login_state is not None:
            values["login_state"] = login_state
        if identity is not None:
            values["identity"] = identity
        await self._change(account_id, values)

    async def refresh(self, account_id: str, login_state: bytes) -> None:
        """Keeps a newer login state, whatever the status."""
        await self._change(account_id, {"login_state": login_state})

    async def break_(self, account_id: str, code: str, message: str) -> None:
        """The login does not hold any more."""
        await self._change(account_id, {"status": "error", "error_code": code, "error_message": message})

    async def change(
        self,
        account_id: str,
        *,
        credentials: bytes | None = None,
        auth_method: str | None = None,
        approval: bool | None = None,
    ) -> None:
        """Changes what is not None."""
        values = {"credentials": credentials, "auth_method": auth_method, "approval": approval}
        await self._change(account_id, {name: value for name, value in values.items() if value is not None})

    async def delete(self, account_id: str) -> None:
        """Removes the account and everything secret about it, for good. Its tasks stay, without it. Raises AccountBusy."""
        async with self._database.writing() as session:
            open_tasks = select(func.count()).where(col(Task.account_id) == account_id, col(Task.state).in_(OPEN))
            if (await session.execute(open_tasks)).scalar_one():
                raise AccountBusy
            await session.execute(delete(Account).where(col(Account.id) == account_id))

    async def _change(self, account_id: str, values: dict[str, object]) -> None:
        if not values:
            return
        async with self._database.writing() as session:
            await session.execute(update(Account).where(col(Account.id) == account_id).values(**values))
