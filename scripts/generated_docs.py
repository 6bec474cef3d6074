#!/usr/bin/env python3
"""Write the parts of README.md and docs/ that say what the code says.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`. A new command, agent
or key appears in it by itself.

Usage: generated_docs.py [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from dapu.agents.installed import known_agents
from dapu.cli.main import cli
from dapu.definitions.grants import Group
from dapu.definitions.models import Route, Task
from dapu.loading.options import LoadOptions
from dapu.named_sql import registry_scripts
from dapu.warehouse.connection_kinds import Connection
from dapu.warehouse.explain_fault import json_schema
from dapu.warehouse.settings import Settings
from scripts.figures import HEADING, loading_figures

ROOT = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- generated: ([^\n]+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_TABLE_COMMENT = re.compile(r"^comment on table \{(\w+)\} is '((?:[^']|'')*)'", re.MULTILINE)
_WIDTH = 88  # columns of a command's help

Schema = dict[str, Any]


def pages() -> list[Path]:
    """README.md and every page below docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def renewed(page: Path) -> str:
    """The page's text with its generated parts as they should be."""

    def part(match: re.Match[str]) -> str:
        kind, _, argument = match[2].partition(" ")
        if kind not in _PARTS:
            sys.exit(f"{page}: no generated part `{kind}`; known are: {', '.join(_PARTS)}")
        return f"{match[1]}\n{_PARTS[kind](page, argument)}\n\n{match[4]}"

    return _PART.sub(part, page.read_text("utf-8"))


# The command line.


def commands(*, groups: bool = False) -> list[click.Context]:
    """Every command of `dapu`; with `groups` also those that only hold others."""
    root = _context(cli, "dapu", None)
    return [root, *_below(root, groups)] if groups else list(_below(root, groups))


def _below(parent: click.Context, groups: bool) -> Iterator[click.Context]:
    if not isinstance(parent.command, click.Group):
        return
    for name in parent.command.list_commands(parent):
        command = parent.command.get_command(parent, name)
        if command is None or command.hidden:
            continue
        context = _context(command, name, parent)
        if groups or not isinstance(command, click.Group):
            yield context
        yield from _below(context, groups)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        parent,
        name,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )


def _command_table(_page: Path, _argument: str) -> str:
    rows = [
        (f"`{_usage(context)}`", context.command.get_short_help_str(limit=200))
        for context in commands()
    ]
    return _table(("command", "what it does"), rows)


def _usage(context: click.Context) -> str:
    pieces = context.command.collect_usage_pieces(context)
    return " ".join([context.command_path, *(piece for piece in pieces if piece != "[OPTIONS]")])


def _command_help(_page: Path, _argument: str) -> str:
    return "\n\n".join(
        f"## {context.command_path}\n\n```text\n{context.get_help()}\n```"
        for context in commands(groups=True)
    )


# The keys of the YAML files.


def _file_keys(_page: Path, name: str) -> str:
    models: dict[str, type[BaseModel]] = {
        "warehouse.yaml": Settings,
        "route.yaml": Route,
        "task.yaml": Task,
        "load": LoadOptions,
        "group": Group,
    }
    return _key_table(models[name])


def _connection_keys(_page: Path, _argument: str) -> str:
    return "\n\n".join(
        f"### {_kind_of_connection(kind)}\n\n{_first_line(kind)}\n\n{_key_table(kind)}"
        for kind in _kinds(Connection)
    )


def _kinds(of: type[Connection]) -> Iterator[type[Connection]]:
    """The kinds that stand in files: those without kinds of their own."""
    for kind in of.__subclasses__():
        yield from _kinds(kind) if kind.__subclasses__() else [kind]


def _kind_of_connection(kind: type[Connection]) -> str:
    driver = json_schema(kind)["properties"].get("driver")
    return f"`driver: {driver['const']}`" if driver else "`url:`"


def _agent_table(page: Path, _argument: str) -> str:
    return _table(
        ("agent", "what it does"),
        [(_link(page, name), _first_line(agent.options)) for name, agent in agents().items()],
    )


def _link(page: Path, agent: str) -> str:
    target = agent_page(agent)
    label = f"`{agent}`"
    return f"[{label}]({os.path.relpath(target, page.parent)})" if target.exists() else label


def _option_table(_page: Path, agent: str) -> str:
    """The agent's own options; those that all agents share when they load stand elsewhere."""
    options = agents()[agent].options
    shared = _fields(LoadOptions) if issubclass(options, LoadOptions) else {}
    return _key_table(
        options, {name for name, field in _fields(options).items() if shared.get(name) == field}
    )


def _fields(model: type[BaseModel]) -> dict[str, str | None]:
    return {name: field.description for name, field in model.model_fields.items()}


@cache
def agents() -> dict[str, Any]:
    """The agents that dapu brings, by name; none of packages that happen to be installed."""
    known = known_agents(Settings())
    return {name: known[name] for name in sorted(known) if known[name].__module__[:5] == "dapu."}


def agent_page(name: str) -> Path:
    """Where an agent is documented."""
    return ROOT / "docs" / "agents" / f"{name}.md"


def _key_table(model: type[BaseModel], without: Collection[str] = ()) -> str:
    schema = json_schema(model)
    own = {name: key for name, key in schema["properties"].items() if name not in {"do", *without}}
    rows = _keys(schema | {"properties": own}, schema.get("$defs", {}))
    return _table(("key", "value", "default", "meaning"), rows)


def _keys(schema: Schema, known: Schema, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """A row for each key, those of mappings inside it included."""
    required = schema.get("required", [])
    # First the key that says which of several kinds this is.
    for name, key in sorted(schema["properties"].items(), key=lambda pair: "const" not in pair[1]):
        options = list(_options(key, known))
        values = dict.fromkeys(_value(option, known) for option in options)
        value = " or ".join(text for text in values if text != "null")
        default = "required" if name in required else _default(key)
        meaning = key.get("description") or (_summary(schema) if "const" in key else "")
        yield f"`{prefix}{name}`", value, default, meaning
        for option in options:
            yield from _keys_inside(option, known, f"{prefix}{name}")


def _keys_inside(option: Schema, known: Schema, prefix: str) -> Iterator[tuple[str, ...]]:
    if "properties" in option:
        yield from _keys(option, known, f"{prefix}.")
    for items, mark in ((option.get("items"), "[]"), (option.get("additionalProperties"), ".*")):
        for inner in _options(items, known) if isinstance(items, dict) else ():
            yield from _keys_inside(inner, known, prefix + mark)


def _options(key: Schema, known: Schema) -> Iterator[Schema]:
    """What a key may hold, one of several."""
    schema = _resolve(key, known)
    several = schema.get("anyOf") or schema.get("oneOf")
    if several is None:
        yield schema
        return
    for option in several:
        yield from _options(option, known)


def _summary(schema: Schema) -> str:
    return str(schema.get("description", "")).partition("\n")[0]


def _resolve(schema: Schema, known: Schema) -> Schema:
    reference = schema.get("$ref")
    return known[reference.rpartition("/")[2]] if reference else schema


def _value(schema: Schema, known: Schema) -> str:
    """What may stand there."""
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
        return ", ".join(f"`{text}`" for text in dict.fromkeys(texts))
    if examples := schema.get("examples"):
        return f"text like `{examples[0]}`"
    kind = schema.get("type", "")
    if isinstance(kind, list):  # one word, or a list
        word = str(schema["pattern"]).strip("^$")
        return f"`{word}`, {_value({**schema, 'type': 'array'}, known)}"
    if kind == "array":
        texts = (_value(option, known) for option in _options(schema.get("items", {}), known))
        inner = " or ".join(dict.fromkeys(texts))
        return f"list of {_PLURALS.get(inner, inner)}"
    return _WORDS.get(kind, "any value") + _limits(schema)


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "null": "null",
}


_PLURALS = {"whole number": "whole numbers", "number": "numbers", "mapping": "mappings"}


def _limits(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    above = schema.get("exclusiveMinimum")
    return "" if above is None else f" above {above:g}"


def _default(key: Schema) -> str:
    value = key.get("default")
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or isinstance(value, dict | list) or value == "":
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


# The registry.


def _registry_tables(_page: Path, _argument: str) -> str:
    # A later script may give a table another comment.
    found = dict(pair for one in registry_scripts() for pair in _TABLE_COMMENT.findall(one.text))
    return _table(
        ("table", "what it holds"),
        [(f"`meta.{name}`", comment.replace("''", "'")) for name, comment in found.items()],
    )


# The benches.


def _figures(_page: Path, _argument: str) -> str:
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    return _table(HEADING, loading_figures(text))


# Markdown.


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    cells = [[_cell(text) for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _cell(text: str) -> str:
    # What looks like a tag of HTML is one, unless it is code.
    pieces = re.split("(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(one if one[:1] == "`" else one.replace("<", "&lt;") for one in pieces)


_PARTS: dict[str, Callable[[Path, str], str]] = {
    "commands": _command_table,
    "help": _command_help,
    "keys": _file_keys,
    "connections": _connection_keys,
    "agents": _agent_table,
    "options": _option_table,
    "registry": _registry_tables,
    "figures": _figures,
}


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    check = parser.parse_args().check
    stale = [page for page in pages() if renewed(page) != page.read_text("utf-8")]
    for page in stale:
        name = page.relative_to(ROOT)
        if check:
            print(f"{name}: is not what the code says; run ./scripts/docs", file=sys.stderr)
        else:
            page.write_text(renewed(page), "utf-8")
            print(f"{name}: renewed")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
