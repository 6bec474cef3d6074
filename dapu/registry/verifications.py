"""What `dapu verify` found, for who must show it later."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from psycopg2.extensions import cursor as Cursor

from dapu.registry.store import Registry

Verdict = Literal["same", "different", "refused", "failed"]


class LastRun(NamedTuple):
    """A task's registered definition, and when its last good run ended."""

    hash: str
    at: datetime | None


@dataclass(frozen=True)
class StoredVerification:
    """A row of `meta.verification`, whose comments say what each is."""

    task: str
    hash: str
    verdict: Verdict
    message: str
    began_at: datetime
    by: str
    source: str | None = None
    run_at: datetime | None = None
    table_at: datetime | None = None
    source_at: datetime | None = None
    read_to: str | None = None
    table_rows: int | None = None
    source_rows: int | None = None
    blocks: int | None = None
    blocks_differing: int | None = None
    rows_read: int | None = None
    bytes_moved: int | None = None
    missing: int | None = None
    extra: int | None = None
    differing: int | None = None
    columns: list[str] | None = None
    pending: int | None = None
    not_compared: list[str] | None = None


def last_run(cursor: Cursor, registry: Registry, task: str) -> LastRun | None:
    """What is known of a task; None when it is not registered."""
    row = registry.row(cursor, "verify.registered", task=task)
    return None if row is None else LastRun(*row)


def add(cursor: Cursor, registry: Registry, found: StoredVerification) -> int:
    """Keeps a verification; returns its number."""
    row = registry.row(cursor, "verify.add", **asdict(found))
    assert row is not None
    return int(row[0])
