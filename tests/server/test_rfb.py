"""The VNC server, with a viewer on a real TCP connection and a real Chromium behind it."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from playwright.async_api import Page

from agent.chromium import find_chromium
from agent.engine import Window
from agent.frame import Frame
from agent.inputs import Inputs
from agent.screencast import Screen
from server.live import handshake
from server.live.handshake import challenge, vnc_response, welcome
from server.live.pictures import Box, Pictures, PixelFormat, changed_boxes
from server.live.rfb import Viewer
from server.live.stream import LARGEST_KEPT, Broken, Stream
from tests.agent.screens import becomes, document, driven_chromium, driven_page, seen
from tests.server.rfb_client import EVERYTHING, TIGHT_JPEG, VncClient, differ

pytestmark = pytest.mark.anyio

LOSS = 48
"""What encoding a patch once more may change of a colour (of 255), at its sharpest edges."""

PAGE = document(
    """<body style="margin:0;background:#fff;font:40px serif"><h1>Heading</h1><p>Some text &amp; more.</p>
<div id=box style="position:absolute;left:600px;top:400px;width:60px;height:60px;background:red"></div>
<input id=field style="position:absolute;left:20px;top:450px">""",
    "A page",
)


@pytest.fixture(scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Page, Window]]:
    chromium = find_chromium(None)
    assert chromium
    async with driven_chromium(chromium, tmp_path_factory.mktemp("run")) as driven, driven_page(*driven) as both:
        yield both


@pytest.fixture
async def page(shown: tuple[Page, Window]) -> Page:
    page = shown[0]
    await page.set_viewport_size({"width": 800, "height": 600})
    await page.goto(PAGE)
    return page


@pytest.fixture
async def screen(page: Page, shown: tuple[Page, Window]) -> AsyncGenerator[Screen]:
    assert page
    screen = Screen(shown[1], rate=30)
    async with screen.watched():
        await screen.next(-1)
        yield screen
    await screen.close()


Serve = Callable[[Stream], Awaitable[object]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[Callable[[], Awaitable[VncClient]]]:
    """Serves RFB on a free port; gives a function that connects a client. Errors of the serving side come out at the end."""
    serving: list[asyncio.Task[object]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        async def run() -> None:
            try:
                await serve(Stream(lambda: reader.read(65536), send))
            except Broken:
                pass
            finally:
                writer.close()

        serving.append(asyncio.create_task(run()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def connect() -> VncClient:
        return VncClient(*await asyncio.open_connection("127.0.0.1", port))

    yield connect
    server.close()
    for task in serving:
        task.cancel()
    for result in await asyncio.gather(*serving, return_exceptions=True):
        assert result is None or isinstance(result, asyncio.CancelledError), result


@asynccontextmanager
async def viewing(screen: Screen, *encodings: int, hands: bool = False) -> AsyncGenerator[VncClient]:
    """A viewer of the screen that has said which encodings it takes."""
    pictures = Pictures()

    async def serve(stream: Stream) -> None:
        await welcome(stream)
        inputs = Inputs(screen, allowed=lambda: True, acted=lambda _: None) if hands else None
        await Viewer(stream, screen, pictures, inputs).run()

    async with listening(serve) as connect, asyncio.timeout(30):
        client = await connect()
        await client.greet()
        if encodings:
            client.take(*encodings)
        yield client
        await client.close()


def truth(frame: Frame | None) -> Image.Image:
    assert frame
    return Image.open(io.BytesIO(frame.jpeg)).convert("RGB")


async def move_box(page: Page, left: int) -> None:
    await page.evaluate("left => { box.style.left = left + 'px'; return new Promise(requestAnimationFrame) }", left)


async def test_a_viewer_is_greeted_with_size_and_name(screen: Screen) -> None:
    async with viewing(screen) as client:
        assert client.picture.size == (800, 600)
        await becomes(lambda: asyncio.sleep(0, screen.name.startswith("A page - data:text/html")), value=True)
        assert "data:text/html" in client.name


async def test_the_first_picture_is_the_frame_itself(screen: Screen) -> None:
    async with viewing(screen, *TIGHT_JPEG) as client:
        await client.pixels(incremental=False)
        assert client.updates[-1] == [7]
        assert client.boxes == [(0, 0, 800, 600)]
        assert differ(client.picture, truth(screen.frame)) == 0


async def test_only_what_changes_is_sent_and_the_picture_stays_true(page: Page, screen: Screen) -> None:
    async with viewing(screen, *TIGHT_JPEG) as client:
        await client.pixels(incremental=False)
        whole = client.received
        for left in (560, 300, 100):
            del client.boxes[:]
            before = client.received
            await move_box(page, left)
            await client.pixels()
            assert client.received - before < whole / 4
            assert all(width * height < 60_000 for _, _, width, height in client.boxes)
            if screen.frame and differ(client.picture, truth(screen.frame)) > LOSS:
                await client.pixels()  # the move was seen in two frames
        assert differ(client.picture, truth(screen.frame)) <= LOSS, "patches lose no more than JPEG does"


async def test_an_update_is_sent_only_when_something_has_changed(page: Page, screen: Screen) -> None:
    async with viewing(screen, *TIGHT_JPEG) as client:
        await client.pixels(incremental=False)
        client.ask()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await client.message()
        await move_box(page, 200)
        assert await client.message() == 0


@pytest.mark.parametrize("encodings", [(0,), (6, 0)], ids=["raw", "zlib"])
async def test_viewers_without_jpeg_get_pixels(page: Page, screen: Screen, encodings: tuple[int, ...]) -> None:
    async with viewing(screen, *encodings) as client:
        await client.pixels(incremental=False)
        assert client.updates[-1] == [encodings[0]]
        assert differ(client.picture, truth(screen.frame)) <= 1
        del client.boxes[:]
        await move_box(page, 90)
        await client.pixels()
        assert all(width * height < 60_000 for _, _, width, height in client.boxes)


async def test_a_viewer_may_choose_its_pixels(screen: Screen) -> None:
    async with viewing(screen, 0) as client:
        client.take_pixels(PixelFormat(16, 16, False, (31, 63, 31), (11, 5, 0)).wire, "BGR;16")
        client.raw_mode = "BGR;16"
        client.ask(incremental=False)
        assert (await client.unpack(">BxH"))[1] == 1
        _, _, width, height, encoding = await client.unpack(">HHHHi")
        pixels = await client.read(width * height * 2)
        assert encoding == 0
        assert differ(Image.frombytes("RGB", (width, height), pixels, "raw", "BGR;16"), truth(screen.frame)) <= 8


async def test_a_changed_viewport_is_followed(page: Page, screen: Screen) -> None:
    for encodings, pseudo in ((EVERYTHING, -308), ((*TIGHT_JPEG, -223), -223)):
        await page.set_viewport_size({"width": 800, "height": 600})
        await seen(screen, lambda frame: frame.width == 800)
        async with viewing(screen, *encodings) as client:
            await client.pixels(incremental=False)
            await page.set_viewport_size({"width": 640, "height": 480})
            while client.picture.size != (640, 480):
                await client.update()
            assert pseudo in client.updates[-1]
            await client.pixels()
            assert client.boxes[-1] == (0, 0, 640, 480)


async def test_a_viewer_cannot_resize_the_page(screen: Screen) -> None:
    async with viewing(screen, *EVERYTHING) as client:
        await client.pixels(incremental=False)
        client.send(">BxHHBx", 251, 100, 100, 1, tail=bytes(16))
        await client.update()
        assert client.size_replies[-1] == (1, 1), "administratively prohibited"
        assert client.picture.size == (800, 600)


async def test_the_name_follows_the_page(page: Page, screen: Screen) -> None:
    async with viewing(screen, *EVERYTHING) as client:
        await client.pixels(incremental=False)
        await page.goto(document("<body style='background:lime'>", "Another title"))
        while not client.name.startswith("Another title"):
            await client.update()


async def test_a_slow_viewer_skips_to_the_newest_frame(page: Page, screen: Screen) -> None:
    async with viewing(screen, *TIGHT_JPEG) as client:
        await client.pixels(incremental=False)
        for left in range(0, 700, 50):
            await move_box(page, left)
        await becomes(lambda: _box_at(screen, 650), value=True)
        updates = len(client.updates)
        await client.pixels()
        assert len(client.updates) == updates + 1
        assert client.picture.getpixel((680, 430)) == truth(screen.frame).getpixel((680, 430))
        assert differ(client.picture, truth(screen.frame)) <= LOSS


async def _box_at(screen: Screen, left: int) -> bool:
    frame = await asyncio.wait_for(screen.next(-1), 5)
    if _is_red(truth(frame).getpixel((left + 30, 430))):
        return True
    await screen.next(frame.number)
    return False


async def test_a_stuck_viewer_beside_a_fast_one_holds_nobody_up_and_nothing_is_kept_for_it(
    page: Page, screen: Screen
) -> None:
    pictures, may_go = Pictures(), asyncio.Event()
    held: list[int] = []
    """Sizes of the updates that were on their way to the stuck viewer."""

    async def serve(stream: Stream) -> None:
        await welcome(stream)
        await Viewer(stream, screen, pictures).run()

    async def serve_stuck(stream: Stream) -> None:
        send = stream.send

        async def send_late(data: bytes) -> None:
            if data[:1] == b"\0":
                held.append(len(data))
                await may_go.wait()
            await send(data)

        await welcome(stream)
        stream.send = send_late
        await Viewer(stream, screen, pictures).run()

    async with listening(serve) as connect, listening(serve_stuck) as connect_stuck, asyncio.timeout(30):
        fast, stuck = await connect(), await connect_stuck()
        for client in (fast, stuck):
            await client.greet()
            client.take(*TIGHT_JPEG)
        stuck.ask(incremental=False)
        await fast.pixels(incremental=False)
        for left in range(0, 600, 100):
            stuck.ask()
            await move_box(page, left)
            while not _is_red(fast.picture.getpixel((left + 30, 430))):
                await fast.pixels()
        assert len(held) == 1
        may_go.set()
        while not _is_red(stuck.picture.getpixel((530, 430))):
            await stuck.message()
        assert len(held) == len(stuck.updates) == 2, "the newest frame follows the first, whatever lay between"
        assert differ(stuck.picture, truth(screen.frame)) <= LOSS
        for client in (fast, stuck):
            await client.close()


def _is_red(pixel: float | tuple[int, ...] | None) -> bool:
    return isinstance(pixel, tuple) and pixel[0] > 200 > 100 > pixel[1]


async def test_five_viewers_see_the_same(page: Page, screen: Screen) -> None:
    pictures = Pictures()

    async def serve(stream: Stream) -> None:
        await welcome(stream)
        await Viewer(stream, screen, pictures).run()

    async def look(client: VncClient) -> Image.Image:
        await client.greet()
        client.take(*TIGHT_JPEG)
        await client.pixels(incremental=False)
        while truth(screen.frame).getpixel((330, 430)) != client.picture.getpixel((330, 430)) or not moved.is_set():
            await client.pixels()
        return client.picture

    moved = asyncio.Event()
    async with listening(serve) as connect, asyncio.timeout(30):
        clients = [await connect() for _ in range(5)]
        looking = [asyncio.create_task(look(client)) for client in clients]
        await move_box(page, 300)
        await becomes(lambda: _box_at(screen, 300), value=True)
        moved.set()
        await page.evaluate("document.body.append('!')")  # one more frame for those who wait
        for seen in await asyncio.gather(*looking):
            assert differ(seen, truth(screen.frame)) <= LOSS
        for client in clients:
            await client.close()


async def test_hands_reach_the_page_and_a_watcher_has_none(page: Page, screen: Screen) -> None:
    for hands, typed in ((False, ""), (True, "hé")):
        async with viewing(screen, *EVERYTHING, hands=hands) as client:
            await client.pixels(incremental=False)
            for mask in (0, 1, 0):
                client.send(">BBHH", 5, mask, 60, 460)
            for keysym in (ord("h"), 0xE9):
                for down in (1, 0):
                    client.send(">BBxxI", 4, down, keysym)
            await client.update(incremental=False)  # all that was sent before has been read
            await becomes(lambda: page.evaluate("field.value"), typed)


async def test_the_buttons_of_extended_mice_are_understood(page: Page, screen: Screen) -> None:
    await page.goto(document("<body>second", "second"))
    async with viewing(screen, *EVERYTHING, hands=True) as client:
        await client.pixels(incremental=False)
        assert any(-316 in update for update in client.updates)
        client.send(">BBHHB", 5, 0x80, 300, 300, 1)  # the button "back"
        client.send(">BBHH", 5, 0, 300, 300)
        await becomes(page.title, "A page")


async def test_both_kinds_of_clipboard_are_understood(page: Page, screen: Screen) -> None:
    await page.evaluate("field.focus()")
    async with viewing(screen, *EVERYTHING, hands=True) as client:
        await client.pixels(incremental=False)
        client.send(">B3xi", 6, 5, tail=b"plain")
        _ctrl_v(client)
        await becomes(lambda: page.evaluate("field.value"), "plain")
        client.send(">B3xiI", 6, -4, 1 << 27 | 1)  # notify: there is new text
        _ctrl_v(client)
        while client.clipboard[:4] != struct.pack(">I", 1 << 25 | 1):  # the server requests it
            await client.message()
        text = "漢字".encode() + b"\0"
        body = zlib.compress(struct.pack(">I", len(text)) + text)
        client.send(">B3xiI", 6, -4 - len(body), 1 << 28 | 1, tail=body)
        await becomes(lambda: page.evaluate("field.value"), "plain漢字")


def _ctrl_v(client: VncClient) -> None:
    for down, keysym in ((1, 0xFFE3), (1, ord("v")), (0, ord("v")), (0, 0xFFE3)):
        client.send(">BBxxI", 4, down, keysym)


async def test_what_is_copied_in_the_page_is_offered(page: Page, screen: Screen) -> None:
    await page.evaluate("field.value = 'dies & das ✓'; field.select()")
    async with viewing(screen, *EVERYTHING, hands=True) as client:
        await client.pixels(incremental=False)
        for down, keysym in ((1, 0xFFE3), (1, ord("c")), (0, ord("c")), (0, 0xFFE3)):
            client.send(">BBxxI", 4, down, keysym)
        while client.clipboard != struct.pack(">I", 1 << 27 | 1):
            await client.message()
        client.send(">B3xiI", 6, -4, 1 << 25 | 1)
        while client.clipboard[:4] != struct.pack(">I", 1 << 28 | 1):
            await client.message()
        raw = zlib.decompress(client.clipboard[4:])
        assert raw[4:-1].decode() == "dies & das ✓"


@pytest.mark.parametrize(
    "message",
    [
        b"\xc8",
        b"\x00\x00\x00\x00" + PixelFormat().wire.replace(b"\x20\x18\x00\x01", b"\x20\x18\x00\x00"),
        b"\x06\0\0\0\x7f\xff\xff\xff",
    ],
    ids=["unknown", "colour map", "huge clipboard"],
)
async def test_a_viewer_that_speaks_wrongly_is_left(screen: Screen, message: bytes) -> None:
    async with viewing(screen, 0) as client:
        client.writer.write(message)
        with pytest.raises(asyncio.IncompleteReadError):
            await client.message()


async def test_a_flood_of_messages_leaves_everybody_else_their_turn(screen: Screen) -> None:
    pieces = [b"RFB 003.008\n\x01\x01" + b"\x04\x01\0\0\0\0\0a" * 5000]
    turns = 0

    async def receive() -> bytes:
        return pieces.pop() if pieces else b""

    async def discard(_: bytes) -> None:
        return

    async def serve() -> None:
        stream = Stream(receive, discard)
        await welcome(stream)
        await Viewer(stream, screen, Pictures()).run()

    flooding = asyncio.create_task(serve())
    while not flooding.done():
        await asyncio.sleep(0)
        turns += 1
    assert isinstance(flooding.exception(), Broken)
    assert turns > 5000


async def test_a_viewer_that_never_introduces_itself_is_left(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_S", 0.1)

    async def serve(stream: Stream) -> None:
        await welcome(stream)
        await Viewer(stream, screen, Pictures()).run()

    async with listening(serve) as connect, asyncio.timeout(10):
        silent, shy = await connect(), await connect()
        shy.writer.write(b"RFB 003.008\n\x01")  # and then no ClientInit
        for client in (silent, shy):
            await client.reader.read()
            await client.close()


async def test_a_viewer_that_leaves_before_there_is_a_picture_is_noticed(shown: tuple[Page, Window]) -> None:
    served = asyncio.Event()

    async def serve(stream: Stream) -> None:
        screen = Screen(Window(shown[1].cdp_url, "a context without pages"))
        try:
            async with screen.watched():
                await welcome(stream)
                await Viewer(stream, screen, Pictures()).run()
        finally:
            await screen.close()
            served.set()

    async with listening(serve) as connect, asyncio.timeout(10):
        client = await connect()
        client.writer.write(b"RFB 003.008\n\x01\x01")  # all that it has to say until it is told of the picture
        await client.read(len("RFB 003.008\n") + 2 + 4)
        await client.close()
        await served.wait()


async def test_old_viewers_are_refused_and_the_macos_one_is_not(screen: Screen) -> None:
    async def serve(stream: Stream) -> None:
        await welcome(stream)
        await Viewer(stream, screen, Pictures()).run()

    async with listening(serve) as connect:
        with pytest.raises(asyncio.IncompleteReadError):
            await (await connect()).greet(version=b"RFB 003.003\n")
        client = await connect()
        await client.greet(version=b"RFB 003.889\n")
        await client.close()


async def test_a_password_names_the_task_and_a_wrong_one_is_refused() -> None:
    found: list[str] = []

    async def serve(stream: Stream) -> None:
        found.append(await challenge(stream, {"aB3dE6gH": "task_1", "zzzzzzzz": "task_2"}))

    async with listening(serve) as connect:
        with pytest.raises(PermissionError, match="wrong password"):
            await (await connect()).greet("aB3dE6gX")
        with pytest.raises(asyncio.IncompleteReadError):
            await (await connect()).greet("zzzzzzzz")  # let in, then nothing more is served here
    assert found == ["task_2"]


def test_the_response_to_a_challenge_is_the_one_viewers_give() -> None:
    # Worked out with another DES implementation: openssl enc -des-ecb -K <the password's bytes, bits reversed>.
    assert vnc_response("COW", bytes(range(16))).hex() == "dc72fe4da173cc3f3c684d6637ed8c28"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_pixels_are_packed_as_the_viewer_wants_them(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([8, 16, 32]))
    sizes = data.draw(st.tuples(*[st.integers(1, 2 if bits == 8 else bits // 3)] * 3))
    order = data.draw(st.permutations(range(3)))
    shifts, at = [0, 0, 0], 0
    for colour in order:
        shifts[colour], at = at, at + sizes[colour]
    maxima = tuple((1 << size) - 1 for size in sizes)
    wanted = PixelFormat(
        bits, sum(sizes), data.draw(st.booleans()), (maxima[0], maxima[1], maxima[2]), (shifts[0], shifts[1], shifts[2])
    )
    colours = data.draw(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=6))
    image = Image.new("RGB", (len(colours), 1))
    for x, colour in enumerate(colours):
        image.putpixel((x, 0), (colour[0], colour[1], colour[2]))
    values = [
        sum((value * top + 127) // 255 << shift for value, top, shift in zip(colour, maxima, shifts, strict=True))
        for colour in colours
    ]
    assert PixelFormat.read(wanted.wire) == wanted
    expected = b"".join(value.to_bytes(bits // 8, "big" if wanted.big_endian else "little") for value in values)
    assert wanted.pack(image) == expected


@given(
    st.lists(st.tuples(st.integers(0, 310), st.integers(0, 230), st.integers(1, 80), st.integers(1, 80)), max_size=40)
)
@settings(max_examples=60, deadline=None)
def test_every_change_lies_in_a_box_and_boxes_are_few(places: list[tuple[int, int, int, int]]) -> None:
    before = Image.new("RGB", (321, 241), "white")
    after = before.copy()
    for x, y, width, height in places:
        ImageDraw.Draw(after).rectangle((x, y, x + width, y + height), fill=(255, 255, 254))
    boxes = changed_boxes(before, after)
    assert bool(boxes) == bool(places)
    assert len(boxes) <= LOSS
    for box in boxes:
        assert 0 <= box.left < box.right <= 321
        assert 0 <= box.top < box.bottom <= 241
        assert box.left % 16 == box.top % 16 == 0
        before.paste(after.crop((box.left, box.top, box.right, box.bottom)), (box.left, box.top))
    assert differ(before, after) == 0


def test_boxes_know_their_area() -> None:
    assert Box(10, 20, 30, 25).area == 100


def test_a_stream_keeps_what_is_said_before_its_turn_within_bounds() -> None:
    pieces = iter([b"abc", b"de", b"", bytes(LARGEST_KEPT), b"more"])

    async def receive() -> bytes:
        return next(pieces)

    async def send(_: bytes) -> None:
        raise AssertionError

    async def read() -> bytes:
        stream = Stream(receive, send)
        await stream.left()
        said = await stream.read(5)
        with pytest.raises(Broken):
            await stream.left()
        return said

    assert asyncio.run(read()) == b"abcde"


def test_a_stream_reads_exactly_over_any_pieces() -> None:
    pieces = iter([b"a", b"bcd", b"ef", b""])

    async def receive() -> bytes:
        return next(pieces)

    async def send(_: bytes) -> None:
        raise AssertionError

    async def read() -> list[bytes]:
        stream = Stream(receive, send)
        got = [await stream.read(3), await stream.read(0), await stream.read(2)]
        with pytest.raises(Broken):
            await stream.read(5)
        return got

    assert asyncio.run(read()) == [b"abc", b"", b"de"]
