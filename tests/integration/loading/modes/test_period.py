"""`load: period`: the periods that occur in the source are replaced as a whole, others stay."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.loading.modes.period import period
from dapu.loading.options import PeriodOptions
from dapu.loading.table.relation import describe
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName

NAME = TableName("staging", "invoice")


def load(
    session: PgSession,
    *lines: str,
    by: Literal["day", "month", "year"] = "month",
    kind: str = "date",
    column: str = "day",
) -> str:
    def write(file: Any) -> None:
        file.write("\n".join([*lines, ""]).encode())

    rows = CopyRows([Column("day", kind), Column("amount", "bigint")], "csv", write)
    with session, session.cursor() as cursor:
        return str(
            period(cursor, NAME, describe(cursor, NAME), rows, PeriodOptions(column=column, by=by))
        )


def fetch(session: PgSession) -> list[tuple[str | None, int]]:
    with session.cursor() as cursor:
        cursor.execute("select day::text, amount from staging.invoice order by day, amount")
        return cursor.fetchall()


def test_months_that_came_again_are_replaced_and_others_stay(connection: PgSession) -> None:
    load(connection, "2024-01-05,1", "2024-02-01,2", "2024-02-29,3", "2024-03-01,4")
    assert load(connection, "2024-02-15,20") == "1 row, 1 month replaced, 2 old rows gone"
    assert fetch(connection) == [("2024-01-05", 1), ("2024-02-15", 20), ("2024-03-01", 4)]


def test_no_rows_replace_nothing(connection: PgSession) -> None:
    load(connection, "2024-01-05,1")
    assert load(connection) == "0 rows, 0 months replaced, 0 old rows gone"
    assert fetch(connection) == [("2024-01-05", 1)]


def test_rows_without_a_date_are_a_period_of_their_own(connection: PgSession) -> None:
    load(connection, "2024-01-05,1", ",2")
    load(connection, "2024-01-06,3")
    assert fetch(connection) == [("2024-01-06", 3), (None, 2)]
    load(connection, ",4")
    assert fetch(connection) == [("2024-01-06", 3), (None, 4)]


@pytest.mark.parametrize("kind", ["timestamp without time zone", "timestamp with time zone"])
@pytest.mark.parametrize(("by", "left"), [("day", [1, 9, 3]), ("year", [9, 3])])
def test_a_period_ends_where_the_next_begins(
    connection: PgSession, kind: str, by: Literal["day", "year"], left: list[int]
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("set timezone = 'Europe/Tallinn'")
    times = ["2024-06-30 23:59:59.999999,1", "2024-07-01 00:00,2", "2025-01-01 00:00,3"]
    load(connection, *times, kind=kind)
    load(connection, "2024-07-01 23:59,9", kind=kind, by=by)
    assert [amount for _, amount in fetch(connection)] == left


@pytest.mark.parametrize("kind", ["date", "timestamp with time zone"])
def test_infinity_is_a_period_of_its_own(connection: PgSession, kind: str) -> None:
    for amount in (1, 2):
        load(connection, f"infinity,{amount}", f"-infinity,{amount}", kind=kind)
    assert fetch(connection) == [("-infinity", 2), ("infinity", 2)]


def test_many_periods_are_replaced_at_once(connection: PgSession) -> None:
    lines = [f"{date(2020, 1, 1) + timedelta(days=n % 1200)},{n}" for n in range(60_000)]
    load(connection, *lines)
    with connection, connection.cursor() as cursor:
        cursor.execute("set statement_timeout = '2s'")
    assert "1,200 days replaced, 60,000 old rows gone" in load(connection, *lines, by="day")


def test_a_column_without_periods_is_reported(connection: PgSession) -> None:
    with pytest.raises(JobError, match=r"staging\.invoice is bigint; `load: period` needs a date"):
        load(connection, "2024-01-05,1", column="amount")
    with pytest.raises(JobError, match="have no column invoiced, which `period` names"):
        load(connection, "2024-01-05,1", column="invoiced")
