"""What the pages for people have in common: their templates, their headers, and whether a form was sent from one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import Response

from tools.errors import Forbidden

PAGES = Path(__file__).parent.parent / "pages"
GUARD: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Never the path, which may hold a token. Not no-referrer: browsers then send forms with 'Origin: null', and we could
    # not tell that they are ours.
    "Referrer-Policy": "strict-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}


def templates(folder: str) -> jinja2.Environment:
    """The templates of a folder below `pages`; whatever they are given is escaped."""
    loader = jinja2.FileSystemLoader(PAGES / folder)
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def guarded(response: Response) -> Response:
    """The response with the pages' headers: nothing from elsewhere, not inside other pages, nothing kept."""
    response.headers.update(GUARD)
    return response


def make_sure_ours(request: Request, public_url: str) -> None:
    """A form that another site's page sends is refused, whatever cookies came with it. Raises Forbidden.

    Browsers say with each POST which origin it comes from; what says nothing is no page of ours.
    """
    said = urlsplit(request.headers.get("origin", ""))
    ours = urlsplit(public_url)
    if said.netloc and (
        said.netloc == request.headers.get("host", "") or (said.scheme, said.netloc) == (ours.scheme, ours.netloc)
    ):
        return
    message = "Only this server's own pages may send this."
    raise Forbidden(message)


def is_secure(request: Request, public_url: str) -> bool:
    """Whether cookies may be kept to encrypted connections."""
    return request.url.scheme == "https" or public_url.startswith("https://")


def path_of(url: str) -> str:
    """A link of ours without its origin: pages stay where they are, whatever name the server was reached by."""
    return urlsplit(url)._replace(scheme="", netloc="").geturl()
