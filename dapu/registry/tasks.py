"""Routes and tasks as last registered."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry.store import Registry
from dapu.suggest import nearest, unknown_task

if TYPE_CHECKING:
    from dapu.definitions.models import Route
    from dapu.definitions.reader import Definition


State = Literal["ready", "upgrading"]


class Source(NamedTuple):
    """Where definitions come from. by: `user@host`. git_commit: None where they are not in git."""

    by: str | None = None
    git_commit: str | None = None


def hashes(
    cursor: Cursor, registry: Registry, day_parts: Iterable[str], connections: Iterable[str]
) -> dict[str, str | None]:
    """The hash of each registered task; None where its files must be read anew.

    day_parts, connections: the names that there are.
    """
    found = registry.rows(
        cursor, "task.hashes", day_parts=list(day_parts), connections=list(connections)
    )
    return dict(found)


def masters(cursor: Cursor, registry: Registry) -> dict[str, list[str]]:
    """For each task that depends on others, the tasks that it depends on."""
    found: dict[str, list[str]] = {}
    for task, master in registry.rows(cursor, "task.dependencies"):
        found.setdefault(task, []).append(master)
    return found


def put_route(cursor: Cursor, registry: Registry, name: str, route: Route) -> None:
    """Registers a route."""
    registry.run(
        cursor,
        "task.put_route",
        route=name,
        description=route.name,
        connection=route.connection,
        concurrency=route.concurrency,
        disabled=route.disabled,
    )


def drop_routes(cursor: Cursor, registry: Registry, keep: Iterable[str]) -> None:
    """Removes routes that are not in `keep` and have no tasks."""
    registry.run(cursor, "task.drop_routes", routes=list(keep))


def put(
    cursor: Cursor,
    registry: Registry,
    definitions: Sequence[Definition],
    next_crons: dict[str, datetime],
    upgrading: Collection[str],
    source: Source,
) -> None:
    """Registers definitions with their dependencies; masters must be registered or among them.

    next_crons: for each cron task the next time that its expression gives.
    upgrading: the tasks that cannot be queued yet, for steps of their tables are to be applied.
    """
    rows = [
        (
            *_row(
                definition,
                next_crons,
                "upgrading" if definition.folder.id in upgrading else "ready",
            ),
            *source,
        )
        for definition in definitions
    ]
    registry.many(cursor, "task.put", rows)
    ids = [definition.folder.id for definition in definitions]
    registry.run(cursor, "task.drop_dependencies", tasks=ids)
    pairs = [
        (definition.folder.id, master)
        for definition in definitions
        for master in dict.fromkeys(definition.task.depends)
    ]
    registry.many(cursor, "task.put_dependencies", pairs)


def _row(definition: Definition, next_crons: dict[str, datetime], state: State) -> tuple[Any, ...]:
    folder, task, run = definition.folder, definition.task, definition.task.run
    values = task.model_dump(mode="json", by_alias=True, exclude_unset=True)
    values["variables"] = definition.variables
    return (
        folder.id,
        folder.route,
        folder.schema,
        folder.table,
        task.description,
        definition.hash,
        Json(values, dumps=_dumps),
        state,
        task.on_masters,
        task.least_pause,
        run.day_parts,
        run.cron,
        next_crons.get(folder.id),
        run.priority,
        run.retries,
        run.retry_wait,
        run.timeout,
        run.late_after,
        task.expect.fresh_within,
    )


def _dumps(value: Any) -> str:
    return json.dumps(value, default=str)  # YAML has dates


def unregister(cursor: Cursor, registry: Registry, tasks: Iterable[str]) -> list[str]:
    """Removes tasks; returns those that existed. Their tables stay, and their watermarks."""
    return [row[0] for row in registry.rows(cursor, "task.unregister", tasks=list(tasks))]


def set_state(cursor: Cursor, registry: Registry, tasks: Iterable[str], state: State) -> None:
    """Tasks without a fault are ready, or upgrading."""
    registry.run(cursor, "task.set_state", tasks=list(tasks), state=state)


def set_faults(cursor: Cursor, registry: Registry, faults: Mapping[str, str]) -> None:
    """Tasks are faulty: what is wrong, by task id."""
    registry.many(cursor, "task.set_faults", list(faults.items()))


def names(cursor: Cursor, registry: Registry) -> list[str]:
    """All task ids."""
    return [row[0] for row in registry.rows(cursor, "task.names")]


def check_known(cursor: Cursor, registry: Registry, task: str) -> None:
    """Raises ConfigurationError when there is no such task."""
    known = names(cursor, registry)
    if task not in known:
        raise unknown_task(task, known)


def faulty_overrides(cursor: Cursor, registry: Registry, day_parts: Iterable[str]) -> list[str]:
    """What overrides name that is not there, so that they do less or more than was meant.

    day_parts: those of warehouse.yaml.
    """
    override = f"{registry.schema}.{registry.prefix}override"
    known, faults = names(cursor, registry), list[str]()
    for task, is_known, parts in registry.rows(cursor, "task.overrides"):
        if not is_known:
            faults.append(
                f"{task}: {override} has a task that is not registered{nearest(task, known)}"
            )
        faults += [
            f"{task}: {override} has the day part `{part}`, which warehouse.yaml has not"
            f"{nearest(part, day_parts)}"
            for part in parts
            if part not in day_parts
        ]
    return faults


def put_overrides(cursor: Cursor, registry: Registry, rows: Sequence[tuple[Any, ...]]) -> None:
    """Overrides (task, pause, timeout, blacklisted, day_parts, note); those that exist stay."""
    registry.many(cursor, "task.put_overrides", list(rows))


def take_last_runs(
    cursor: Cursor, registry: Registry, runs: Sequence[tuple[str, datetime, datetime]]
) -> None:
    """When tasks that never ran here ran elsewhere: (task, started, ended)."""
    registry.many(cursor, "task.take_last_runs", list(runs))


def due_crons(cursor: Cursor, registry: Registry, now: datetime) -> list[tuple[str, str]]:
    """(task, cron expression) where the next time has come."""
    return [(row[0], row[1]) for row in registry.rows(cursor, "task.due_crons", now=now)]


def set_next_crons(cursor: Cursor, registry: Registry, times: dict[str, datetime]) -> None:
    """Sets the next time of cron tasks."""
    registry.many(cursor, "task.set_next_cron", list(times.items()))
