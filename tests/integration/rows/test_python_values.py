"""PostgreSQL's values in Python: exact, and else the text that they were."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.rows.python_values import read_exactly


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("date 'infinity'", "infinity"),
        ("date '0044-03-15 BC'", "0044-03-15 BC"),
        ("date '12024-01-01'", "12024-01-01"),
        ("date '2024-02-29'", date(2024, 2, 29)),
        ("timestamp '-infinity'", "-infinity"),
        ("timestamptz '0044-03-15 10:00 BC'", "0044-03-15 10:00:00+00 BC"),
        ("timestamptz '2024-02-29 10:00:00.5+02'", datetime(2024, 2, 29, 8, 0, 0, 500_000, UTC)),
        ("time '24:00'", "24:00:00"),
        ("timetz '24:00+02'", "24:00:00+02"),
        ("time '10:00'", time(10)),
        ("interval '1 month -1 day 24:00'", "1 mon -1 days +24:00:00"),
        ("array[date 'infinity', null, '2024-01-01']", ["infinity", None, date(2024, 1, 1)]),
        ("array[interval '1 month']", ["1 mon"]),
        ("array[array[time '24:00', '10:00']]", [["24:00:00", time(10)]]),
        ("'{\"a\": [1.10, 12345678901234567890.123]}'::jsonb",
         {"a": [Decimal("1.10"), Decimal("12345678901234567890.123")]}),
        ("'[0.1]'::json", [Decimal("0.1")]),
        ("null::interval", None), ("null::date", None), ("null::json", None),
    ],
)  # fmt: skip
def test_values(connection: PgSession, value: str, expected: Any) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
        read_exactly(cursor)
        cursor.execute(f"select {value}")
        assert cursor.fetchall() == [(expected,)]


def test_a_number_of_a_document_may_have_any_length(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        read_exactly(cursor)
        cursor.execute("select (repeat('9', 5000))::jsonb")
        assert cursor.fetchall() == [(Decimal("9" * 5000),)]
