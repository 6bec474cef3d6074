"""`do: filecopy` of dapu 0.8: from one folder of the machine to another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from dapu.convert.old_action import OldAction
from dapu.convert.old_project import as_mapping


def convert_filecopy(action: OldAction) -> list[dict[str, Any]]:
    """A copy between two `files` connections."""
    action.others("origin", "destination")
    origin, target = (as_mapping(action.keys.get(key)) for key in ("origin", "destination"))
    for key, place in (("origin", origin), ("destination", target)):
        if place.get("type", "task") != "fs" or not isinstance(place.get("dir"), str):
            action.fault(
                "is the work folder of a task, of which there is none here: what makes the file "
                "and what reads it become one action",
                key,
            )
            return []
    name = origin.get("file")
    if not isinstance(name, str) or target.get("file", name) != name:
        action.fault("a copy keeps its name here", "destination", "file")
        return []
    connection, folder = _place(action, origin)
    to, below = _place(action, target)
    made = {"do": "filecopy", "connection": connection, "file": str(folder / name), "to": to}
    return [made | ({"folder": str(below)} if below.parts else {})]


def _place(action: OldAction, place: Mapping[str, Any]) -> tuple[str, PurePosixPath]:
    """The connection that a folder is in, and the way from there. Makes one where there is none."""
    folder = PurePosixPath(str(place["dir"]))
    for name, path in action.around.folders.items():
        if folder.is_relative_to(path):
            return name, folder.relative_to(path)
    base = name = "_".join(["folder", *re.findall(r"\w+", str(folder), re.ASCII)])
    number = 1
    while name in action.around.folders:
        number += 1
        name = f"{base}_{number}"
    action.around.folders[name] = folder
    return name, PurePosixPath()
