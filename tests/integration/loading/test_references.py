"""Tables whose rows those of other tables refer to."""

from __future__ import annotations

from typing import Any

import pytest

from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName

NAME = TableName("staging", "invoice")
COLUMNS = [Column("id", "integer"), Column("at", "date")]
MODES: dict[str, dict[str, Any]] = {
    "replace": {},
    "period": {"period": {"column": "at", "by": "month"}},
    "append": {"watermark": {"column": "at"}},
    "snapshot": {"key": ["id"]},
    "merge": {"key": ["id"]},
}


def _rows(file: Any) -> None:
    file.write(b"1,2024-01-01\n2,2024-01-02\n")


def _load(connection: Any, mode: str) -> None:
    options = LoadOptions.model_validate({"do": "database", "load": mode, **MODES[mode]})
    with connection, connection.cursor() as cursor:
        load(cursor, NAME, CopyRows(COLUMNS, "csv", _rows), options, scope="incremental")


def _lines(connection: Any, more: str = "") -> Any:
    """Rows of another table, of which one refers to an invoice. more: of the reference."""
    with connection, connection.cursor() as cursor:
        if more:
            cursor.execute(
                f"""
                create schema staging;
                create table staging.invoice (id integer primary key, at date);
                insert into staging.invoice values (1, '2024-01-01'), (2, '2024-01-02');
                create table staging.line (invoice integer references staging.invoice {more});
                insert into staging.line values (1), (null);
                """
            )
        cursor.execute("select invoice from staging.line order by 1")
        return cursor.fetchall()


@pytest.mark.parametrize("mode", ["replace", "period", "append"])
@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("on delete cascade", "rows of staging.line would be deleted, since its foreign key line_"),
        ("on delete set null", "rows of staging.line would lose what they refer to, since"),
        ("on delete no action", r"Key \(id\)=\(1\) is still referenced from table"),
    ],
)
def test_new_rows_take_nothing_away_from_other_tables(
    connection: Any, mode: str, reference: str, why: str
) -> None:
    before = _lines(connection, reference)
    with pytest.raises(JobError, match=f"{why}.*; give `load: snapshot`"):
        _load(connection, mode)
    assert _lines(connection) == before


@pytest.mark.parametrize("mode", ["replace", "period", "append"])
def test_what_a_publication_needs_is_reported(connection: Any, mode: str) -> None:
    _load(connection, "append")
    with connection, connection.cursor() as cursor:
        cursor.execute("create publication p for all tables")
    with pytest.raises(JobError, match="give the table a primary key"):
        _load(connection, mode)


@pytest.mark.parametrize("mode", ["snapshot", "merge"])
def test_a_row_that_stays_keeps_those_that_refer_to_it(connection: Any, mode: str) -> None:
    before = _lines(connection, "on delete cascade")
    _load(connection, mode)
    assert _lines(connection) == before


@pytest.mark.parametrize("mode", ["replace", "period", "append"])
def test_a_reference_can_wait_for_the_commit(connection: Any, mode: str) -> None:
    before = _lines(connection, "deferrable initially deferred")
    _load(connection, mode)
    assert _lines(connection) == before
