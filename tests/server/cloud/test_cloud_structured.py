"""What callers send as structured_output_json becomes a JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from server.structured import schema_of

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
EXAMPLE = {
    "title": "string",
    "price": 9.5,
    "sold": True,
    "tags": ["a short word"],
    "seller": {"name": ""},
    "note": None,
}


@pytest.mark.parametrize("nothing", [None, "", "  ", "null", {}, [], "{}"])
def test_nothing_asks_for_nothing(nothing: Any) -> None:
    assert schema_of(nothing) is None


@pytest.mark.parametrize("given", [SCHEMA, json.dumps(SCHEMA)])
def test_a_schema_is_taken_as_it_is_whether_text_or_object(given: Any) -> None:
    assert schema_of(given) == SCHEMA


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {}}},
        {"anyOf": [{"type": "string"}]},
        {"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}},
        {"type": ["string", "null"]},
        {"enum": ["a", "b"]},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"},
    ],
)
def test_what_looks_like_a_schema_is_one(schema: dict[str, Any]) -> None:
    assert schema_of(schema) == schema


@pytest.mark.parametrize("given", [EXAMPLE, json.dumps(EXAMPLE)])
def test_an_example_becomes_the_schema_of_its_shape(given: Any) -> None:
    assert schema_of(given) == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "price": {"type": "number"},
            "sold": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string", "description": "a short word"}},
            "seller": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            "note": {},
        },
        "required": ["title", "price", "sold", "tags", "seller", "note"],
    }


@pytest.mark.parametrize(
    "example", [{"type": "Post", "title": "x"}, [{"title": "x"}], {"enum": "x"}, {"properties": "many"}]
)
def test_an_example_satisfies_its_own_schema(example: Any) -> None:
    schema = schema_of(example)
    assert schema is not None
    validator: Any = Draft202012Validator(schema)
    assert validator.is_valid(example)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("{no json", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("5", "must be a JSON Schema"),
        ('"text"', "must be a JSON Schema"),
        (True, "must be a JSON Schema"),
        ({"type": "object", "properties": 5}, "not a valid JSON Schema"),
        ({"type": ["object", "thing"]}, "not a valid JSON Schema"),
        ({"type": "object", "properties": {"a": {"$ref": "https://evil.example/schema"}}}, "other documents"),
        ({"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema", "required": "a"}, "not a valid"),
        ({"title": "x" * 70_000}, "must not be longer"),
    ],
)
def test_what_is_neither_is_refused_with_a_reason(given: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        schema_of(given)


def test_a_shape_may_not_be_nested_without_end() -> None:
    shape: dict[str, Any] = {"type": "string"}
    for _ in range(40):
        shape = {"type": "object", "properties": {"a": shape}}
    with pytest.raises(ValueError, match="nested deeper"):
        schema_of(shape)
