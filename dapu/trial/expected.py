"""What a test expects of the tables, compared by the server as the columns' types compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.case_file import Expected, Row
from dapu.errors import ConfigurationError
from dapu.loading.table.relation import describe
from dapu.loading.values.rejected import SUFFIX
from dapu.named_sql import compose
from dapu.statement import TableName
from dapu.text import counted
from dapu.trial.given import as_json, check_column, table_named

_MOST = 10  # rows that are shown


def differences(cursor: Cursor, table: TableName, expected: Expected) -> list[str]:
    """What is otherwise than expected, a line each; none where all is.

    Raises ConfigurationError for a column that a table has not, or that some rows alone name.
    """
    found: list[str] = []
    if expected.rows is not None:
        found += _of_table(cursor, table, expected.rows)
    for name, rows in expected.tables.items():
        found += _of_table(cursor, table_named(name), rows)
    if expected.rejects is not None:
        found += _rejects(cursor, table.beside(SUFFIX), expected.rejects)
    return found


def _of_table(cursor: Cursor, table: TableName, rows: Sequence[Row]) -> list[str]:
    relation = describe(cursor, table)
    if relation is None:
        return [f"there is no table {table}"]
    known = [column.name for column in relation.columns]
    names = list(dict.fromkeys(name for row in rows for name in row)) or known
    for name in names:
        check_column(table, name, known)
        if any(name not in row for row in rows):
            raise ConfigurationError(
                f"{table}: some of the expected rows name the column `{name}`, and some do not: "
                "name the same in all of them (`null` where there is no value)"
            )
    types = {column.name: column.type for column in relation.columns}
    texts = sql.SQL(", ").join(_as_text(name, types[name]) for name in names)
    text = compose("case.differing", table=table.identifier, columns=texts)
    try:
        cursor.execute(text, {"rows": as_json(rows), "most": _MOST})
    except psycopg2.DataError as error:
        said = error.diag.message_primary
        raise ConfigurationError(
            f"{table}: a value is expected that its column cannot have: {said}"
        ) from None
    return [_line(table, names, side, row) for side, row in cursor.fetchall()]


def _as_text(name: str, kind: str) -> sql.Composed:
    """A column as a text that is the same where its values are: 2.5 is 2.50."""
    form = "{0}::text as {0}"
    if kind.startswith("numeric") and not kind.endswith("]"):
        form = "pg_catalog.trim_scale({0})::text as {0}"
    elif kind == "json":
        form = "{0}::jsonb::text as {0}"
    return sql.SQL(form).format(sql.Identifier(name))


def _line(table: TableName, names: Sequence[str], side: str, row: dict[str, Any]) -> str:
    shown = ", ".join(f"{name}: {json.dumps(row[name], ensure_ascii=False)}" for name in names)
    return f"{table}: {side} {{{shown}}}"


def _rejects(cursor: Cursor, table: TableName, expected: int | list[Row]) -> list[str]:
    count = 0
    if describe(cursor, table) is not None:
        cursor.execute(compose("case.count", table=table.identifier))
        (count,) = cursor.fetchone() or (0,)
    wanted = expected if isinstance(expected, int) else len(expected)
    if count != wanted:
        return [f"{table}: {counted(count, 'row')}, where {wanted} are expected"]
    if isinstance(expected, int) or not expected:
        return []
    names = list(dict.fromkeys(name for row in expected for name in row))
    rows = [{name: row.get(name) for name in names} for row in expected]
    values = {"rows": as_json(rows), "keys": names, "most": _MOST}
    cursor.execute(compose("case.rejected", table=table.identifier), values)
    return [_line(table, names, side, row) for side, row in cursor.fetchall()]
