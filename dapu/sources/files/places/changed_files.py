"""Which files are new, changed or as they were: what a task remembers of each that it has read.

A file is the same when its size and the server's mark of it are the same; where only the mark
differs (a file that was copied again), when its content is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dapu.sources.files.places.place import FoundFile

State = dict[str, Any]
_GONE: State = {"gone": True}


@dataclass
class Reading:
    """What is to be done about the files that are there now.

    files: those to read.
    changed: names of those among them that were read before, and differ now.
    remember: what to remember of files that are not read.
    """

    files: list[FoundFile]
    changed: list[str] = field(default_factory=list)
    remember: dict[str, State] = field(default_factory=dict)


def what_to_read(
    found: Sequence[FoundFile],
    seen: Mapping[str, State],
    how: str,
    hash_of: Callable[[FoundFile], str],
    *,
    only_new: bool,
    adds: bool = False,
) -> Reading:
    """Compares the files with what is remembered of them.

    how: a mark of all else that the rows depend on; when it has changed everything has.
    hash_of: the SHA-256 of a file's content, for which it is brought here.
    only_new: read the files that are new or changed; else all of them as soon as one is.
    adds: the rows of each content of a file stay: one that it had before is not read again.
    """
    reading = Reading([])
    there = {name: state for name, state in seen.items() if "gone" not in state}
    names = {file.name for file in found}
    reading.remember = {name: _GONE for name in there if name not in names}
    differs = bool(reading.remember)
    for file in found:
        before = there.get(file.name)
        now = None if before is None else _unchanged(file, before, hash_of)
        if adds and before is not None and now is None:
            now = _read_earlier(file, before, hash_of)
        if before is None or now is None:
            reading.files.append(file)
        elif now != before:
            reading.remember[file.name] = now
        if before is not None and now is None:
            reading.changed.append(file.name)
        differs = differs or now is None or (before or {}).get("how") != how
    if not only_new:
        reading.files = list(found) if differs else []
    return reading


def state_of(file: FoundFile, sha256: str, how: str, before: State | None = None) -> State:
    """What to remember of a file that was read. before: what was, with its contents."""
    state = {"size": file.size, "stamp": file.stamp, "sha256": sha256, "how": how}
    earlier = _contents(before) if before and "gone" not in before else []
    return state | ({"earlier": earlier} if earlier else {})


def _contents(state: State) -> list[str]:
    """The hashes of all contents that a file had when it was read."""
    return [*state.get("earlier", []), state["sha256"]]


def _read_earlier(
    file: FoundFile, before: State, hash_of: Callable[[FoundFile], str]
) -> State | None:
    """What to remember of a file that has a content again which was read; None of another."""
    sha256 = hash_of(file)
    if sha256 not in before.get("earlier", []):
        return None
    earlier = [one for one in _contents(before) if one != sha256]
    return before | {"size": file.size, "stamp": file.stamp, "sha256": sha256, "earlier": earlier}


def _unchanged(file: FoundFile, before: State, hash_of: Callable[[FoundFile], str]) -> State | None:
    """What to remember of a file that is as it was; None of one that is not."""
    if file.size is not None and file.size != before["size"]:
        return None
    if file.stamp and file.stamp == before["stamp"]:
        return before
    if hash_of(file) != before["sha256"]:
        return None
    return before | {"stamp": file.stamp}
