"""What pydantic finds wrong in a document, in the words of whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from dapu.durations import write_duration
from dapu.suggest import nearest

Steps = tuple[int | str, ...]
_MAPPING = "must be a mapping of keys to values"
_KINDS = {
    "list_type": "must be a list",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "literal_error": "must be {expected}",
    "too_short": "needs at least {min_length}",
    "string_too_long": "must have {max_length} character(s) at most",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
}


def steps_in_file(detail: ErrorDetails, values: Any) -> Steps:
    """Pydantic's location without the steps that name a type, which no file has."""
    steps: list[int | str] = []
    tagged = False
    for step in detail["loc"]:
        if not tagged and _is_tag(step, values, steps):
            tagged = True
        elif isinstance(values, Mapping) and step in values:
            steps, values, tagged = [*steps, str(step)], values[step], False
        elif isinstance(values, list) and isinstance(step, int):
            steps, values, tagged = [*steps, step], values[step], False
    if detail["type"] == "missing":
        steps.append(detail["loc"][-1])
    return tuple(steps)


def _is_tag(step: int | str, values: Any, steps: list[int | str]) -> bool:
    """Whether pydantic means the model that an item of a list is one of, not a key in it."""
    in_list = bool(steps) and isinstance(steps[-1], int)
    return in_list and isinstance(values, Mapping) and values.get("do") == step


def explain(detail: ErrorDetails, model: type[BaseModel], steps: Steps) -> str:
    """What is wrong, for a person; begins with the place unless it is a key that is wrong."""
    kind, key = detail["type"], str(detail["loc"][-1]) if detail["loc"] else ""
    beside = _schema_at(model, detail["loc"][:-1])
    place = _place(steps)
    inside = f"{_place(steps[:-1])}: " if len(steps) > 1 else ""
    if kind == "extra_forbidden":
        return f"{inside}unknown key `{key}`{nearest(key, beside.get('properties', ()))}"
    if kind == "missing":
        return f"{inside}the key `{key}` is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"{place}: {_explain_tag(detail, _schema_at(model, detail['loc']))}"
    if kind == "value_error":
        text = detail["msg"].removeprefix("Value error, ")
    else:
        text = _explain_value(detail, _schema_at(model, detail["loc"]))
    return f"{place}: {text}" if place else text


def _explain_value(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    """What a value must be, and what it is, unless that is a secret or may hold one."""
    kind, value = detail["type"], detail["input"]
    if kind in _KINDS:
        text = _KINDS[kind].format(**detail.get("ctx", {}))
    else:
        text = detail["msg"].replace("Input should be", "must be", 1)
    if schema.get("format") != "password" and kind != "too_short":
        text += f", not {_shown(value, hidden=text == _MAPPING)}"
    quotes = kind == "string_type" and isinstance(value, int | float)
    return f"{text}; put it in quotes" if quotes else text


def _explain_tag(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    known = schema.get("discriminator", {}).get("mapping", {})
    tag = detail.get("ctx", {}).get("tag")
    key = detail["ctx"]["discriminator"].strip("'")
    if tag is None:
        return f"needs `{key}:`{nearest('', known)}"
    return f"unknown `{key}: {tag}`{nearest(str(tag), known)}"


def join(texts: list[str]) -> str:
    """One message of several about one value, as where it may be a text or a list."""
    first, *others = dict.fromkeys(texts)
    alike = [text for text in others if text.partition(": must be ")[1]]
    if not alike or ": must be " not in first:
        return first
    start, _, end = first.partition(", not ")
    kinds = [text.partition(": must be ")[2].partition(", not ")[0] for text in alike]
    return f"{start} or {' or '.join(kinds)}, not {end}" if end else first


def _place(steps: Steps) -> str:
    """Steps as a person counts: `actions[1].query` is in the first action."""
    text = ""
    for step in steps:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _shown(value: Any, *, hidden: bool) -> str:
    """A value for a message; of a mapping, a list, and hidden text only what it is."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if hidden and isinstance(value, str):
        return "text"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _schema_at(model: type[BaseModel], location: Steps) -> dict[str, Any]:
    """The part of a model's JSON Schema that a pydantic location leads to."""
    known = json_schema(model).get("$defs", {})
    schema = _resolve(json_schema(model), known)
    for step in location:
        tagged = schema.get("discriminator", {}).get("mapping", {})
        if isinstance(step, int):
            schema = schema.get("items", {})
        elif step in tagged:
            schema = {"$ref": tagged[step]}
        else:  # what names a type only leads no further
            schema = schema.get("properties", {}).get(step, schema)
        schema = _resolve(schema, known)
    return schema


def _resolve(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Follows references, and `… or null`."""
    while "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    return _resolve(options[0], known) if len(options) == 1 else schema


@cache
def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, for editors."""
    return model.model_json_schema(by_alias=True, schema_generator=_SchemaOfFile)


class _SchemaOfFile(GenerateJsonSchema):
    """Shows defaults as a person would write them in the file."""

    def encode_default(self, dft: Any) -> Any:
        """See `GenerateJsonSchema`, which writes lengths of time as `PT1M`."""
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)
