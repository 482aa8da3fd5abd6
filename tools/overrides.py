"""A user's own selectors in the place of the built-in ones, for the day when a site has changed.

They are a table of platforms; each entry names a selector of the platform (see `Site.selectors`) or repeats a built-in one word
for word, and gives what to look for instead: one selector or a list of candidates.

    {"twitter": {"box": ["[data-testid=composerTextBox]", "[role=textbox]"],
                 "[data-testid=tweetButton]": "[data-testid=postButton]"}}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from tools.catalog import Catalog
from tools.playbook import Move, Selector, Stage
from tools.rewriting import candidates, rewritten, selectors
from tools.site import Signs, Site, Who
from tools.tool import AnyTool

_PLACE = re.compile(r"\{(\w+)\}")
_Css = Annotated[str, Field(pattern=r"\S")]
_SHAPE = TypeAdapter(dict[str, dict[str, _Css | Annotated[list[_Css], Field(min_length=1)]]])


@dataclass(frozen=True, slots=True)
class Swap:
    """One selector's candidates, and those that take their place. Names in braces stand for what a tool fills in."""

    old: tuple[str, ...]
    new: tuple[str, ...]

    def fits(self, actual: tuple[str, ...]) -> bool:
        """Whether the actual candidates begin with the old ones."""
        return self._filled(actual[: len(self.old)]) is not None

    def made_in(self, actual: tuple[str, ...]) -> tuple[str, ...]:
        """The actual candidates with the old ones, where they stand together, replaced by the new ones."""
        for start in range(len(actual) - len(self.old) + 1):
            end = start + len(self.old)
            values = self._filled(actual[start:end])
            if values is not None:
                return (*actual[:start], *(_put(each, values) for each in self.new), *self.made_in(actual[end:]))
        return actual

    def _filled(self, actual: tuple[str, ...]) -> dict[str, str] | None:
        """What the tool put in the place of the names in braces; None where these are not the old candidates."""
        values: dict[str, str] = {}
        if len(actual) != len(self.old):
            return None
        for template, candidate in zip(self.old, actual, strict=True):
            found = re.fullmatch(_shape(template), candidate)
            if found is None:
                return None
            values |= found.groupdict()
        return values


def parse(given: object, catalog: Catalog) -> dict[str, tuple[Swap, ...]]:
    """The swaps of each platform. Raises ValueError that says which entry is wrong and what is known instead."""
    try:
        tables = _SHAPE.validate_python(given)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = ".".join(map(str, first["loc"][:2])) or "the file"
        raise ValueError(f"overrides: {where} needs a selector or a list of selectors: {first['msg']}") from wrong
    if unknown := set(tables) - set(catalog.sites):
        raise ValueError(f"overrides: there is no platform '{min(unknown)}', only {', '.join(catalog.sites)}")
    return {
        platform: tuple(_swap(catalog.sites[platform], key, new) for key, new in table.items())
        for platform, table in tables.items()
    }


def applied(catalog: Catalog, swaps: Mapping[str, tuple[Swap, ...]]) -> Catalog:
    """The catalog with the swaps made in its sites, playbooks and proofs."""
    sites = {name: _site(site, swaps.get(name, ())) for name, site in catalog.sites.items()}
    tools = {name: _tool(tool, swaps.get(tool.platform, ())) for name, tool in catalog.tools.items()}
    return replace(catalog, sites=sites, tools=tools)


def _swap(site: Site, key: str, new: str | list[str]) -> Swap:
    where = f"overrides of {site.id}: '{key}'"
    swap = Swap(_known(site, key, where), (new,) if isinstance(new, str) else tuple(new))
    for name in {place for old in swap.old for place in _PLACE.findall(old)}:
        if not all(f"{{{name}}}" in each for each in swap.new):
            raise ValueError(f"{where} needs {{{name}}} in each selector, or it could act on the wrong thing")
    return swap


def _known(site: Site, key: str, where: str) -> tuple[str, ...]:
    if key in site.selectors:
        return candidates(site.selectors[key])
    built_in = {each for selector in (*site.selectors.values(), *_signs(site)) for each in candidates(selector)}
    if key in built_in:
        return (key,)
    near = get_close_matches(key, [*site.selectors, *built_in], n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(site.selectors)}"
    raise ValueError(f"{where} is neither a name nor a built-in selector: {hint}")


def _signs(site: Site) -> Iterable[Selector]:
    for value in (getattr(site, field.name) for field in fields(site)):
        if isinstance(value, Signs):
            yield value.selectors
        if isinstance(value, Who) and value.selector is not None:
            yield value.selector


def _site(site: Site, swaps: tuple[Swap, ...]) -> Site:
    changed: dict[str, Any] = {
        "selectors": {name: _selector(selector, swaps) for name, selector in site.selectors.items()}
    }
    for name, value in ((field.name, getattr(site, field.name)) for field in fields(site)):
        if isinstance(value, Signs):
            changed[name] = replace(value, selectors=_selector(value.selectors, swaps))
        if isinstance(value, Who) and value.selector is not None:
            changed[name] = replace(value, selector=_selector(value.selector, swaps))
    return replace(site, **changed)


def _tool(tool: AnyTool, swaps: tuple[Swap, ...]) -> AnyTool:
    def stage(given: Stage) -> Stage:
        moves = tuple(_move(move, swaps) for move in given.moves)
        return replace(given, moves=moves, skip_if=given.skip_if and _selector(given.skip_if, swaps))

    return rewritten(tool, stage) if swaps else tool


def _move(move: Move, swaps: tuple[Swap, ...]) -> Move:
    return replace(move, **{name: _selector(selector, swaps) for name, selector in selectors(move).items()})


def _selector(selector: Selector, swaps: tuple[Swap, ...]) -> tuple[str, ...]:
    actual = candidates(selector)
    for swap in swaps:
        actual = swap.made_in(actual)
    return actual


def _shape(template: str) -> str:
    """A regular expression for the template with anything harmless, or another name in braces, in its places."""
    pieces = _PLACE.split(template)
    shape, seen = re.escape(pieces[0]), set[str]()
    for name, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        shape += f"(?P={name})" if name in seen else rf"(?P<{name}>\{{?[\w.-]+\}}?)"
        shape += re.escape(rest)
        seen.add(name)
    return shape


def _put(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), template)
