"""YAML files read into typed models, with every fault told as `file:line: what is wrong`."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dapu.errors import Fault, FaultyFile

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[int | str, ...]


class Strict(BaseModel):
    """A model that takes no keys but its own and cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Loader(yaml.CSafeLoader):
    """PyYAML's safe loader, which also refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """The file's text. Raises FaultyFile when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FaultyFile([Fault(path, 1, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise FaultyFile([Fault(path, 1, "is not UTF-8 text; save it as UTF-8")]) from None


def parse_yaml(path: Path, text: str) -> Any:
    """The file's content as plain Python values. Raises FaultyFile on a syntax error."""
    try:
        # _Loader is a subclass of CSafeLoader: it builds plain values only.
        return yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FaultyFile([Fault(path, line, f"YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise FaultyFile([Fault(path, 1, f"YAML: {error}")]) from None
    except ValueError as error:
        raise FaultyFile([Fault(path, 1, f"YAML: {error}")]) from None


def validate(model: type[Model], values: Any, path: Path, text: str, at: Path_ = ()) -> Model:
    """The values as a `model`. Raises FaultyFile with one fault for each thing that is wrong.

    path, text: the file that the values come from, to find the line of a fault.
    at: where in that file the values stand, as a path of keys and positions.
    """
    try:
        return model.model_validate({} if values is None else values)
    except ValidationError as error:
        faults = [
            Fault(path, line_of(text, at + _yaml_path(detail["loc"])), _explain(detail, model))
            for detail in error.errors()
        ]
        raise FaultyFile(_distinct(faults)) from None


def read_model(model: type[Model], path: Path) -> Model:
    """A whole file as one `model`; an empty file is a model of defaults."""
    text = read_text(path)
    return validate(model, parse_yaml(path, text), path, text)


def line_of(text: str, path: Path_) -> int:
    """The line (from 1) on which the value at a path of keys and positions stands."""
    try:
        node = yaml.compose(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return 1
    line = 1
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        mark, node = found
        line = mark.start_mark.line + 1
    return line


def _child(node: yaml.Node | None, step: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """The node to point at, and the node to go on from, one step down."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _yaml_path(location: Path_) -> Path_:
    # A key's own fault is told at `[key]`; union tags and the like match no YAML key and are
    # passed over by `line_of`.
    return tuple(step for step in location if step != "[key]")


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    place = ".".join(str(step) for step in detail["loc"] if step != "[key]")
    kind = detail["type"]
    if kind == "extra_forbidden":
        key = str(detail["loc"][-1])
        return f"unknown key `{key}`{nearest(key, _keys_beside(model, detail['loc']))}"
    if kind == "missing":
        return f"the key `{place}` is missing"
    if kind == "value_error":
        text = detail["msg"].removeprefix("Value error, ")
        return f"{place}: {text}" if place else text
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{place}: {message}, not {_short(detail['input'])}" if place else message


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` with the known word nearest to a wrong one, or all that are known."""
    names = sorted(set(known))
    match = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if match:
        return f"; did you mean `{match[0]}`?"
    return f"; known are: {', '.join(names)}" if names else ""


def _keys_beside(model: type[BaseModel], location: Path_) -> list[str]:
    """The keys that the model in which an unknown key stands does know."""
    current: Any = model.model_json_schema(by_alias=True)
    definitions = current.get("$defs", {})
    for step in location[:-1]:
        current = _schema_child(current, step, definitions)
    return sorted(_resolve(current, definitions).get("properties", {}))


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    options = [
        _resolve(option, definitions)
        for option in schema.get("anyOf", schema.get("allOf", []))
        if option.get("type") != "null"
    ]
    return options[0] if len(options) == 1 else schema


def _schema_child(schema: dict[str, Any], step: int | str, known: dict[str, Any]) -> dict[str, Any]:
    schema = _resolve(schema, known)
    if isinstance(step, int):
        return dict(schema.get("items", {}))
    return dict(schema.get("properties", {}).get(step, schema))


def _distinct(faults: list[Fault]) -> list[Fault]:
    return sorted(dict.fromkeys(faults), key=lambda fault: fault.line)


@cache
def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, for editors."""
    return model.model_json_schema(by_alias=True)
