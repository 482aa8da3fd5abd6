"""Media, uploads and output files: signed URLs that need no key, name one file, expire, and lead nowhere else."""

from __future__ import annotations

import io
import time
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from PIL import Image

from agent.engine import Assignment, Desk, NewFile, Outcome
from server.files import MAX_UPLOAD
from server.links import FILE, lasting
from server.rest.cloud.run import MAX_TASK_FILES
from server.rest.cloud.uploads import TYPES
from storage.tables import Artifact
from tests.server.cloud.stage import Stage, begun, picture, ran, step

pytestmark = pytest.mark.anyio


async def uploaded(
    client: httpx.AsyncClient, name: str, content: bytes, kind: str = "text/csv"
) -> tuple[str, httpx.Response]:
    """Uploads as the documents show it: ask for a URL, PUT the bytes with the same type and no key."""
    answer = await client.post("/uploads/presigned-url", json={"file_name": name, "content_type": kind})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["upload_url"]
    async with httpx.AsyncClient(trust_env=False) as keyless:
        return url, await keyless.put(url, content=content, headers={"Content-Type": kind})


def image_of(answer: httpx.Response) -> Image.Image:
    return Image.open(io.BytesIO(answer.content))


def subject(stage: Stage, url: str | None) -> str:
    """Which file a link names."""
    signed = stage.house.signer.verify(FILE, token_of(url or ""))
    assert signed is not None
    return signed.subject


def token_of(url: str) -> str:
    """What a link proves itself with: a presigned URL carries that in its query (contract 3.7)."""
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return token


async def test_screenshots_are_pngs_that_need_no_key(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    task_id = await ran(client)
    urls: list[str] = (await client.get(f"/task/{task_id}/screenshots")).json()["screenshots"]
    names = [f"/files/{task_id}-step-1.png", f"/files/{task_id}-step-2.png"]
    assert [urlsplit(url).path for url in urls] == names
    for url, colour in zip(urls, ((254, 0, 0), (0, 0, 254)), strict=True):
        answer = await anyone.get(url)
        assert answer.headers["content-type"] == "image/png"
        assert image_of(answer).format == "PNG"
        assert image_of(answer).getpixel((9, 9)) == colour
        assert "script" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_screenshot_is_also_there_as_it_was_taken(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    url = (await client.get(f"/task/{await ran(client)}/screenshots")).json()["screenshots"][0]
    taken = url.replace(".png?", ".jpg?")
    plain = await anyone.get(taken)
    assert plain.headers["content-type"] == "image/jpeg"
    assert "-step-1.jpg" in plain.headers["content-disposition"]
    assert plain.content == picture("red")
    part = await anyone.get(taken, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, picture("red")[:10])


async def test_there_is_no_medium_before_the_end_and_none_without_a_recording(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    async def record(assignment: Assignment, desk: Desk) -> Outcome:
        assert (await client.get(f"/task/{assignment.task_id}/media")).json() == {"recordings": None}
        assert (await client.get(f"/task/{assignment.task_id}/screenshots")).json() == {"screenshots": None}
        assert (await client.get(f"/task/{assignment.task_id}/gif")).json() == {"gif": None}
        video = assignment.folder / "video"
        video.write_bytes(b"not really a video")
        return Outcome({"output": "x"}, files=[NewFile(video, "run.mp4", "recording", "video/mp4")])

    stage.actor.acts["record"] = record
    task_id = await ran(client, "record")
    (url,) = (await client.get(f"/task/{task_id}/media", params={"type": "recordings"})).json()["recordings"]
    async with httpx.AsyncClient(trust_env=False) as keyless:
        answer = await keyless.get(url)
    assert (answer.headers["content-type"], answer.content) == ("video/mp4", b"not really a video")
    assert (await client.get(f"/task/{await ran(client)}/media")).json() == {"recordings": None}


async def test_the_animation_shows_every_screenshot_and_grows_with_them(
    stage: Stage, client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    gifs: list[str | None] = []

    async def look(assignment: Assignment, desk: Desk) -> Outcome:
        for number, colour in enumerate(("red", "lime", "blue"), start=1):
            await desk.step(step(number, picture(colour, (640, 480 + number))))
            gifs.append((await client.get(f"/task/{assignment.task_id}/gif")).json()["gif"])
        return Outcome({"output": "x"})

    stage.actor.acts["look"] = look
    task_id = await ran(client, "look")
    assert gifs[0] is None
    again = (await client.get(f"/task/{task_id}/gif")).json()["gif"]
    assert subject(stage, again) == subject(stage, gifs[2]) != subject(stage, gifs[1])
    answer = await anyone.get(gifs[2] or "")
    assert answer.headers["content-type"] == "image/gif"
    gif = image_of(answer)
    assert (gif.format, getattr(gif, "n_frames", 1)) == ("GIF", 3)
    assert (await anyone.get(gifs[1] or "")).status_code == 404, "the older one made room"


async def test_an_output_file_is_fetched_without_a_key(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    task_id = await ran(client)
    url = (await client.get(f"/task/{task_id}/output-file/report.csv")).json()["download_url"]
    answer = await anyone.get(url)
    assert answer.content == b"a,b\n1,2\n"
    assert answer.headers["content-disposition"].startswith("attachment")
    unknown = await client.get(f"/task/{task_id}/output-file/other.csv")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Output file not found"})


async def test_what_an_agent_wrote_is_never_a_page_of_ours(
    stage: Stage, client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    async def write(assignment: Assignment, desk: Desk) -> Outcome:
        page = assignment.folder / "page"
        page.write_bytes(b"<script>alert(1)</script>")
        name = 'a "b"\r\nX: y ü.html'
        return Outcome({"output": "x"}, files=[NewFile(page, name, "output", "text/html")])

    stage.actor.acts["write"] = write
    task_id = await ran(client, "write")
    name: str = (await client.get(f"/task/{task_id}")).json()["output_files"][0]
    assert name == 'a "b"__X: y ü.html'
    link = await client.get(f"/task/{task_id}/output-file/{quote(name)}")
    assert link.status_code == 200, link.text
    answer = await anyone.get(link.json()["download_url"])
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; filename*=utf-8''")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "x" not in answer.headers


async def test_a_token_is_good_for_one_file_until_it_expires(
    stage: Stage, client: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    url: str = (await client.get(f"/task/{await ran(client)}/screenshots")).json()["screenshots"][0]
    token = token_of(url)
    payload, _, signature = token.partition(".")
    signed = stage.house.signer.verify(FILE, token)
    assert signed is not None
    old = stage.house.signer.sign(FILE, signed.subject, expires=int(time.time()) - 1)
    upload = stage.house.signer.sign("upload", signed.subject, expires=lasting(60))
    other = stage.house.signer.sign("live", signed.subject, expires=lasting(60))
    wrong = (
        old,
        upload,
        other,
        payload,
        f"{payload}.",
        f"{payload[:-2]}AA.{signature}",
        f"{payload}.{signature[::-1]}",
        "x",
    )
    for token in (*wrong, "%00", "é", "a.b.c"):
        answer = await anyone.get(f"/files/x.png?token={token}")
        assert (answer.status_code, list(answer.json())) == (403, ["detail"]), token
    gone = stage.house.signer.sign(FILE, "file_gone", expires=lasting(60))
    assert (await anyone.get(f"/files/x.png?token={gone}")).status_code == 404
    assert (await anyone.get("/files/x.png")).status_code == 403


@pytest.mark.parametrize("path", ["..%2f..%2fvault.key", "%2e%2e/%2e%2e/vault.key", "/etc/passwd", "x%00.png", "a/b/c"])
async def test_the_name_in_a_url_leads_nowhere(client: httpx.AsyncClient, anyone: httpx.AsyncClient, path: str) -> None:
    url = (await client.get(f"/task/{await ran(client)}/output-file/report.csv")).json()["download_url"]
    answer = await anyone.get(f"/files/{path}?token={token_of(url)}")
    assert (answer.status_code, answer.content) == (200, b"a,b\n1,2\n")


async def test_an_upload_reaches_the_task(stage: Stage, client: httpx.AsyncClient) -> None:
    read: dict[str, bytes] = {}

    async def reading(assignment: Assignment, desk: Desk) -> Outcome:
        read.update({file.name: file.read_bytes() for file in assignment.files})
        return Outcome({"output": "read"})

    stage.actor.acts["read"] = reading
    _, put = await uploaded(client, "orders 1.csv", b"first")
    assert (put.status_code, put.content) == (200, b"")
    await uploaded(client, "orders 1.csv", b"second")
    await uploaded(client, "ünï.md", b"# Notes", "text/markdown")
    task_id = await ran(client, "read", included_file_names=["orders 1.csv", "ünï.md", "orders 1.csv"])
    assert read == {"orders 1.csv": b"second", "ünï.md": b"# Notes"}
    assert (await client.get(f"/task/{task_id}")).json()["user_uploaded_files"] == ["orders 1.csv", "ünï.md"]


async def test_a_file_that_was_announced_and_never_came_is_not_there(client: httpx.AsyncClient) -> None:
    await client.post("/uploads/presigned-url", json={"file_name": "late.csv", "content_type": "text/csv"})
    answer = await client.post("/run-task", json={"task": "x", "included_file_names": ["late.csv"]})
    assert answer.status_code == 400


async def test_another_owners_upload_is_not_there(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    await uploaded(client, "mine.csv", b"x")
    answer = await stranger.post("/run-task", json={"task": "x", "included_file_names": ["mine.csv"]})
    assert answer.status_code == 400
    await begun(client, included_file_names=["mine.csv"])


async def test_every_documented_type_can_be_uploaded(client: httpx.AsyncClient) -> None:
    for kind in TYPES:
        _, put = await uploaded(client, "file", b"x", kind)
        assert put.status_code == 200


async def test_any_other_type_cannot(client: httpx.AsyncClient) -> None:
    for kind in ("application/x-msdownload", "", "image/svg+xml", "text/javascript"):
        body = {"file_name": "x", "content_type": kind}
        answer = await client.post("/uploads/presigned-url", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Unsupported content type"})
    missing = await client.post("/uploads/presigned-url", json={})
    assert [item["loc"] for item in missing.json()["detail"]] == [["body", "file_name"], ["body", "content_type"]]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "x\n", "x" * 201, "c:x"])
async def test_a_files_name_is_no_path(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post("/uploads/presigned-url", json={"file_name": name, "content_type": "text/csv"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "file_name"]


async def test_an_upload_must_be_what_was_announced(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    url, _ = await uploaded(client, "x.csv", b"x")
    other = await anyone.put(url, content=b"x", headers={"Content-Type": "text/html"})
    assert other.status_code == 400
    assert "text/csv" in other.json()["detail"]
    large = await anyone.put(url, content=b"x" * (MAX_UPLOAD + 1), headers={"Content-Type": "text/csv"})
    assert large.status_code == 413
    with_charset = await anyone.put(url, content=b"y", headers={"Content-Type": "text/csv; charset=utf-8"})
    assert with_charset.status_code == 200
    assert (await anyone.get(url)).status_code == 405, "it can be written, not read"
    bent = url[:-1] + ("A" if url[-1] != "A" else "B")
    assert (await anyone.put(bent, content=b"x", headers={"Content-Type": "text/csv"})).status_code == 403


async def test_the_files_of_one_task_may_not_be_too_large_together(stage: Stage) -> None:
    async with stage.caller(owner="large") as client:
        for name in ("a.csv", "b.csv"):
            size = MAX_TASK_FILES // 2 + 1
            row = Artifact(id=f"file_{name}", owner="large", kind="upload", name=name, media_type="text/csv", size=size)
            await stage.house.artifacts.add(row)
        answer = await client.post("/run-task", json={"task": "x", "included_file_names": ["a.csv", "b.csv"]})
        assert answer.status_code == 400
        assert "50 MB" in answer.json()["detail"]


def test_a_link_stays_the_same_for_a_quarter_of_its_life_and_lasts_at_least_as_long_as_was_asked_for() -> None:
    assert {lasting(3600, now) for now in range(9000, 9900)} == {9900 + 3600}
    assert lasting(3600, 9900) == 10800 + 3600
    for seconds in (60, 3600, 86_400):
        assert seconds <= lasting(seconds) - time.time() <= seconds * 1.25 + 1
