"""Reads requests: bodies, queries and paths become models, and what is wrong with them is said in the words of pydantic 1 (3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from server.door import json_body
from server.storable import storable, unstorable
from tools.errors import InvalidParameters

Model = TypeVar("Model", bound=BaseModel)
Place = Literal["body", "query", "path"]

_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("value_error.missing", "field required"),
    "string_type": ("type_error.str", "str type expected"),
    "string_too_short": ("value_error.any_str.min_length", "ensure this value has at least {min_length} characters"),
    "string_too_long": ("value_error.any_str.max_length", "ensure this value has at most {max_length} characters"),
    "string_pattern_mismatch": ("value_error.str.regex", 'string does not match regex "{pattern}"'),
    "int_type": ("type_error.integer", "value is not a valid integer"),
    "int_parsing": ("type_error.integer", "value is not a valid integer"),
    "int_parsing_size": ("type_error.integer", "value is not a valid integer"),
    "int_from_float": ("type_error.integer", "value is not a valid integer"),
    "float_type": ("type_error.float", "value is not a valid float"),
    "float_parsing": ("type_error.float", "value is not a valid float"),
    "finite_number": ("type_error.integer", "value is not a valid integer"),
    "bool_type": ("type_error.bool", "value could not be parsed to a boolean"),
    "bool_parsing": ("type_error.bool", "value could not be parsed to a boolean"),
    "list_type": ("type_error.list", "value is not a valid list"),
    "dict_type": ("type_error.dict", "value is not a valid dict"),
    "greater_than": ("value_error.number.not_gt", "ensure this value is greater than {gt}"),
    "greater_than_equal": ("value_error.number.not_ge", "ensure this value is greater than or equal to {ge}"),
    "less_than_equal": ("value_error.number.not_le", "ensure this value is less than or equal to {le}"),
    "too_long": ("value_error.list.max_items", "ensure this value has at most {max_length} items"),
    "literal_error": ("type_error.enum", "value is not a valid enumeration member; permitted: {expected}"),
    "datetime_type": ("type_error.datetime", "invalid type; expected datetime"),
    "datetime_parsing": ("value_error.datetime", "invalid datetime format"),
    "datetime_from_date_parsing": ("value_error.datetime", "invalid datetime format"),
}


class Unprocessable(InvalidParameters):
    """The request is not valid."""

    def __init__(self, complaints: Sequence[Mapping[str, Any]]) -> None:
        self.complaints = list(complaints)
        super().__init__("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in complaints))


def wrong(loc: Sequence[str | int], msg: str, kind: str = "value_error") -> Unprocessable:
    """One complaint of our own."""
    return Unprocessable([{"loc": list(loc), "msg": msg, "type": kind}])


def missing(place: Place, name: str) -> Unprocessable:
    """The complaint that contract 3.1 documents."""
    return wrong([place, name], "field required", "value_error.missing")


async def body_of(request: Request, model: type[Model]) -> Model:
    """The JSON body as a model. Raises Unprocessable, BodyTooLarge or UnsupportedType."""
    try:
        given = await json_body(request)
    except InvalidParameters as failure:
        raise wrong(["body"], failure.message, "value_error.jsondecode") from None
    if not isinstance(given, dict):
        raise wrong(["body"], "value is not a valid dict", "type_error.dict")
    return parsed(model, given, "body")  # pyright: ignore[reportUnknownArgumentType]  # any JSON object


def query_of(request: Request, model: type[Model]) -> Model:
    """The query as a model. Raises Unprocessable."""
    return parsed(model, dict(request.query_params), "query")


def named(request: Request, name: str) -> str:
    """An id out of the path. One that no row can have finds none: what a database cannot take is replaced."""
    given: str = request.path_params[name]
    return given if storable(given) else "-"


def parsed(model: type[Model], given: Mapping[str, Any], place: Place) -> Model:
    """The model. Raises Unprocessable."""
    for loc in unstorable(given):
        raise wrong([place, *loc], "value holds characters or numbers that cannot be kept")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Unprocessable([complaint(place, item) for item in error.errors(include_url=False)]) from None


def complaint(place: Place, item: Any) -> dict[str, Any]:
    """One of pydantic 2's errors in the words of pydantic 1, and without the value, which may be secret."""
    loc = [place, *(part for part in item["loc"] if part != "[key]")]
    if item["type"].endswith("_type") and item["input"] is None:
        return {"loc": loc, "msg": "none is not an allowed value", "type": "type_error.none.not_allowed"}
    kind, msg = _WORDS.get(item["type"], ("value_error", ""))
    said = msg.format(**item.get("ctx", {})) if msg else str(item["msg"]).removeprefix("Value error, ")
    return {"loc": loc, "msg": said, "type": kind}
