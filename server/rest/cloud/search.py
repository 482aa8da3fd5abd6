"""Search (3.12): through the operator's search page; without one, these calls say so."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.reading import UnreadableError
from server.rest.cloud.parsing import body_of
from server.rest.cloud.wire import View
from server.rest.message import Message
from server.search import Search
from server.state import reach
from tools.errors import Failure


class NoSearchPage(Failure):
    """There is no search page here: the server's operator can name one in WEBHAND_SEARCH_URL."""

    code = "NOT_IMPLEMENTED"


class SiteUnreadable(Failure):
    """The site cannot be read."""

    code = "SITE_UNREACHABLE"


class SimpleSearch(Message):
    """POST /simple-search."""

    model_config = ConfigDict(extra="ignore")

    query: str = Field(min_length=1, max_length=1000, examples=["latest release of Python"])
    max_websites: int = Field(5, ge=1, le=10)
    depth: int = Field(2, ge=2, le=5, description="How many pages of each site are read at the most.")


class SearchUrl(Message):
    """POST /search-url."""

    model_config = ConfigDict(extra="ignore")

    url: str = Field(min_length=1, max_length=2000, pattern="^https?://", examples=["https://example.com"])
    query: str = Field(min_length=1, max_length=1000)
    depth: int = Field(2, ge=2, le=5)


class SiteFound(View):
    """What one site says."""

    url: str
    content: str


class SearchResults(View):
    """POST /simple-search."""

    results: list[SiteFound]


async def simple_search(request: Request) -> Response:
    """POST /simple-search."""
    body = await body_of(request, SimpleSearch)
    try:
        found = await search_of(request).websites(body.query, body.max_websites, body.depth)
    except UnreadableError as error:
        raise SiteUnreadable(f"The search page cannot be read. {error}") from None
    return JSONResponse({"results": [{"url": one.url, "content": one.content} for one in found]})


async def search_url(request: Request) -> Response:
    """POST /search-url."""
    body = await body_of(request, SearchUrl)
    try:
        found = await search_of(request).website(body.url, body.query, body.depth)
    except UnreadableError as error:
        raise SiteUnreadable(str(error)) from None
    return JSONResponse({"url": found.url, "content": found.content})


def search_of(request: Request) -> Search:
    """The configured search. Raises NoSearchPage."""
    settings = reach(request)["settings"]
    if settings.search_url is None:
        raise NoSearchPage
    return Search(settings.search_url, private=settings.private_network)
