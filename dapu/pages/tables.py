"""A table as the database has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.loading.values.rejected import SUFFIX
from dapu.named_sql import compose, statement

_REJECTED = 10  # rows that are shown


class TableColumn(NamedTuple):
    """A column of it."""

    name: str
    type: str
    is_required: bool
    comment: str | None


class RejectedRow(NamedTuple):
    """A row that it could not take. record: as JSON."""

    at: datetime
    reason: str
    record: str


@dataclass(frozen=True)
class Table:
    """The table. rows: about how many, by the statistics; size: bytes, with its indexes."""

    comment: str | None
    owner: str
    rows: int | None
    size: int
    columns: list[TableColumn]
    rejected: list[RejectedRow]


def table_of(cursor: Cursor, task: str) -> Table | None:
    """The table of a task; None where there is none."""
    _, schema, name = task.split(".", 2)
    place = {"schema": schema, "table": name}
    cursor.execute(statement("page.table"), place)
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(statement("page.columns"), place)
    columns = [TableColumn(*one) for one in cursor.fetchall()]
    comment, owner, rows, size = row
    return Table(comment, owner, rows, size, columns, _rejected(cursor, schema, name))


def _rejected(cursor: Cursor, schema: str, name: str) -> list[RejectedRow]:
    cursor.execute(statement("page.table"), {"schema": schema, "table": name + SUFFIX})
    if cursor.fetchone() is None:
        return []
    beside = sql.Identifier(schema, name + SUFFIX)
    cursor.execute(compose("page.rejected", rejected=beside, most=sql.Literal(_REJECTED)))
    return [RejectedRow(*row) for row in cursor.fetchall()]
