"""What PostgreSQL would change in silence: it is known, to Python and in SQL alike."""

from __future__ import annotations

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.rows.exactness import exactness
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
