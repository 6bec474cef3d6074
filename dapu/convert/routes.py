"""route.yaml, with what operators changed in the table `route`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dapu.convert.connections import TARGET, NewConnections
from dapu.convert.old_project import Leftovers, OldFile
from dapu.registry.dapu_0_8 import OldRoute

_KNOWN = {"name", "type", "alias"}
_COMPONENTS = ("manager", "worker")  # for the new Registrar all tasks are new


@dataclass(frozen=True)
class NewRoute:
    """A route.yaml. is_draft: its connection could not be converted, so its tasks wait for it."""

    keys: dict[str, Any]
    old_connection: str
    is_draft: bool


def convert_route(
    name: str,
    file: OldFile,
    connections: NewConnections,
    changed: Mapping[str, OldRoute],
    left: Leftovers,
) -> NewRoute:
    """changed: the routes as they stand in the registry of 0.8, by name."""
    alias = str(file.keys.get("alias") or "")
    keys: dict[str, Any] = {}
    if file.keys.get("name"):
        keys["name"] = str(file.keys["name"])
    known = connections.names.get(alias or TARGET)
    if known is None:
        why = "could not be converted" if alias in connections.unknown else "is not in conf/"
        left.add(file.fault(f"the connection {alias} {why}; its tasks are drafts", "alias"))
        keys["defaults"] = {"status": "draft"}
    elif alias:
        keys["connection"] = known
    for key in file.keys.keys() - _KNOWN:
        if f"{name}_{key}" not in [entry["name"] for entry in connections.entries]:
            left.add(file.fault("has no match", key))
    keys |= _operators(name, file, changed, left)
    return NewRoute(keys, alias or TARGET, is_draft=known is None)


def _operators(
    name: str, file: OldFile, changed: Mapping[str, OldRoute], left: Leftovers
) -> dict[str, Any]:
    old, found = changed.get(name), dict[str, Any]()
    if old is None:
        return found
    if old.concurrency is not None and old.concurrency > 0:
        found["concurrency"] = old.concurrency
    elif old.concurrency is not None:
        left.add(file.fault(f"weight is {old.concurrency} in the table `route`; no job could run"))
    words = re.findall(r"\w+", old.disabled)
    disabled = [word for word in _COMPONENTS if word in words]
    if disabled:
        found["disabled"] = disabled
    for word in words:
        if word not in _COMPONENTS:
            left.add(file.fault(f"disabled is `{word}` in the table `route`, which has no match"))
    return found
