"""A load asks once what its table is, and hands that on; again only after it has altered it."""

from __future__ import annotations

from typing import Any

import psycopg2.extensions
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.named_sql import statement
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName

NAME = TableName("staging", "sale")
COLUMNS = [Column("id", "integer"), Column("day", "date")]
DESCRIBE = statement("table.describe")


class Listening(psycopg2.extensions.cursor):
    """Counts how often the target is described."""

    described = 0

    def execute(self, query: Any, values: Any = None) -> None:
        if query == DESCRIBE and values == {"schema": NAME.schema, "table": NAME.table}:
            self.described += 1
        super().execute(query, values)


def described(session: PgSession, columns: list[Column], **options: Any) -> int:
    """How often a load of two rows describes the table."""

    def write(file: Any) -> None:
        file.write(b"1,2024-01-01\n2,2024-02-01\n")

    wanted = LoadOptions.model_validate({"do": "database", "key": ["id"], **options})
    with session, session.cursor(cursor_factory=Listening) as cursor:
        load(cursor, NAME, CopyRows(columns, "csv", write), wanted)
        return cursor.described


@pytest.mark.parametrize(
    "options",
    [
        {"load": "replace"},
        {"load": "replace", "on_bad_value": "null"},
        {"load": "append", "watermark": {"column": "day"}},
        {"load": "merge"},
        {"load": "snapshot"},
        {"load": "history"},
        {"load": "period", "period": {"column": "day", "by": "month"}},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values() if value != "replace"),
)
def test_each_mode_describes_its_table_once(connection: PgSession, options: dict[str, Any]) -> None:
    assert described(connection, COLUMNS, **options) == 1, "the table is made"
    assert described(connection, COLUMNS, **options) == 1, "the table exists"


def test_a_table_that_is_altered_is_described_again(connection: PgSession) -> None:
    described(connection, COLUMNS, load="merge")
    wider = [Column("id", "bigint"), Column("day", "date")]
    assert described(connection, wider, load="merge") == 2
