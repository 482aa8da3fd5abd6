"""OpenAPI 3.1 documents, made of the endpoints as they are routed and of the very models that they parse and answer with."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from server.rest.endpoint import Endpoint
from tools.errors import (
    BodyTooLarge,
    DatabaseAway,
    Failure,
    Forbidden,
    IdempotencyReused,
    Internal,
    InvalidParameters,
    RateLimited,
    Unauthorized,
    UnsupportedType,
)

Schema = dict[str, Any]
_JSON = "application/json"
_REFERENCE = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_KEY: list[Schema] = [{"bearer": []}]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a dialect refuses for one kind of failure."""

    status: int
    model: Any
    """Type of the body."""
    body: Any
    """An example."""


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook's call."""

    summary: str
    description: str
    model: Any
    example: Any
    headers: Mapping[str, str]
    """Name to description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One dialect, as far as its documents go."""

    title: str
    description: str
    prefix: str
    endpoints: Sequence[Endpoint]
    refusal: Callable[[type[Failure]], Refusal]
    wrap: Callable[[Schema], Schema] = lambda schema: schema
    """An answer's schema to its envelope's."""
    shown: Callable[[Any], Any] = lambda example: example
    """An example of an answer to one in its envelope."""
    calls: Mapping[str, Call] = field(default_factory=dict[str, Call])


def document(title: str, version: str, url: str, apis: Sequence[Api], *, description: str = "") -> Schema:
    """The document of these dialects at a server. With several, each one's chapters carry its title."""
    schemas = Schemas()
    several = len(apis) > 1
    paths: dict[str, Schema] = defaultdict(dict)
    calls: Schema = {}
    tags: dict[str, Schema] = {}
    for api in apis:
        for endpoint in api.endpoints:
            if endpoint.documented:
                tag = f"{api.title}: {endpoint.tag}" if several else endpoint.tag
                tags[tag] = {"name": tag}
                path = _PARAMETER.sub(r"{\1}", api.prefix + endpoint.path)
                paths[path][endpoint.method.lower()] = _operation(api, endpoint, tag, schemas)
        calls |= {name: {"post": _call(call, schemas)} for name, call in api.calls.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description or apis[0].description},
        "servers": [{"url": url}],
        "tags": list(tags.values()),
        "paths": dict(paths),
        "webhooks": calls,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "schemas": schemas.resolve(),
        },
    }


class Schemas:
    """The JSON Schemas of every type that a document names: references at first, which `resolve` fills in all at once."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, JsonSchemaMode], tuple[TypeAdapter[Any], Schema]] = {}

    def of(self, model: Any, mode: JsonSchemaMode) -> Schema:
        """The type's schema: filled in by `resolve`."""
        key = (repr(model), mode)
        if key not in self._wanted:
            self._wanted[key] = (TypeAdapter(model), {})
        return self._wanted[key][1]

    def resolve(self) -> Schema:
        """Fills every schema in, and returns the definitions that they refer to."""
        inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
            (name, mode, adapter) for (name, mode), (adapter, _) in self._wanted.items()
        ]
        found, rest = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE, schema_generator=Untitled)
        for (name, mode), (_, schema) in self._wanted.items():
            schema.update(found[name, mode])
        return dict(sorted(rest.get("$defs", {}).items()))


class Untitled(GenerateJsonSchema):
    """Without titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        del schema
        return False


def query_parameters(model: Any) -> list[Schema]:
    """A query's model, as parameters. A query knows no null: there a parameter is left out."""
    schema = TypeAdapter(model).json_schema(schema_generator=Untitled)
    required = schema.get("required", [])
    return [_parameter(name, "query", part, required=name in required) for name, part in schema["properties"].items()]


def _parameter(name: str, place: str, schema: Schema, *, required: bool) -> Schema:
    shown = dict(schema)
    description = shown.pop("description", None)
    kinds = [kind for kind in shown.pop("anyOf", []) if kind.get("type") != "null"]
    if len(kinds) == 1:
        shown = kinds[0] | shown
    elif kinds:
        shown["anyOf"] = kinds
    if shown.get("default", ...) is None:
        del shown["default"]
    parameter: Schema = {"name": name, "in": place, "required": required, "schema": shown}
    return parameter | ({"description": description} if description else {})


def _operation(api: Api, endpoint: Endpoint, tag: str, schemas: Schemas) -> Schema:
    name = getattr(endpoint.handler, "__name__", "call")
    operation: Schema = {
        "operationId": re.sub(r"\W+", "_", f"{name}_{api.prefix}{endpoint.path}_{endpoint.method.lower()}").strip("_"),
        "summary": endpoint.summary,
        "description": _description(endpoint),
        "tags": [tag],
        "security": _KEY if endpoint.scope is not None else [],
        "parameters": _parameters(endpoint),
        "responses": _responses(api, endpoint, schemas),
    }
    if endpoint.body is not None:
        examples = {_slug(title): {"summary": title, "value": body} for title, body in endpoint.body_examples.items()}
        content = {"schema": schemas.of(endpoint.body, "validation"), **({"examples": examples} if examples else {})}
        operation["requestBody"] = {"required": True, "content": {_JSON: content}}
    return operation


def _description(endpoint: Endpoint) -> str:
    scope = f"Needs a key with the scope `{endpoint.scope}`." if endpoint.scope is not None else "Needs no key."
    return f"{endpoint.description} {scope}".strip()


def _parameters(endpoint: Endpoint) -> list[Schema]:
    found = [
        _parameter(name, "path", {"type": "string", "minLength": 1}, required=True)
        for name in _PARAMETER.findall(endpoint.path)
    ]
    if endpoint.query is not None:
        found += query_parameters(endpoint.query)
    if endpoint.idempotent:
        key = {"type": "string", "minLength": 1, "maxLength": 255, "description": _IDEMPOTENCY}
        found.append(_parameter("Idempotency-Key", "header", key, required=False))
    return found


_IDEMPOTENCY = "For 24 hours the same key answers with what it created first; with another body it is refused."


def _responses(api: Api, endpoint: Endpoint, schemas: Schemas) -> Schema:
    headers = _headers(_LIMITS) if endpoint.scope is not None else {}
    good: Schema = {"description": endpoint.summary, **({"headers": headers} if headers else {})}
    if endpoint.media == _JSON:
        schema = schemas.of(endpoint.answer, "serialization")
        content: Schema = {"schema": schema if endpoint.bare else api.wrap(schema)}
        if endpoint.examples:
            content["examples"] = {
                _slug(title): {"summary": title, "value": api.shown(answer)}
                for title, answer in endpoint.examples.items()
            }
        good["content"] = {_JSON: content}
    else:
        good["content"] = {endpoint.media: {}}
    return {str(endpoint.status): good} | _refusals(api, endpoint, schemas)


def _refusals(api: Api, endpoint: Endpoint, schemas: Schemas) -> Schema:
    by_status: dict[int, dict[str, Refusal]] = defaultdict(dict)
    for kind in implied(endpoint):
        refusal = api.refusal(kind)
        by_status[refusal.status][kind.code] = refusal
    return {
        str(status): {
            "description": ", ".join(refusals),
            "content": {
                _JSON: {
                    "schema": _either([schemas.of(refusal.model, "serialization") for refusal in refusals.values()]),
                    "examples": {code: {"value": refusal.body} for code, refusal in refusals.items()},
                }
            },
            **({"headers": _headers(_BACK)} if status in _COME_BACK else {}),
        }
        for status, refusals in sorted(by_status.items())
    }


_COME_BACK = {429, 503}
_LIMITS = {
    "X-RateLimit-Limit": "Requests that the key may make in an hour.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When the hour is over, in Unix seconds.",
}
_BACK = {"Retry-After": "Seconds to wait."}


def implied(endpoint: Endpoint) -> list[type[Failure]]:
    """Everything that the endpoint can fail with, each once."""
    kinds: list[type[Failure]] = list(endpoint.errors)
    if endpoint.query is not None or endpoint.body is not None or endpoint.idempotent or "{" in endpoint.path:
        kinds.append(InvalidParameters)
    if endpoint.body is not None:
        kinds += [BodyTooLarge, UnsupportedType]
    if endpoint.idempotent:
        kinds.append(IdempotencyReused)
    if endpoint.scope is not None:
        kinds += [Unauthorized, Forbidden, RateLimited, DatabaseAway]
    return list(dict.fromkeys([*kinds, Internal]))


def _call(call: Call, schemas: Schemas) -> Schema:
    return {
        "summary": call.summary,
        "description": call.description,
        "parameters": [
            _parameter(name, "header", {"type": "string", "description": what}, required=True)
            for name, what in call.headers.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {
                    "schema": schemas.of(call.model, "serialization"),
                    "examples": {"example": {"value": call.example}},
                }
            },
        },
        "responses": {"2XX": {"description": "Taken. Anything else, and it is sent again."}},
    }


def _headers(described: Mapping[str, str]) -> Schema:
    return {name: {"description": what, "schema": {"type": "integer"}} for name, what in described.items()}


def _either(found: Sequence[Schema]) -> Schema:
    """The one schema, or any of several. They are empty until they are resolved, so they are told apart by identity."""
    different = list({id(schema): schema for schema in found}.values())
    return different[0] if len(different) == 1 else cast("Schema", {"anyOf": different})


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.lower()).strip("_")
