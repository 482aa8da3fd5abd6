"""What keeps a server from starting is said in one sentence, and ends it with exit code 2."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from server.house import House
from server.settings import read_settings

WEBHAND = str(Path(sys.executable).with_name("webhand"))


def started_before(folder: Path) -> None:
    """What a server leaves in its folder."""

    async def start() -> None:
        async with House(read_settings(data=folder, demo_site=False), "http://127.0.0.1:1", work=False).open():
            pass

    asyncio.run(start())


def no_database(folder: Path) -> None:
    (folder / "webhand.db").write_bytes(b"no database " * 1000)


def a_folder_in_its_place(folder: Path) -> None:
    (folder / "webhand.db").mkdir()


def somebody_elses_tables(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "webhand.db")) as connection:
        connection.execute("CREATE TABLE task (theirs)")
        connection.commit()


def cut_short(folder: Path) -> None:
    started_before(folder)
    os.truncate(folder / "webhand.db", 30_000)


def no_revision(folder: Path) -> None:
    started_before(folder)
    with closing(sqlite3.connect(folder / "webhand.db")) as connection:
        connection.execute("DELETE FROM alembic_version")
        connection.commit()


def key_lost(folder: Path) -> None:
    started_before(folder)
    (folder / "vault.key").unlink()


def damaged_journal(folder: Path) -> None:
    (folder / "practice.jsonl").write_bytes(b"\xff{\n")


def garbled_settings(folder: Path) -> None:
    (folder.parent / ".env").write_bytes(b"WEBHAND_PORT=\xff\xfe\n")


def nothing(_folder: Path) -> None: ...


OPENED = "The database {database} cannot be opened: "
CASES: dict[str, tuple[Callable[[Path], None], dict[str, str], str]] = {
    "no database": (no_database, {}, OPENED + "file is not a database"),
    "a folder": (a_folder_in_its_place, {}, OPENED + "[Errno 21] Is a directory"),
    "somebody else's tables": (somebody_elses_tables, {}, OPENED + "table task already exists"),
    "cut short": (cut_short, {}, OPENED + "database disk image is malformed"),
    "no revision": (no_revision, {}, "The database says of no revision that its tables are of it"),
    "another vault key": (key_lost, {}, "The vault's key does not open what is stored"),
    "a damaged journal": (damaged_journal, {}, "Line 1 of the practice site's journal {data}/practice.jsonl"),
    "garbled settings": (garbled_settings, {}, "The file .env cannot be read"),
    "PostgreSQL is not there": (
        nothing,
        {"WEBHAND_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/db"},
        "The database postgresql://me:***@127.0.0.1:1/db cannot be opened: connection failed",
    ),
    "another kind of database": (
        nothing,
        {"WEBHAND_DATABASE_URL": "mysql://me:secret@127.0.0.1/db"},
        "WEBHAND_DATABASE_URL: is not the URL of a database",
    ),
    "a URL in which something is wrong": (
        nothing,
        {"WEBHAND_DATABASE_URL": "postgresql://me:secret@127.0.0.1:port/db"},
        "WEBHAND_DATABASE_URL cannot be read",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_keeps_a_server_from_starting_is_said_in_one_sentence(case: str, tmp_path: Path) -> None:
    prepare, settings, expected = CASES[case]
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    prepare(data)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBHAND_")}
    environment |= {"WEBHAND_DATA": str(data), "WEBHAND_PORT": "0", "WEBHAND_DEMO_PORT": "0", **settings}
    done = subprocess.run(
        [WEBHAND, "serve"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    sentence = expected.format(database=f"sqlite:///{data / 'webhand.db'}", data=data)
    assert done.stderr.splitlines()[-1].startswith(sentence)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_an_empty_key_of_this_machine_is_made_anew(tmp_path: Path) -> None:
    started_before(tmp_path)
    (tmp_path / "local.key").write_text("")
    started_before(tmp_path)
    assert (tmp_path / "local.key").read_text().startswith("sk_live")


def test_a_postgresql_url_as_several_hosts_write_it_is_taken() -> None:
    assert read_settings(database_url="postgres://me:secret@host/db").database == "postgresql://me:secret@host/db"
