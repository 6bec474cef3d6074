"""What `dapu server` was asked for: requests, each run by a job of the agenda.

A request has a task of its own that stands in no file: the server registers it, on a route that
Registrar and Manager leave alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from dapu.registry import source_state
from dapu.registry.store import Registry

ROUTE = "dapu-server"  # no folder below routes/ can be called so
MARK = "request"  # how the hash of such a task begins
SOURCE = "connector"  # under which its states are kept
_RETRIES = {"read": 2}
Command = Literal["spec", "check", "discover", "read"]


@dataclass(frozen=True)
class Request:
    """One request.

    key: under which the caller looks for the answer. sync_id, task_id: of a read; and what comes
    after a discovery. parameters: the others, with the catalog, as JSON.
    secret: the configuration, encrypted.
    """

    command: Command
    package: str
    version: str
    parameters: str
    task: str
    key: str | None = None
    sync_id: str | None = None
    task_id: str | None = None
    started_by: str | None = None
    secret: str | None = None


class Unfinished(NamedTuple):
    """A job of a request that waits or runs."""

    job: int
    task_id: str | None
    status: str


def task_name(command: Command, name: str) -> str:
    """The id of a request's task. name: without dots."""
    return f"{ROUTE}.{command}.{name}"


def is_request(digest: str) -> bool:
    """Whether a registered task, by its hash, is one of a request: it has no folder."""
    return digest.partition(":")[0] == MARK


def take_turn(cursor: Cursor, registry: Registry, task: str) -> None:
    """Waits for whoever queues a request of the same task, until the transaction ends."""
    registry.run(cursor, "request.take_turn", key=registry.lock_key(f"request {task}"))


def unfinished(cursor: Cursor, registry: Registry, task: str) -> Unfinished | None:
    """The job of a task that waits or runs; a running one first."""
    row = registry.row(cursor, "request.unfinished", task=task)
    return None if row is None else Unfinished(*row)


def queue(
    cursor: Cursor,
    registry: Registry,
    request: Request,
    timeout: timedelta,
    *,
    full: bool = False,
    delay: timedelta = timedelta(0),
) -> int:
    """Stores a request with its task, and queues its job; returns the job's number.

    full: everything is to be read. delay: the job does not start before.
    """
    row = registry.row(cursor, "request.add", **request.__dict__)
    assert row is not None
    (number,) = row
    registry.run(cursor, "request.put_route", route=ROUTE)
    registry.run(
        cursor,
        "request.put_task",
        task=request.task,
        route=ROUTE,
        command=request.command,
        name=request.task.rpartition(".")[2],
        description=f"{request.command} of {request.package} {request.version}",
        hash=f"{MARK}:{number}",
        definition=Json({"actions": [{"do": "connector", "request": number}]}),
        retries=_RETRIES.get(request.command, 1),
        timeout=timeout,
    )
    row = registry.row(
        cursor, "request.queue", task=request.task, route=ROUTE, full=full, delay=delay
    )
    assert row is not None
    (job,) = row
    registry.run(cursor, "request.set_job", request=number, job=job)
    return int(job)


def set_states(
    cursor: Cursor, registry: Registry, task: str, entries: Mapping[str, Any], job: int
) -> None:
    """From where a read goes on, instead of where the last one ended."""
    source_state.reset(cursor, registry, task)
    source_state.remember(cursor, registry, task, SOURCE, entries, job)


def find(cursor: Cursor, registry: Registry, number: int) -> Request | None:
    """A request by its number."""
    row = registry.row(cursor, "request.find", request=number)
    if row is None:
        return None
    command, package, version, key, sync_id, task_id, started_by, parameters, secret, task = row
    started_by = None if started_by is None else json.dumps(started_by)
    return Request(
        command, package, version, parameters, task, key, sync_id, task_id, started_by, secret
    )


def answer(
    cursor: Cursor,
    registry: Registry,
    number: int,
    *,
    result: str | None = None,
    error: str | None = None,
    then_error: str | None = None,
) -> None:
    """Stores what came of a request, in the caller's transaction. result: JSON."""
    values = {"result": result, "error": error, "then_error": then_error}
    registry.run(cursor, "request.answer", request=number, **values)


def is_known(cursor: Cursor, registry: Registry, sync_id: str, task_id: str) -> bool:
    """Whether a read was asked for before, however it went."""
    row = registry.row(cursor, "request.is_known", sync_id=sync_id, task_id=task_id)
    return bool(row and row[0])


def find_reads(cursor: Cursor, registry: Registry, sync_id: str, task_id: str) -> Sequence[int]:
    """The jobs of a read that wait or run."""
    rows = registry.rows(cursor, "request.find_read", sync_id=sync_id, task_id=task_id)
    return [job for (job,) in rows]


def due(cursor: Cursor, registry: Registry) -> int:
    """How many jobs of requests could start now."""
    row = registry.row(cursor, "request.due", route=ROUTE)
    return int(row[0]) if row else 0


def counts(cursor: Cursor, registry: Registry) -> list[tuple[str, str, int]]:
    """(command, status of its job, how many)."""
    return [(row[0], row[1], row[2]) for row in registry.rows(cursor, "request.counts")]


def renewed(cursor: Cursor, registry: Registry, given: str) -> str | None:
    """What a connector made of a configuration, encrypted. given: its checksum."""
    row = registry.row(cursor, "request.renewed", given=given)
    return None if row is None else str(row[0])


def renew(cursor: Cursor, registry: Registry, given: str, secret: str) -> None:
    """Stores what a connector made of a configuration. given, secret: see `renewed`."""
    registry.run(cursor, "request.renew", given=given, secret=secret)


def prune(cursor: Cursor, registry: Registry, age: timedelta) -> int:
    """Deletes requests past their age, but for the last of each task; returns how many."""
    return registry.run(cursor, "request.prune", age=age)
