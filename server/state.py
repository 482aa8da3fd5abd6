"""What a handler can reach. Built once by `app`, handed to every request through the lifespan's state."""

from __future__ import annotations

from typing import TypedDict, cast

from starlette.requests import HTTPConnection

from agent.queue import Queue
from server.accounts import AccountService
from server.auth import Verifier
from server.links import Links
from server.meter import Meter
from server.models import Models
from server.profiles import ProfileService
from server.rest.documents import Documents
from server.schedules import ScheduleService
from server.settings import Settings
from server.sign_in.service import SignInService
from server.signing import Signer
from server.tasks import TaskService
from server.webhooks import WebhookService
from server.workshop import Workshop
from storage.artifacts import ArtifactStore
from storage.counts import Counts
from storage.database import Database
from storage.keys import KeyStore
from storage.profiles import ProfileStore
from storage.vault import Vault
from tools.catalog import Catalog


class State(TypedDict):
    """Everything there is, by name."""

    settings: Settings
    public_url: str
    """Where callers reach this server, without a trailing slash."""
    database: Database
    vault: Vault
    signer: Signer
    catalog: Catalog
    keys: KeyStore
    verifier: Verifier
    meter: Meter
    tasks: TaskService
    accounts: AccountService
    sign_ins: SignInService
    artifacts: ArtifactStore
    counts: Counts
    profiles: ProfileStore
    browser_profiles: ProfileService
    schedules: ScheduleService
    models: Models
    webhooks: WebhookService
    documents: Documents
    queue: Queue
    links: Links
    workshop: Workshop | None
    """None in a front without a worker."""


def reach(connection: HTTPConnection) -> State:
    """What this request's handler can reach."""
    return cast("State", connection.scope["state"])
