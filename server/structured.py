"""What callers send as `structured_output_json` (3.2), as a JSON Schema: text or object, a schema or an example of the shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_LONGEST = 64_000
_DEEPEST = 32
_LONGEST_HINT = 200


def schema_of(given: Any) -> dict[str, Any] | None:
    """The JSON Schema; None where nothing was asked for. Raises ValueError with what is wrong."""
    shape = read(given) if isinstance(given, str) else given
    if shape is None or shape in ("", {}, []):
        return None
    if not isinstance(shape, dict | list):
        message = "must be a JSON Schema, or an example of the wished shape: an object"
        raise ValueError(message)  # noqa: TRY004  # a caller's mistake, like the others here
    if depth(cast("Any", shape)) > _DEEPEST or len(json.dumps(shape)) > _LONGEST:
        message = f"must not be longer than {_LONGEST} characters or nested deeper than {_DEEPEST} levels"
        raise ValueError(message)
    if isinstance(shape, dict) and is_schema(cast("dict[str, Any]", shape)):
        return checked(cast("dict[str, Any]", shape))
    return of_example(shape)


def read(text: str) -> Any:
    """The text as JSON. Raises ValueError."""
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        message = "must be JSON"
        raise ValueError(message) from None


def is_schema(shape: Mapping[str, Any]) -> bool:
    """Whether it is meant as a JSON Schema. A member `type` alone does not say so: an example may have one too."""
    kind = shape.get("type")
    if kind in _TYPES if isinstance(kind, str) else isinstance(kind, list):
        return True
    objects = ("properties", "$defs", "definitions")
    lists = ("anyOf", "oneOf", "allOf", "enum")
    return (
        isinstance(shape.get("$ref"), str)
        or any(isinstance(shape.get(name), dict) for name in objects)
        or any(isinstance(shape.get(name), list) for name in lists)
    )


def checked(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, if it is a valid one that needs nothing from elsewhere. Raises ValueError."""
    from jsonschema import Draft202012Validator, SchemaError  # most requests, and every start, do without it
    from jsonschema.validators import validator_for

    for reference in references(schema):
        if not reference.startswith("#"):
            message = "must not refer to other documents: '$ref' begins with '#'"
            raise ValueError(message)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        message = f"is not a valid JSON Schema: {error.message[:_LONGEST_HINT]}"
        raise ValueError(message) from None
    return schema


def references(value: Any) -> Iterator[str]:
    """Every reference in a schema."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        for name in ("$ref", "$dynamicRef"):
            if isinstance(items.get(name), str):
                yield items[name]
        for item in items.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from references(item)


def of_example(example: Any) -> dict[str, Any]:
    """The schema of an example. A text is the name of a JSON type, or tells what belongs there."""
    if isinstance(example, dict):
        members = cast("dict[str, Any]", example)
        return {
            "type": "object",
            "properties": {name: of_example(value) for name, value in members.items()},
            "required": list(members),
        }
    if isinstance(example, list):
        items = cast("list[Any]", example)
        return {"type": "array", "items": of_example(items[0]) if items else {}}
    if isinstance(example, bool):
        return {"type": "boolean"}
    if isinstance(example, int | float):
        return {"type": "number"}
    if isinstance(example, str):
        return of_word(example)
    return {}


def of_word(word: str) -> dict[str, Any]:
    """The schema of a text in an example."""
    if word.strip().lower() in _TYPES - {"object", "array"}:
        return {"type": word.strip().lower()}
    return {"type": "string", "description": word[:_LONGEST_HINT]} if word.strip() else {"type": "string"}


def depth(value: Any) -> int:
    """How deep a JSON value is nested; counted no further than one level beyond what is allowed."""
    level, deep = [value], 0
    while level and deep <= _DEEPEST:
        level = [inner for outer in level for inner in inside(outer)]
        deep += 1
    return deep


def inside(value: Any) -> list[Any]:
    """What an object or array holds."""
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return list(cast("list[Any]", value)) if isinstance(value, list) else []
