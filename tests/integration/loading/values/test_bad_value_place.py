"""A value that does not fit is told by its own row, though texts before it have line ends."""

from __future__ import annotations

from itertools import product

import pyarrow as pa
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.rows.rows import ArrowRows, Column

TEXTS = ["plain", "a\nb\nc", "a\r\nb", "a\rb", ""]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_line_ends_in_texts_do_not_shift_the_row(connection: PgSession, size: int) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create table t (a text, n int)")
    for texts in product(TEXTS, repeat=3):
        for bad in range(1, len(texts) + 1):
            numbers = ["bad" if row == bad else "1" for row in range(1, len(texts) + 1)]
            batch = pa.record_batch([pa.array(texts), pa.array(numbers)], names=["a", "n"])
            rows = ArrowRows(
                [Column("a", "text"), Column("n", "integer")],
                [batch.slice(start, size) for start in range(0, len(texts), size)],
                locate=lambda row, column: f"row {row}, {column}!",
            )
            with pytest.raises(JobError, match=f"row {bad}, n!"), connection.cursor() as cursor:
                rows.fill(cursor, sql.Identifier("t"))
            connection.rollback()
