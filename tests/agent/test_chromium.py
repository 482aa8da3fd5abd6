"""Chromium is started, owned and ended by us."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from agent import installed, ownership
from agent.cdp import Cdp
from agent.chromium import Chromium, find_chromium, install_chromium, merged, reap_orphans
from tests.agent.conftest import entries, eventually, family, living
from tools.errors import BrowserFailed

pytestmark = pytest.mark.anyio

OWNER = """
import asyncio, sys
from pathlib import Path
from agent.chromium import Chromium
async def main():
    browser = await Chromium.launch(Path(sys.argv[1]), Path(sys.argv[2]))
    print(browser.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def start(*command: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([str(part) for part in command], stdin=pipe, stdout=pipe, text=True, start_new_session=True)


def version(browser: Chromium) -> dict[str, str]:
    port = browser.cdp_url.split(":")[2].split("/")[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/version") as answer:
        return json.load(answer)


async def test_it_answers_on_its_devtools_url_and_leaves_nothing_behind(chromium_path: Path, tmp_path: Path) -> None:
    browser = await Chromium.launch(chromium_path, tmp_path)
    assert version(browser)["webSocketDebuggerUrl"].endswith(browser.cdp_url.rpartition("/")[2])
    processes = family(browser.pid)
    assert len(processes) > 2
    await browser.close()
    assert not browser.alive
    await eventually(lambda: not living(processes))
    assert entries(tmp_path) == []
    await browser.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a socket's name may become too long")
async def test_its_temporary_files_lie_in_its_own_folder_however_deep_that_is(
    chromium_path: Path, tmp_path: Path
) -> None:
    browser = await Chromium.launch(chromium_path, tmp_path / ("deep" * 30))
    try:
        await eventually(lambda: list(browser.folder.glob("tmp/*/SingletonSocket")))
        assert psutil.Process(browser.pid).environ()["TMPDIR"].startswith("/proc/self/cwd/")
    finally:
        await browser.close(grace=0)


async def test_a_login_outlives_the_last_tab(chromium: Chromium) -> None:
    def hear(*_event: object) -> None: ...

    cdp = await Cdp.open(chromium.cdp_url, hear)
    cookie = {"name": "session", "value": "1", "domain": "127.0.0.1", "path": "/"}
    await cdp.call("Storage.setCookies", {"cookies": [cookie]})
    tabs = [one for one in (await cdp.call("Target.getTargets"))["targetInfos"] if one["type"] == "page"]
    assert tabs
    for tab in tabs:
        await cdp.call("Target.closeTarget", {"targetId": tab["targetId"]})
    for _ in range(10):  # nothing tells when it would forget them: it does so a moment later
        await asyncio.sleep(0.1)
        assert [kept["name"] for kept in (await cdp.call("Storage.getCookies"))["cookies"]] == ["session"]
    await cdp.close()


async def test_every_process_of_it_is_in_its_own_group_and_sees_none_of_our_secrets(
    chromium_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHAND_LLM_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    browser = await Chromium.launch(chromium_path, tmp_path)
    try:
        for process in family(browser.pid):
            assert os.getpgid(process.pid) == browser.pid
            assert "sk-very-secret" not in process.environ().values()
    finally:
        await browser.close(grace=0)


async def test_a_frozen_one_is_killed_after_its_grace(chromium: Chromium) -> None:
    processes = family(chromium.pid)
    for process in processes:
        process.suspend()
    await chromium.close(grace=0.2)
    await eventually(lambda: not living(processes))


async def test_its_death_is_noticed(chromium: Chromium) -> None:
    waiting = asyncio.create_task(chromium.wait_gone())
    psutil.Process(chromium.pid).kill()
    await asyncio.wait_for(waiting, 5)
    assert not chromium.alive


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds a child's life to its parent's")
async def test_it_dies_with_its_owner(chromium_path: Path, tmp_path: Path) -> None:
    owner = start(sys.executable, "-c", OWNER, chromium_path, tmp_path)
    assert owner.stdout
    processes = family(int(await asyncio.to_thread(owner.stdout.readline)))
    owner.kill()
    owner.wait()
    await eventually(lambda: not living(processes))
    assert reap_orphans(tmp_path) == 1
    assert entries(tmp_path) == []


async def test_orphans_are_reaped_but_the_browsers_of_living_owners_are_not(
    chromium_path: Path, tmp_path: Path
) -> None:
    ours = await Chromium.launch(chromium_path, tmp_path)
    orphan = await Chromium.launch(chromium_path, tmp_path / "task-7")
    processes = family(orphan.pid)
    record = orphan.folder / ownership.RECORD
    dead = start("/bin/true")
    created = psutil.Process(dead.pid).create_time()
    dead.wait()
    record.write_text(json.dumps(json.loads(record.read_text()) | {"owner": dead.pid, "owner_created": created}))
    try:
        assert reap_orphans(tmp_path) == 1
        await eventually(lambda: not living(processes))
        assert not orphan.folder.exists()
        assert ours.alive
        assert ours.folder.exists()
    finally:
        await ours.close(grace=0)
        await orphan.close(grace=0)


async def test_a_process_that_only_inherited_an_orphans_pid_is_spared(tmp_path: Path) -> None:
    bystander = start(sys.executable, "-c", "input()")
    folder = tmp_path / "chromium-old"
    folder.mkdir()
    ownership.write_record(folder, bystander.pid)
    record = json.loads((folder / ownership.RECORD).read_text())
    record |= {"created": record["created"] - 60, "owner": bystander.pid, "owner_created": record["created"] - 60}
    (folder / ownership.RECORD).write_text(json.dumps(record))
    assert reap_orphans(tmp_path) == 1
    assert bystander.poll() is None
    assert not folder.exists()
    bystander.communicate("\n")


async def test_what_a_dead_owner_left_is_removed(tmp_path: Path) -> None:
    for folder in (tmp_path / "full-1", tmp_path / "full-1" / "chromium-1", tmp_path / "driver-1", tmp_path / "mine"):
        folder.mkdir()
        ownership.write_record(folder)
        if folder.name != "mine":
            record = json.loads((folder / ownership.RECORD).read_text())
            dead = record | {"created": record["created"] - 60, "owner_created": record["owner_created"] - 60}
            (folder / ownership.RECORD).write_text(json.dumps(dead))
    assert reap_orphans(tmp_path) == 3
    assert entries(tmp_path) == ["mine"]


async def test_a_folder_goes_although_somebody_still_writes_there_for_a_moment(tmp_path: Path) -> None:
    folder = tmp_path / "chromium-1"
    folder.mkdir()
    script = (
        "import os, sys, time; os.chdir(sys.argv[1]); ends = time.monotonic() + 0.5; print(flush=True)\n"
        "while time.monotonic() < ends: open(str(time.monotonic_ns()), 'w').close()"
    )
    writer = start(sys.executable, "-c", script, folder)
    assert writer.stdout
    writer.stdout.readline()
    await asyncio.to_thread(ownership.remove_folder, folder)
    assert entries(tmp_path) == []
    writer.communicate()


async def test_a_program_that_is_no_browser_is_named_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "chrome"
    program.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(BrowserFailed, match="ended at once with code 3: no display"):
        await Chromium.launch(program, tmp_path / "run")
    with pytest.raises(BrowserFailed, match="is not a program"):
        await Chromium.launch(tmp_path / "nothing", tmp_path / "run")
    assert entries(tmp_path / "run") == []


async def test_a_launch_that_is_cancelled_leaves_nothing(chromium_path: Path, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    launching = asyncio.create_task(Chromium.launch(chromium_path, tmp_path))
    await eventually(lambda: list(tmp_path.glob(f"*/{ownership.RECORD}")))
    launching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launching
    await eventually(
        lambda: not living([one for one in psutil.Process().children(recursive=True) if one not in before])
    )
    assert entries(tmp_path) == []


def test_the_wished_program_wins_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert find_chromium(Path(sys.executable)) == Path(sys.executable)
    with pytest.raises(BrowserFailed, match="WEBHAND_CHROMIUM"):
        find_chromium(tmp_path / "chrome")


def test_a_downloaded_browser_is_found_before_an_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for revision in ("999", "1200"):
        program = tmp_path / "ms-playwright" / f"chromium-{revision}" / "chrome-linux" / "chrome"
        program.parent.mkdir(parents=True)
        shutil.copy("/bin/true", program)
    assert find_chromium(None) == tmp_path / "ms-playwright" / "chromium-1200" / "chrome-linux" / "chrome"


def test_where_nothing_can_be_installed_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(installed, "is_root", lambda: False)
    with pytest.raises(BrowserFailed, match="install Google Chrome or Chromium yourself"):
        install_chromium()


def test_where_the_driver_cannot_run_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed.driver_starts()
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/bin/false")
    monkeypatch.setattr(installed, "is_root", lambda: False)
    with pytest.raises(BrowserFailed, match="libatomic1"):
        installed.make_ready(None)


def test_features_that_are_off_are_joined_because_chromium_heeds_only_the_last_list() -> None:
    assert merged(["--a", "--disable-features=X,Y", "--b", "--disable-features=Y,Z"]) == [
        "--a",
        "--b",
        "--disable-features=X,Y,Z",
    ]
