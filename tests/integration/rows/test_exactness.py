"""What PostgreSQL would change in silence: it is known, to Python and in SQL alike."""

from __future__ import annotations

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.rows.exactness import exactness, is_only_known_to_postgresql
from tests.support.exact_values import CHANGED, KEPT


@pytest.mark.parametrize(("type_name", "text"), [*CHANGED, *KEPT])
def test_a_change_is_known(connection: PgSession, type_name: str, text: str) -> None:
    one = exactness(type_name)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select %s::{type_name}", (text,))  # PostgreSQL takes it
        kept = True
        if one is not None:
            cursor.execute(sql.SQL("select {}").format(one.is_kept(sql.Literal(text))))
            (kept,) = cursor.fetchone() or (None,)
    assert kept is ((type_name, text) in KEPT)
    assert (one is None or one.reason(text) is None) is kept


@pytest.mark.parametrize("text", ["", "abc", "1e999999999", "0x1F", "٣:٤"])
def test_what_postgresql_refuses_itself_is_left_to_it(text: str) -> None:
    for type_name in ("numeric(10,2)", "real", "double precision", "date", "interval"):
        one = exactness(type_name)
        assert one is not None
        assert one.reason(text) is None


@pytest.mark.parametrize(
    ("type_name", "text", "kept"),
    [
        ("interval year to month", "1 year 2 mons", True),
        ("interval year to month", "1 year 2 mons 3 days", False),
        ("interval year", "P1Y2M", False),
        ("interval day to minute", "1 day 10:30", True),
        ("interval day to minute", "1 day 10:30:01", False),
        ("interval second(0)", "1.5 s", False),
    ],
)
def test_what_an_interval_leaves_out_only_postgresql_knows(
    connection: PgSession, type_name: str, text: str, kept: bool
) -> None:
    one = exactness(type_name)
    assert one is not None
    assert is_only_known_to_postgresql(type_name)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select format_type('interval'::regtype, null), null::{type_name}")
        cursor.execute(sql.SQL("select {}").format(one.is_kept(sql.Literal(text))))
        assert cursor.fetchone() == (kept,)
