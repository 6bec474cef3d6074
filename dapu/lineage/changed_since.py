"""Which tasks are not as a git reference has them: YAML as data, SQL by its syntax tree.

Comments, layout and the case of keywords change nothing. Of templates, and of SQL that sqlglot
cannot read, comments and white space are left out, and nothing else.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from dapu.definitions.folders import ROUTE_FILE, TASK_FILE
from dapu.errors import ConfigurationError
from dapu.statement import PASSED_OVER
from dapu.warehouse.settings import FILE as SETTINGS_FILE

if TYPE_CHECKING:
    from sqlglot import exp

_INHERITED = ("defaults", "variables", "connection", "timezone")  # of a route, of the warehouse
_SPACE = re.compile(r"\s+")


def changed_since(folder: Path, reference: str) -> set[str]:
    """The ids of the tasks that differ from a git reference, new ones included.

    folder: the warehouse directory, in a git working tree. Files that are not committed count.
    Raises ConfigurationError when git knows no such reference, or there is no git.
    """
    reference = reference or "HEAD"
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^0")
    if not commit:
        raise ConfigurationError(f"`changed:{reference}`: git knows no `{reference}` in {folder}")
    return set(_changed(folder, commit.strip()))


def _changed(folder: Path, commit: str) -> Iterator[str]:
    whole_routes: set[str] = set()
    paths = list(_different_files(folder, commit))
    old = _old_texts(folder, commit, paths)
    for path in paths:
        parts = PurePosixPath(path).parts
        if not _differs(path, old[path], _read(folder / path)):
            continue
        if path == SETTINGS_FILE:
            whole_routes.add("*")
        elif len(parts) == 3 and parts[0] == "routes" and parts[2] == ROUTE_FILE:
            whole_routes.add(parts[1])
        elif len(parts) > 4 and parts[0] == "routes":
            yield ".".join(parts[1:4])
    for route in whole_routes:
        for file in folder.glob(f"routes/{route}/*/*/{TASK_FILE}"):
            yield ".".join(file.parts[-4:-1])


def _different_files(folder: Path, commit: str) -> Iterator[str]:
    """Paths below the folder whose bytes differ, those that git does not know yet too."""
    wanted = ("--", "routes", SETTINGS_FILE)
    listed = _git(
        folder, "diff", "--name-only", "--no-renames", "--relative", "-z", commit, *wanted
    )
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", *wanted)
    yield from dict.fromkeys(path for path in f"{listed or ''}{new or ''}".split("\0") if path)


def _old_texts(folder: Path, commit: str, paths: Sequence[str]) -> dict[str, bytes | None]:
    """The files as the commit has them; None of those that it does not have."""
    asked = "".join(f"{commit}:./{path}\n" for path in paths).encode()
    command = ["git", "-C", str(folder), "cat-file", "--batch"]
    said = subprocess.run(command, input=asked, capture_output=True, check=False).stdout
    found: dict[str, bytes | None] = {}
    at = 0
    for path in paths:
        end = said.index(b"\n", at)
        head, at = said[at:end], end + 1
        found[path] = None
        if not head.endswith(b" missing"):
            size = int(head.rpartition(b" ")[2])
            found[path] = said[at : at + size]
            at += size + 1
    return found


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _differs(path: str, old: bytes | None, new: bytes | None) -> bool:
    if old is None or new is None or old == new:
        return old != new
    parts = PurePosixPath(path).parts
    if parts[-1].endswith((".yaml", ".yml")):
        return bool(_data(parts, old) != _data(parts, new))
    if parts[-1].endswith(".sql") and "ver" not in parts[4:]:  # a step is what it was, to the byte
        return not is_same_sql(old.decode(errors="replace"), new.decode(errors="replace"))
    return True


def _data(parts: Sequence[str], text: bytes) -> Any:
    """What a YAML file says of tasks; its bytes where it cannot be read."""
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        return text
    if len(parts) > 3 or not isinstance(values, dict):
        return values
    return {key: values.get(key) for key in _INHERITED}


def is_same_sql(old: str, new: str) -> bool:
    """Whether two texts are the same SQL."""
    if _bare(old) == _bare(new):
        return True
    if "{{" in old + new or "{%" in old + new:
        return False
    from sqlglot import parse
    from sqlglot.errors import SqlglotError

    try:
        before, after = (_written(parse(text, read="postgres")) for text in (old, new))
    except (SqlglotError, RecursionError):
        return False
    return bool(before == after)


def _written(trees: Sequence[exp.Expr | None]) -> list[str]:
    """The statements as sqlglot writes them, all in one way."""
    return [tree.sql("postgres", comments=False) for tree in trees if tree is not None]


def _bare(text: str) -> str:
    """Without comments; with one space for white space, but in quotes."""

    def passed(match: re.Match[str]) -> str:
        return " " if match[0].startswith(("--", "/*", "{#")) else match[0]

    bare = PASSED_OVER.sub(passed, text)
    pieces, at = [], 0
    for match in PASSED_OVER.finditer(bare):
        pieces += [_SPACE.sub(" ", bare[at : match.start()]), match[0]]
        at = match.end()
    return "".join([*pieces, _SPACE.sub(" ", bare[at:])]).strip()


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None when it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ConfigurationError("`changed:` needs git, which is not installed") from None
    if done.returncode and "not a git repository" in done.stderr:
        raise ConfigurationError(f"`changed:` needs git, and {folder} is in no git repository")
    return None if done.returncode else done.stdout
