"""YAML files read into typed models, with every fault reported as `file:line: what is wrong`."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dapu.errors import Fault, FaultyFile
from dapu.warehouse.explain_fault import Steps, explain, join, steps_in_file

Model = TypeVar("Model", bound=BaseModel)
_MOST_VALUES = 1_000_000  # of one file, those that stand behind `*` counted wherever they do
_TABS = "; the line begins with a tab: indent with spaces"


class Strict(BaseModel):
    """A model that takes no keys but its own and cannot be changed afterwards."""

    # A model is built when it is first used: a command uses few of those that it imports.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


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
            steps = steps_in_file(detail, values)
            found.setdefault(steps, []).append(explain(detail, model, steps))
        places = list(documents)
        faults = [fault_in(places, join(texts), *steps) for steps, texts in found.items()]
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
