"""Switches of the whole warehouse: paused or not."""

from __future__ import annotations

import json
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry

PAUSED = "paused"


def pause(cursor: Cursor, registry: Registry, who: str) -> None:
    """From now on nothing is queued and no job is started."""
    registry.run(cursor, "control.set", name=PAUSED, value=json.dumps({"by": who}))


def resume(cursor: Cursor, registry: Registry) -> bool:
    """Ends a pause; False when there was none."""
    return registry.run(cursor, "control.clear", name=PAUSED) > 0


def paused(cursor: Cursor, registry: Registry) -> dict[str, Any] | None:
    """Who paused the warehouse, or None."""
    row = registry.row(cursor, "control.get", name=PAUSED)
    return None if row is None else dict(row[0])
