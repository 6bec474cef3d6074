"""Switches of the whole warehouse, and of routes: paused or not."""

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


def pause_route(cursor: Cursor, registry: Registry, route: str, who: str) -> bool:
    """From now on nothing of the route is queued or started; False when there is no such route."""
    return registry.run(cursor, "control.pause_route", route=route, who=who) > 0


def resume_route(cursor: Cursor, registry: Registry, route: str) -> bool | None:
    """Ends a route's pause; False when there was none, None when there is no such route."""
    row = registry.row(cursor, "control.resume_route", route=route)
    return None if row is None else bool(row[0])


def routes(cursor: Cursor, registry: Registry) -> dict[str, str | None]:
    """All registered routes, each with who paused it."""
    return dict(registry.rows(cursor, "control.routes"))
