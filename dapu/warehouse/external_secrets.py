"""`${file:…}` and `${cmd:…}`: secrets that stand in a file, or that a command prints."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from dapu.bounded_command import run_bounded
from dapu.errors import FaultyText
from dapu.secrets import redact, remember

Kind = Literal["file", "cmd"]
PATIENCE = 30.0  # seconds for a command
_AT_ONCE = 8  # commands
_LARGEST = 1 << 20  # bytes; more is no secret
_SHOWN = 300  # characters of what a command says


def read_secret(kind: Kind, text: str, folder: Path) -> str:
    """The content of a file, or the output of a command, without the end of its last line.

    text: a path from `folder`, or a command line without a shell, run there. What comes is never
    shown from then on. Raises FaultyText, without what was read.
    """
    if not text.strip():
        raise FaultyText("names no file" if kind == "file" else "names no command")
    if "${" in text:
        raise FaultyText(f"`{text}` cannot have `${{` in it")
    value = _read_file(folder / Path(text).expanduser()) if kind == "file" else _run(text, folder)
    if isinstance(value, FaultyText):
        raise value
    for part in (value, *value.splitlines()):
        remember(part)
    return value


def run_ahead(commands: Iterable[str], folder: Path) -> None:
    """Runs several commands side by side; what they print is there when it is asked for."""
    known = [one for one in dict.fromkeys(commands) if one.strip() and "${" not in one]
    if not known:  # what is faulty is reported where it stands
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for command in known:
            threads.submit(_run, command, folder)


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _decoded(file.read(_LARGEST + 1), f"the file {path}")
    except OSError as error:
        raise FaultyText(f"the file {path} cannot be read: {error.strerror}") from None


@cache
def _run(command: str, folder: Path) -> str | FaultyText:
    """What the command prints, or what is wrong: one that fails is not run again either."""
    try:
        return _output(command, folder)
    except FaultyText as error:
        return error


def _output(command: str, folder: Path) -> str:
    shown = f"the command `{command}`"
    try:
        words = shlex.split(command)
    except ValueError as error:
        cut = ": a command cannot have a `}`" if "{" in command else ""
        raise FaultyText(f"{shown} is not a command line: {error}{cut}") from None
    try:
        done = run_bounded(words, seconds=PATIENCE, most=_LARGEST, folder=folder)
    except TimeoutError:
        raise FaultyText(f"{shown} took longer than {PATIENCE:g} seconds") from None
    except (OSError, ValueError) as error:
        raise FaultyText(f"{shown} cannot be run: {_why(error)}") from None
    if done.status:
        said = redact(done.error.decode(errors="replace").strip().rpartition("\n")[2])
        why = f": {said[:_SHOWN]}" if said else ""
        raise FaultyText(f"{shown} ended with status {done.status}{why}")
    return _decoded(done.out, shown, is_cut=done.is_cut)


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _decoded(content: bytes, what: str, *, is_cut: bool = False) -> str:
    if is_cut or len(content) > _LARGEST:
        raise FaultyText(f"{what} gives more than {_LARGEST:,} bytes, which is no secret")
    try:
        value = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise FaultyText(f"{what} does not give UTF-8 text") from None
    if not value:
        raise FaultyText(f"{what} gives nothing")
    if "\0" in value:
        raise FaultyText(f"{what} gives bytes that are zero, which no text has")
    return value
