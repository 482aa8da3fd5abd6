"""The practice site's workshop: pages with the controls that browsers stumble over, for trying and testing browser tasks."""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.practice.visit import render, visit

BENCHES = {
    "form": ("A booking form", "Text, select, date, radio, checkboxes, a slider."),
    "upload": ("Send a file", "A file input that answers with size and checksum."),
    "drag": ("Pack the basket", "Drag things from the shelf into the basket."),
    "dialogs": ("Dialogs", "Alert, confirm and prompt."),
    "download": ("Downloads", "A link that downloads a CSV file."),
    "popup": ("Windows", "A link in a new tab and a popup window."),
    "table": ("A long table", "240 stations, with a filter."),
    "frame": ("A page in a page", "A form inside an iframe."),
}
TOURS = {"island": "Island round trip", "delta": "Delta by night", "lighthouse": "The three lighthouses"}
SHELF = ("Apples", "Rope", "Lantern", "Sea chart", "Biscuits")
FIRST = ("North", "South", "East", "West", "Upper", "Lower", "Old", "New", "Great", "Little", "Far", "Near")
SECOND = ("harbour", "mill", "bridge", "meadow", "chapel", "quarry", "lock", "orchard", "ferry", "market", "tower", "weir",
          "barracks", "spring", "gallows", "fen", "priory", "dairy", "wharf", "common")  # fmt: skip


def stations() -> list[tuple[int, str, int, str]]:
    """The table's rows: number, name, passengers a day, zone. Always the same 240."""
    names = [f"{first} {second}" for second in SECOND for first in FIRST]
    return [(n, name, 137 + (n * 7919) % 4800, "ABCD"[n * 7 // 3 % 4]) for n, name in enumerate(names, start=1)]


async def index(request: Request) -> Response:
    """What there is."""
    return render(request, "workshop/index.html", benches=BENCHES)


async def bench(request: Request) -> Response:
    """One bench; a POST shows what the server received, and keeps it in `DemoSite.received`."""
    name = request.path_params["name"]
    if name not in BENCHES:
        return render(request, "missing.html", 404, what="page")
    received = await read_form(request) if request.method == "POST" else None
    if received is not None:
        visit(request).site.received.append({"bench": name, **received})
    title, about = BENCHES[name]
    words: dict[str, Any] = {"title": title, "about": about, "tours": TOURS, "shelf": SHELF, "received": received}
    return render(request, f"workshop/{name}.html", 200, stations=stations() if name == "table" else (), **words)


async def read_form(request: Request) -> dict[str, Any]:
    """What a form sent: texts, lists of texts where a name stands more than once, and of files name, size and SHA-256."""
    received: dict[str, Any] = {}
    async with request.form() as form:
        for name in form:
            values = [await describe(value) for value in form.getlist(name)]
            received[name] = values[0] if len(values) == 1 else values
    return received


async def describe(value: UploadFile | str) -> str:
    """A form's value in words."""
    if isinstance(value, str):
        return value
    content = await value.read()
    return f"{value.filename}, {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}"


async def report(_: Request) -> Response:
    """The stations as a CSV file to download."""
    lines = ["number,name,passengers,zone", *(",".join(map(str, row)) for row in stations())]
    headers = {"Content-Disposition": 'attachment; filename="stations.csv"'}
    return Response("\n".join(lines) + "\n", media_type="text/csv", headers=headers)


async def opened(request: Request) -> Response:
    """What the links of the `popup` bench open."""
    return render(request, "workshop/opened.html")


async def inside(request: Request) -> Response:
    """What the iframe of the `frame` bench shows."""
    received = await read_form(request) if request.method == "POST" else None
    if received is not None:
        visit(request).site.received.append({"bench": "inside", **received})
    return render(request, "workshop/inside.html", received=received)


routes = [
    Route("/workshop", index),
    Route("/workshop/stations.csv", report),
    Route("/workshop/opened", opened),
    Route("/workshop/inside", inside, methods=["GET", "POST"]),
    Route("/workshop/{name}", bench, methods=["GET", "POST"]),
]
