"""One server, and two owners who each have one of everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from tests.server.cloud.stage import Stage, staged
from tests.server.tenancy.estate import Estate, settled

ALICE, BOB = "alice", "bob"
SCOPES = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Two:
    """Alice has one of everything, and so has Bob, who wants hers."""

    stage: Stage
    alice: Estate
    bob: Estate
    keys: dict[tuple[str, str], str]
    """(owner, scope) to a key with only that scope."""


@pytest.fixture(scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Two]:
    async with staged(tmp_path_factory.mktemp("data")) as stage:
        store = stage.house.key_store
        keys: dict[tuple[str, str], str] = {}
        for owner in (ALICE, BOB):
            for scope in SCOPES:
                _, keys[owner, scope] = await store.create(f"{owner} {scope}", owner=owner, scopes=[scope])
        alice = await settled(stage, ALICE, "alices-own")
        yield Two(stage, alice, await settled(stage, BOB, "bobs-own"), keys)
