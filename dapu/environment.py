"""`${NAME}` and `${NAME:-default}` in files, filled from the environment or a `.env` file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dapu.errors import Fault, FaultyFile
from dapu.yamlfile import nearest, read_text

_NAME = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*")


def read_environment(folder: Path) -> dict[str, str]:
    """The process's environment, over what `.env` in the folder says (if it is there)."""
    path = folder / ".env"
    values = _read_dotenv(path) if path.exists() else {}
    return values | os.environ


def _read_dotenv(path: Path) -> dict[str, str]:
    values, faults = {}, []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            faults.append(Fault(path, number, "is not NAME=value"))
        else:
            values[match[1]] = _unquote(match[2])
    if faults:
        raise FaultyFile(faults)
    return values


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.partition(" #")[0].rstrip()


def fill_in_text(text: str, environment: Mapping[str, str], path: Path) -> str:
    """The text of a file with every `${NAME}` replaced.

    Raises FaultyFile that tells name, file and line of every name that is not set.
    """
    faults: list[Fault] = []
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        lines[index] = _replace(line, environment, path, index + 1, faults)
    if faults:
        raise FaultyFile(faults)
    return "".join(lines)


def fill_in(value: Any, environment: Mapping[str, str], path: Path, text: str) -> Any:
    """The parsed content of a file with every `${NAME}` in its strings replaced.

    It works on parsed values so that a password may hold any character.
    """
    faults: list[Fault] = []
    filled = _fill_in(value, environment, path, text, faults)
    if faults:
        raise FaultyFile(faults)
    return filled


def _fill_in(
    value: Any, environment: Mapping[str, str], path: Path, text: str, faults: list[Fault]
) -> Any:
    if isinstance(value, dict):
        return {k: _fill_in(v, environment, path, text, faults) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, environment, path, text, faults) for item in value]
    if isinstance(value, str) and "${" in value:
        line = 1 + text[: text.find(value)].count("\n")
        return _replace(value, environment, path, line, faults)
    return value


def _replace(
    text: str, environment: Mapping[str, str], path: Path, line: int, faults: list[Fault]
) -> str:
    def one(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name in environment and (environment[name] or default is None):
            return environment[name]
        if default is None:
            similar = nearest(name, [known for known in environment if known[:2] == name[:2]])
            faults.append(
                Fault(
                    path,
                    line,
                    f"the environment has no {name}{similar}"
                    f"; set it, or write it into .env beside this file",
                )
            )
            return ""
        return str(default)

    return _NAME.sub(one, text)
