"""Reads public web pages as text and links: within limits of time and size, and never at a private address."""

from __future__ import annotations

import asyncio
import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import httpx

from agent.sender import AddressRefused, CheckedTransport

LIMIT_S = 8.0
"""Seconds for one page, redirects included."""
MAX_BYTES = 1024 * 1024
_REDIRECTS = 5
_READ = ("text/", "application/xhtml", "application/json", "application/xml")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_BLANK = re.compile(r"\s+")
_INLINE = re.compile(
    "a|abbr|b|bdi|bdo|cite|code|data|del|dfn|em|font|i|img|ins|kbd|label|mark|q|rp|rt|ruby|s|samp|small|span|strong|sub|sup|time|u|var|wbr"
)
"""Every other element begins a paragraph of its own."""
_SILENT = frozenset(("script", "style", "noscript", "template", "svg", "iframe", "title"))


class UnreadableError(Exception):
    """A page cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page leads."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is on a page."""

    url: str
    """Where redirects led."""
    paragraphs: tuple[str, ...]
    links: tuple[Link, ...]


class Reader:
    """Reads pages. `private`: whether loopback and private addresses may be read."""

    def __init__(self, *, private: bool) -> None:
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(private=private, loopback=private),
            trust_env=False,  # a proxy from the environment would resolve names by itself
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            timeout=LIMIT_S,
            headers={
                "User-Agent": "Mozilla/5.0 (compatible; Webhand)",
                "Accept": "text/html, text/plain;q=0.8, */*;q=0.1",
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def read(self, url: str) -> Page:
        """The page at a URL. Raises UnreadableError."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise UnreadableError("Only http and https URLs can be read.")
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self._read(url)
        except (TimeoutError, httpx.TimeoutException):
            raise UnreadableError(f"The site did not answer within {LIMIT_S:g} seconds.") from None
        except AddressRefused:
            raise UnreadableError("The URL leads to a private address.") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise UnreadableError(f"The site cannot be read: {type(error).__name__}.") from None

    async def _read(self, url: str) -> Page:
        async with self._client.stream("GET", url) as response:
            kind = response.headers.get("content-type", "text/html").lower()
            if response.is_error:
                raise UnreadableError(f"The site answered HTTP {response.status_code}.")
            if not kind.strip().startswith(_READ):
                raise UnreadableError("The URL does not lead to a page of text.")
            raw = bytearray()
            async for chunk in response.aiter_bytes():
                raw += chunk[: MAX_BYTES - len(raw)]
                if len(raw) >= MAX_BYTES:
                    break
            where = str(response.url)
        return await asyncio.to_thread(page_of, where, kind, bytes(raw))


def page_of(url: str, kind: str, raw: bytes) -> Page:
    """A page from its bytes."""
    text = decoded(kind, raw)
    if "json" in kind:
        links = tuple(Link(found, "") for found in urls_in(text))
        return Page(url, (text,), links)
    if "html" not in kind:
        return Page(url, tuple(filter(None, map(plain, text.split("\n")))), ())
    parser = _Parser(url)
    parser.feed(text)
    parser.close()
    return Page(url, tuple(parser.paragraphs()), tuple(parser.links))


def decoded(kind: str, raw: bytes) -> str:
    """The text, in the encoding that the header or the page itself names."""
    found = _CHARSET.search(kind.encode(errors="replace")) or _CHARSET.search(raw[:2048])
    name = found.group(1).decode() if found else "utf-8"
    try:
        codecs.lookup(name)
        return raw.decode(name, errors="replace")
    except (LookupError, ValueError):
        return raw.decode(errors="replace")


def urls_in(text: str) -> Iterator[str]:
    """The results of a search page that answers in JSON: every member `url` or `link`."""
    try:
        waiting: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Mapping):
            members: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]  # any JSON object
            yield from (members[name] for name in ("url", "link") if isinstance(members.get(name), str))
            waiting.extend(members.values())
        elif isinstance(value, list):
            waiting.extend(value)  # pyright: ignore[reportUnknownArgumentType]  # any JSON array


def plain(text: str) -> str:
    """The text on one line."""
    return _BLANK.sub(" ", text).strip()


class _Parser(HTMLParser):
    """Takes the paragraphs and links out of HTML."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self._url = url
        self._text: list[str] = []
        self._silent = 0
        self._href: str | None = None
        self._label: list[str] = []

    def paragraphs(self) -> Iterable[str]:
        """What stands in each block."""
        return filter(None, map(plain, "".join(self._text).split("\0")))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if not _INLINE.fullmatch(tag):
            self._text.append("\0")
        if tag == "a":
            self._href, self._label = dict(attrs).get("href"), []

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if not _INLINE.fullmatch(tag):
            self._text.append("\0")
        if tag == "a" and self._href:
            self._add(self._href, plain("".join(self._label)))
            self._href = None

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._text.append(data.replace("\0", ""))
            self._label.append(data)

    def _add(self, href: str, text: str) -> None:
        try:
            url = urldefrag(urljoin(self._url, href.strip())).url
        except ValueError:
            return
        if url.startswith(("http://", "https://")):
            self.links.append(Link(url, text))


def unwrapped(url: str) -> str:
    """Where a link of a search page really leads: many wrap the address in a query of their own."""
    for _, value in parse_qsl(urlsplit(url).query):
        if value.startswith(("http://", "https://")):
            return value
    return url
