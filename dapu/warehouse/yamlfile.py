"""YAML files read into typed models, with every fault reported as `file:line: what is wrong`."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from dapu.durations import write_duration
from dapu.errors import Fault, FaultyFile
from dapu.suggest import nearest

Model = TypeVar("Model", bound=BaseModel)
Steps = tuple[int | str, ...]
_MOST_VALUES = 1_000_000  # of one file, those that stand behind `*` counted wherever they do
_TABS = "; the line begins with a tab: indent with spaces"


class Strict(BaseModel):
    """A model that takes no keys but its own and cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Loader(yaml.CSafeLoader):
    """PyYAML's safe loader that refuses a key given twice and takes nothing for what it is not.

    Plain words are read as in the core schema of YAML 1.2, with one more step to the safe side:
    `no`, `12:30`, `2024-01-01` and `0123` stay the text that they are.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key `{key.value}` is given twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _refuse_tag(loader: _Loader, node: yaml.Node) -> Any:  # noqa: ARG001 - as PyYAML calls it
    # PyYAML's own message has the tag, which may be a password.
    raise yaml.constructor.ConstructorError(
        None, None, "a value that begins with `!` must stand in quotes", node.start_mark
    )


_Loader.add_constructor(None, _refuse_tag)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _whole = re.compile(rf"^(?:{_pattern})$")
    # The order counts: an int is not a float.
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole, _first)


class _Dumper(yaml.CSafeDumper):
    """Quotes each text that this reader or another, of YAML 1.1, would not take for a text."""

    yaml_implicit_resolvers = {
        first: [
            *yaml.CSafeDumper.yaml_implicit_resolvers.get(first, []),
            *_Loader.yaml_implicit_resolvers.get(first, []),
        ]
        for first in {*yaml.CSafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
    }


def as_yaml(value: Any, *, on_one_line: bool = False) -> str:
    """A value as text that reads back as the same value."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=2**20,
        default_flow_style=True if on_one_line else None,
    )
    return text.removesuffix("\n").removesuffix("\n...") if on_one_line else text


def _check_aliases(root: yaml.Node) -> None:
    """Raises ConstructorError where an anchor holds itself, or stands for more than a file can."""
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size_of(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in above:
            raise _refusal("holds itself", node)
        if id(node) not in sizes:
            above.add(id(node))
            pairs = isinstance(node, yaml.MappingNode)
            inside = [one for pair in node.value for one in pair] if pairs else node.value
            sizes[id(node)] = 1 + sum(map(size_of, inside))
            above.remove(id(node))
            if sizes[id(node)] > _MOST_VALUES:
                raise _refusal(f"stands for more than {_MOST_VALUES:,} values", node)
        return sizes[id(node)]

    size_of(root)


def _refusal(why: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(
        None, None, f"what is written here, with its anchors (`&` and `*`), {why}", node.start_mark
    )


def read_text(path: Path) -> str:
    """The file's text. Raises FaultyFile when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FaultyFile([Fault(path, 1, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise FaultyFile([Fault(path, 1, "is not UTF-8 text; save it as UTF-8")]) from None


@dataclass(frozen=True)
class Document:
    """A YAML file, or the part of it that stands at some path of keys and positions."""

    path: Path
    text: str
    at: Steps = ()

    def below(self, *steps: int | str) -> Document:
        """The part that stands at further steps."""
        return replace(self, at=self.at + steps)

    def parse(self) -> Any:
        """The whole file as plain Python values. Raises FaultyFile on a syntax error."""
        loader = None
        try:
            loader = _Loader(self.text)
            node = loader.get_single_node()
            if node is None:
                return None
            _check_aliases(node)
            return loader.construct_document(node)
        except RecursionError:
            raise FaultyFile([Fault(self.path, 1, "YAML: it is nested too deeply")]) from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            hint = _TABS if self._has_tab(line) else ""
            raise FaultyFile([Fault(self.path, line, f"YAML: {error.problem}{hint}")]) from None
        except (yaml.YAMLError, ValueError) as error:
            raise FaultyFile([Fault(self.path, 1, f"YAML: {error}")]) from None
        finally:
            if loader is not None:
                loader.dispose()

    def _has_tab(self, line: int) -> bool:
        """Whether a line is indented with a tab."""
        text = (self.text.split("\n")[line - 1 : line] or [""])[0]
        return "\t" in text[: len(text) - len(text.lstrip())]

    def fault(self, message: str, *steps: int | str) -> Fault:
        """What is wrong at some steps, on the line on which they stand."""
        return Fault(self.path, self.find(steps)[1], message)

    def find(self, steps: Steps) -> tuple[int, int]:
        """How many of the steps are there, and the line (from 1) to which they lead."""
        node, line, depth = _compose(self.text), 1, -len(self.at)
        for step in self.at + steps:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
            line, depth = mark.start_mark.line + 1, depth + 1
        return depth, line


def read_document(path: Path) -> Document:
    """Raises FaultyFile when the file cannot be read."""
    return Document(path, read_text(path))


@lru_cache(maxsize=4)  # of several faults of one file
def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, _Loader)
    except yaml.YAMLError:
        return None


def _child(node: yaml.Node | None, step: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """The node to point at, and the node to go on from, one step down."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def validate(model: type[Model], values: Any, documents: Iterable[Document]) -> Model:
    """The values as a `model`. Raises FaultyFile with one fault for each thing that is wrong.

    documents: where the values were written, see `fault_in`.
    """
    try:
        return model.model_validate({} if values is None else values)
    except ValidationError as error:
        found: dict[Steps, list[str]] = {}
        for detail in error.errors():
            steps = _steps_in_file(detail, values)
            found.setdefault(steps, []).append(_explain(detail, model, steps))
        places = list(documents)
        faults = [fault_in(places, _join(texts), *steps) for steps, texts in found.items()]
        raise FaultyFile(sorted(faults, key=lambda fault: fault.line)) from None


def read_model(model: type[Model], path: Path) -> Model:
    """A whole file as one `model`; an empty file is a model of defaults."""
    document = read_document(path)
    return validate(model, document.parse(), [document])


def fault_in(documents: Iterable[Document], message: str, *steps: int | str) -> Fault:
    """What is wrong at some steps, in the document in which they stand.

    documents: where several were merged, the one that counts most comes first.
    """
    # max gives the first of those that are equal.
    return max(documents, key=lambda one: one.find(steps)[0]).fault(message, *steps)


def _steps_in_file(detail: ErrorDetails, values: Any) -> Steps:
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


def _explain(detail: ErrorDetails, model: type[BaseModel], steps: Steps) -> str:
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


def _explain_tag(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    known = schema.get("discriminator", {}).get("mapping", {})
    tag = detail.get("ctx", {}).get("tag")
    key = detail["ctx"]["discriminator"].strip("'")
    if tag is None:
        return f"needs `{key}:`{nearest('', known)}"
    return f"unknown `{key}: {tag}`{nearest(str(tag), known)}"


def _join(texts: list[str]) -> str:
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


@cache
def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, for editors."""
    return model.model_json_schema(by_alias=True, schema_generator=_SchemaOfFile)


class _SchemaOfFile(GenerateJsonSchema):
    """Shows defaults as a person would write them in the file."""

    def encode_default(self, dft: Any) -> Any:
        """See `GenerateJsonSchema`, which writes lengths of time as `PT1M`."""
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


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
