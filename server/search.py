"""Searches the web through a configured search page, and reads what a site says about a question (contract 3.12)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus, urlsplit

from server.reading import Link, Page, Reader, UnreadableError, unwrapped

LIMIT_S = 24.0
"""Seconds for one search: its clients wait for 30."""
_SPARE = 4
_AT_ONCE = 6
_LONGEST = 8000
"""Characters of one site's content."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Found:
    """What a site says."""

    url: str
    content: str


class Search:
    """One search. `search_url` is the operator's, with `{query}` in it, and may lead to a private address; what it finds may not."""

    def __init__(self, search_url: str, *, private: bool) -> None:
        self._search_url = search_url
        self._private = private

    async def websites(self, query: str, count: int, depth: int) -> list[Found]:
        """What the first `count` readable sites say. Raises UnreadableError when the search page cannot be read."""
        async with Reader(private=True) as reader:
            page = await reader.read(self._search_url.replace("{query}", quote_plus(query)))
        urls = results(page)[: count + _SPARE]
        turn = asyncio.Semaphore(_AT_ONCE)
        async with Reader(private=self._private) as reader:
            jobs = [asyncio.create_task(self._in_turn(turn, reader, url, query, depth)) for url in urls]
            if jobs:
                await asyncio.wait(jobs, timeout=LIMIT_S)
            for job in jobs:
                job.cancel()
            ended = await asyncio.gather(*jobs, return_exceptions=True)
        return [found for found in ended if isinstance(found, Found)][:count]

    async def website(self, url: str, query: str, depth: int) -> Found:
        """What one site says. Raises UnreadableError."""
        async with Reader(private=self._private) as reader:
            return await explore(reader, url, query, depth)

    @staticmethod
    async def _in_turn(turn: asyncio.Semaphore, reader: Reader, url: str, query: str, depth: int) -> Found:
        async with turn:
            return await explore(reader, url, query, depth)


async def explore(reader: Reader, url: str, query: str, depth: int) -> Found:
    """Reads a page and follows, `depth` pages deep, the link of the same site that fits the question best. Raises UnreadableError."""
    page = await reader.read(url)
    first, pages, seen = page.url, [page], {url, page.url}
    while len(pages) < depth and (link := best_link(page, query, seen)) is not None:
        seen.add(link.url)
        try:
            page = await reader.read(link.url)
        except UnreadableError:
            break
        seen.add(page.url)
        pages.append(page)
    return Found(first, relevant([text for read in pages for text in read.paragraphs], query))


def results(page: Page) -> list[str]:
    """The addresses that a search page found: those that lead to other hosts."""
    own = urlsplit(page.url).netloc
    found = [unwrapped(link.url) if urlsplit(link.url).netloc == own else link.url for link in page.links]
    return list(dict.fromkeys(url for url in found if url.startswith("http") and urlsplit(url).netloc != own))


def best_link(page: Page, query: str, seen: set[str]) -> Link | None:
    """The link of the same site that shares the most words with the question; None: none shares any."""
    own, wanted = urlsplit(page.url).netloc, terms(query)
    links = [link for link in page.links if link.url not in seen and urlsplit(link.url).netloc == own]
    best = max(links, key=lambda link: score(f"{link.text} {link.url}", wanted), default=None)
    return best if best is not None and score(f"{best.text} {best.url}", wanted) else None


def relevant(paragraphs: Sequence[str], query: str) -> str:
    """The paragraphs that share words with the question, in their order; where none does, the first ones. Each once."""
    wanted = terms(query)
    once = list(dict.fromkeys(paragraphs))
    ranked = sorted(range(len(once)), key=lambda place: -score(once[place], wanted))
    fitting = [place for place in ranked if score(once[place], wanted)] or list(range(len(once)))
    chosen: list[int] = []
    size = 0
    for place in fitting:
        size += len(once[place]) + 1
        if chosen and size > _LONGEST:
            break
        chosen.append(place)
    return "\n".join(once[place] for place in sorted(chosen))[:_LONGEST]


def terms(query: str) -> frozenset[str]:
    """The words of a question; a script without blanks between its words gives pairs of characters."""
    words = _WORD.findall(query.casefold())
    pairs = {word[at : at + 2] for word in words if not word.isascii() for at in range(len(word) - 1)}
    return frozenset(word for word in words if len(word) > 2 or not word.isascii()) | frozenset(pairs) or frozenset(
        words
    )


def score(text: str, wanted: frozenset[str]) -> int:
    """How many of the words the text has."""
    folded = text.casefold()
    return sum(1 for word in wanted if word in folded)
