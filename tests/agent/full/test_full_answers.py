"""Answers' schemas, and what is said of an answer that does not fit."""

from __future__ import annotations

import json

import pytest

from agent.full.answers import inlined, problems
from tools.errors import InvalidParameters


def test_references_are_written_out() -> None:
    schema = {"$defs": {"a/b": {"type": "integer"}}, "properties": {"title": {"$ref": "#/$defs/a~1b"}}, "title": "X"}
    assert inlined(schema) == {"properties": {"title": {"type": "integer"}}}


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    schema = {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    assert "$ref" not in json.dumps(inlined(schema))


def test_what_is_wrong_with_an_answer_is_said() -> None:
    assert problems({"type": "object", "required": ["a"]}, {}) == "$: 'a' is a required property"
    assert problems({"type": "object"}, {}) == ""
    with pytest.raises(InvalidParameters):
        problems({"type": 5}, {})
