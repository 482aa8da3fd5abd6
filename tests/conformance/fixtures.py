"""Every tool that the suite calls by name and that is no tool of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types

from tests.conformance.answers import (
    Call,
    elicits,
    greet,
    needs_sampling,
    sampling,
    says,
    with_logging,
    with_progress,
)
from tests.conformance.content import embedded, png, wav
from tests.conformance.rounds import COLOUR, NAME, OK, always, asks_model, rounds, streams, what_it_can
from tests.conformance.schemas import DEFAULTS, DIALECT, ENUMS, NAME_SCHEMA, USER


@dataclass(frozen=True)
class Fixture:
    """One tool of the suite."""

    call: Call
    schema: Mapping[str, Any] | None = None


FIXTURES: Mapping[str, Fixture] = {
    "greet": Fixture(greet, NAME_SCHEMA),
    "json_schema_2020_12_tool": Fixture(says(types.TextContent(text="Fine")), DIALECT),
    "test_audio_content": Fixture(says(types.AudioContent(data=wav(), mime_type="audio/wav"))),
    "test_custom_header": Fixture(
        says(types.TextContent(text="Fine")),
        {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    ),
    "test_elicitation": Fixture(
        elicits(USER, "User response: action={action}, content={content}"),
        {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
    ),
    "test_elicitation_sep1034_defaults": Fixture(
        elicits(DEFAULTS, "Elicitation completed: action={action}, content={content}")
    ),
    "test_elicitation_sep1330_enums": Fixture(
        elicits(ENUMS, "Elicitation completed: action={action}, content={content}")
    ),
    "test_embedded_resource": Fixture(
        says(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))
    ),
    "test_error_handling": Fixture(
        says(types.TextContent(text="This tool intentionally returns an error for testing"), error=True)
    ),
    "test_image_content": Fixture(says(types.ImageContent(data=png(), mime_type="image/png"))),
    "test_input_required_result_capabilities": Fixture(rounds(what_it_can)),
    "test_input_required_result_elicitation": Fixture(rounds(always(user_name=NAME), done="Hello, Alice! {}")),
    "test_input_required_result_list_roots": Fixture(rounds(always(client_roots=types.ListRootsRequest()))),
    "test_input_required_result_multi_round": Fixture(rounds(always(step1=NAME), always(step2=COLOUR), state=True)),
    "test_input_required_result_multiple_inputs": Fixture(
        rounds(
            always(user_name=NAME, greeting=asks_model("Generate a greeting"), client_roots=types.ListRootsRequest()),
            state=True,
        )
    ),
    "test_input_required_result_request_state": Fixture(rounds(always(confirm=OK), state=True, done="state-ok {}")),
    "test_input_required_result_sampling": Fixture(
        rounds(always(capital_question=asks_model("What is the capital of France?")))
    ),
    "test_input_required_result_tampered_state": Fixture(rounds(always(confirm=OK), state=True)),
    "test_logging_tool": Fixture(with_logging),
    "test_missing_capability": Fixture(needs_sampling),
    "test_multiple_content_types": Fixture(
        says(
            types.TextContent(text="Multiple content types test:"),
            types.ImageContent(data=png(), mime_type="image/png"),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        )
    ),
    "test_sampling": Fixture(
        sampling, {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]}
    ),
    "test_simple_text": Fixture(says(types.TextContent(text="This is a simple text response for testing."))),
    "test_streaming_elicitation": Fixture(streams),
    "test_tool_with_logging": Fixture(with_logging),
    "test_tool_with_progress": Fixture(with_progress),
}
