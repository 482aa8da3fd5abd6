"""The answer of an agent as data: the JSON Schema it must satisfy, in a form that models understand, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from tools.errors import InvalidParameters

DEEPEST = 12
"""How far references are followed: a schema that contains itself must end somewhere; validation still sees all of it."""
SHOWN = 3


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with its local references written out, since it becomes a part of a larger one, and without titles."""
    found = resolved(schema, schema, DEEPEST)
    return {key: value for key, value in found.items() if key not in {"$defs", "definitions", "$schema", "$id"}}


def resolved(node: Any, root: Mapping[str, Any], depth: int) -> Any:
    """The node with every `#/...` reference in it replaced by what it refers to."""
    if isinstance(node, list):
        return [resolved(item, root, depth) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    known = cast("dict[str, Any]", node)
    target = known.get("$ref")
    if isinstance(target, str) and target.startswith("#"):
        beside = {key: value for key, value in known.items() if key != "$ref"}
        return {**resolved(pointed(root, target), root, depth - 1), **beside} if depth else {}
    kept = {key: value for key, value in known.items() if key != "title" or not isinstance(value, str)}
    return {key: resolved(value, root, depth) for key, value in kept.items()}


def pointed(root: Mapping[str, Any], pointer: str) -> Any:
    """What a JSON pointer leads to; an empty schema where it leads nowhere."""
    node: Any = root
    for part in pointer.removeprefix("#").strip("/").split("/"):
        if part:
            node = cast("dict[str, Any]", node if isinstance(node, dict) else {}).get(
                part.replace("~1", "/").replace("~0", "~"), {}
            )
    return node


def validator(schema: Mapping[str, Any]) -> Validator:
    """Checks values against the schema. Raises InvalidParameters when it is no JSON Schema."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(dict(schema))
    except SchemaError as error:
        raise InvalidParameters(f"The output's JSON Schema is not valid: {error.message[:200]}") from None
    return kind(schema)


def problems(schema: Mapping[str, Any], value: Any) -> str:
    """What is wrong with the value, in words; empty when it satisfies the schema."""
    found = sorted(validator(schema).iter_errors(value), key=lambda error: error.json_path)
    return "; ".join(f"{error.json_path}: {error.message[:200]}" for error in found[:SHOWN])
