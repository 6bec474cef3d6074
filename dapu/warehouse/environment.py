"""`${NAME}` and `${NAME:-default}` in files, filled from the environment or a `.env` file.

And `${file:PATH}` and `${cmd:COMMAND}` beside them, wherever a name may stand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dapu.errors import Fault, FaultyFile, FaultyText
from dapu.warehouse.explain_fault import Steps
from dapu.warehouse.external_secrets import Kind, read_secret, run_ahead
from dapu.warehouse.yamlfile import Document, read_text

_NAME = re.compile(r"\$\{(?:(file|cmd):(?!-)([^}]*)|(\w+)(?::-([^}]*))?)\}")
# `${X:1:2}` and `${X:?}` are a shell's, as in a command of `notify`.
_OTHER_KIND = re.compile(r"\$\{(?!(?:file|cmd):)(\w+:)[A-Za-z/~.]")
_COMMAND = re.compile(r"\$\{cmd:(?!-)([^}]*)\}")
# `//${USER}:${PASSWORD}@`, but no further than the host's name.
_USER_IN_URL = re.compile(r"(?<=://)(?:\$\{[^}]*\}|[^\s/?#@])*@")
_MISREAD = "what is filled in here would be read as something else; put it in other quotes, or none"
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=(.*)")
_QUOTED = re.compile(r"""\s*(['"])(.*?)\1\s*(?:\s#.*)?""")
_COMMENT = re.compile(r"\s#")


def read_environment(folder: Path, *files: str) -> dict[str, str]:
    """The process's environment, over what `.env` in the folder says (if it exists).

    files: others of that kind, each over the one after it; `.env` is over them all.
    """
    values: dict[str, str] = {}
    for name in reversed((".env", *files)):
        path = folder / name
        if path.exists():
            values |= _read_dotenv(path, values)
    return values | os.environ


def _read_dotenv(path: Path, before: Mapping[str, str]) -> dict[str, str]:
    """A value may have `${NAME}`, of the environment or of a line before; not in single quotes."""
    values, faults = dict[str, str](), list[Fault]()
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            faults.append(Fault(path, number, "is not NAME=value"))
        else:
            value, is_literal = _unquote(match[2])
            if not is_literal:
                filling = _Filling({**before, **values, **os.environ}, folder=path.parent)
                value = filling.replace(value)
                faults += [Fault(path, number, message) for message in filling.missing]
            values[match[1]] = value
    if faults:
        raise FaultyFile(faults)
    return values


def _unquote(value: str) -> tuple[str, bool]:
    """What stands behind the `=`, less quotes around it and a comment after it.

    And whether it stood in single quotes.
    """
    if quoted := _QUOTED.fullmatch(value):
        return quoted[2], quoted[1] == "'"
    return _COMMENT.split(value, maxsplit=1)[0].strip(), False


def fill_in_text(text: str, environment: Mapping[str, str], path: Path) -> str:
    """The text of a file with every `${NAME}` replaced.

    Raises FaultyFile with file and line of every name that is not set, and of every place where the
    text of a YAML file would say something else than the values that were filled in.
    """
    missing: list[Fault] = []
    lines = []
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        filling = _Filling(environment, folder=path.parent)
        lines.append(filling.replace(line))
        missing += [Fault(path, number, message) for message in filling.missing]
    if missing:
        raise FaultyFile(missing)
    filled = "".join(lines)
    if path.suffix in (".yaml", ".yml"):
        _check_meaning(Document(path, text), Document(path, filled), environment)
    return filled


def _check_meaning(before: Document, after: Document, environment: Mapping[str, str]) -> None:
    """A password with a `#` or a quote in it may be cut off, or end the text around it."""
    meant = fill_in(before.parse(), environment, before)
    try:
        steps = _difference(meant, after.parse())
    except FaultyFile as error:
        line = error.faults[0].line
        raise FaultyFile([Fault(before.path, line, _MISREAD)]) from None
    if steps is not None:
        raise FaultyFile([before.fault(_MISREAD, *steps)])


def _difference(meant: Any, said: Any, *steps: int | str) -> Steps | None:
    """Where two contents differ; None when they say the same."""
    if isinstance(meant, dict) and isinstance(said, dict) and meant.keys() == said.keys():
        parts = [(key, meant[key], said[key]) for key in meant]
    elif isinstance(meant, list) and isinstance(said, list) and len(meant) == len(said):
        parts = [(place, *pair) for place, pair in enumerate(zip(meant, said, strict=True))]
    else:
        same = str(meant).lower() == ("" if said is None else str(said).lower())
        return None if same or meant == said else steps
    found = (_difference(one, other, *steps, step) for step, one, other in parts)
    return next((steps for steps in found if steps is not None), None)


def fill_in(value: Any, environment: Mapping[str, str], document: Document) -> Any:
    """The parsed content of a file with every `${NAME}` in its strings replaced.

    It works on parsed values so that a password may hold any character; in the user's part of a
    URL it is percent-encoded.
    Raises FaultyFile with file and line of every name that is not set.
    """
    faults: list[Fault] = []
    run_ahead(_commands(value), document.path.parent)
    filled = _fill_in(value, environment, document, faults)
    if faults:
        raise FaultyFile(faults)
    return filled


def _commands(value: Any) -> Iterator[str]:
    """All that a file's content has to run; what is commented out is not."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _commands(item)
    elif isinstance(value, str):
        yield from _COMMAND.findall(value)


def _fill_in(
    value: Any, environment: Mapping[str, str], document: Document, faults: list[Fault]
) -> Any:
    if isinstance(value, dict):
        return {
            key: _fill_in(item, environment, document.below(key), faults)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _fill_in(item, environment, document.below(position), faults)
            for position, item in enumerate(value)
        ]
    if isinstance(value, str) and "${" in value:
        filling = _Filling(environment, folder=document.path.parent)
        value = filling.replace(value)
        faults += [document.fault(message) for message in filling.missing]
    return value


@dataclass
class _Filling:
    """folder: in which paths and commands begin. missing: what is wrong."""

    environment: Mapping[str, str]
    missing: list[str] = field(default_factory=list)
    folder: Path = Path()

    def replace(self, text: str) -> str:
        if other := _OTHER_KIND.search(text):
            self.missing.append(
                f"`${{{other[1]}…}}` is none of `${{NAME}}`, `${{NAME:-default}}`, "
                "`${file:PATH}` and `${cmd:COMMAND}`"
            )
        encoded = _USER_IN_URL.sub(
            lambda user: _NAME.sub(lambda name: quote(self._value(name), safe=""), user[0]), text
        )
        return _NAME.sub(self._value, encoded)

    def _secret(self, kind: Kind, text: str) -> str:
        try:
            return read_secret(kind, text, self.folder)
        except FaultyText as error:
            self.missing.append(f"${{{kind}:…}}: {error}")
            return ""

    def _value(self, match: re.Match[str]) -> str:
        kind, text, name, default = match.groups()
        if kind is not None:
            return self._secret("file" if kind == "file" else "cmd", text)
        if default and "${" in default:
            self.missing.append(f"the default of {name} cannot have `${{` in it: name it in .env")
        known = self.environment
        if name in known and (known[name] or default is None):
            return known[name]
        if default is None:
            # A list of all names would not help: only one that may be meant does.
            near = get_close_matches(name, known, n=1, cutoff=0.8)
            similar = f" (did you mean {near[0]}?)" if near else ""
            self.missing.append(
                f"the environment has no {name}{similar}"
                "; set it, or write it into .env beside this file"
            )
        return str(default or "")
