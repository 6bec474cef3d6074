"""A table as the database has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
    columns: list[TableColumn] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)


def tables_of(
    cursor: Cursor, names: Sequence[str], *, with_columns: bool = True
) -> dict[str, Table]:
    """Tables by `schema.table`; without those that do not exist, and without rejected rows."""
    parts = [name.split(".", 1) for name in names]
    values = {"schemas": [one[0] for one in parts], "tables": [one[1] for one in parts]}
    cursor.execute(statement("page.tables"), values)
    found = {f"{schema}.{name}": Table(*row) for schema, name, *row in cursor.fetchall()}
    if with_columns:
        cursor.execute(statement("page.columns"), values)
        for schema, name, *column in cursor.fetchall():
            if f"{schema}.{name}" in found:
                found[f"{schema}.{name}"].columns.append(TableColumn(*column))
    return found


def table_of(cursor: Cursor, task: str) -> Table | None:
    """The table of a task; None where there is none."""
    _, schema, name = task.split(".", 2)
    found = tables_of(cursor, [f"{schema}.{name}"]).get(f"{schema}.{name}")
    return found and replace(found, rejected=_rejected(cursor, schema, name))


def _rejected(cursor: Cursor, schema: str, name: str) -> list[RejectedRow]:
    if not tables_of(cursor, [f"{schema}.{name}{SUFFIX}"], with_columns=False):
        return []
    beside = sql.Identifier(schema, name + SUFFIX)
    cursor.execute(compose("page.rejected", rejected=beside, most=sql.Literal(_REJECTED)))
    return [RejectedRow(*row) for row in cursor.fetchall()]
