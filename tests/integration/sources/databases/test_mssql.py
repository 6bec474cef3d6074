"""SQL Server as a source: a stand-in plays the server and its driver (tests/services/tsql.py)."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import JobError, NotNative
from dapu.sources.databases.native_first import NativeFirst
from dapu.sources.databases.source import Source
from dapu.sources.databases.sqlalchemy.casting import CastingSource
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.sources.databases.subquery import between
from dapu.statement import Statement
from tests.services.tsql import as_pyodbc  # noqa: F401 - a fixture
from tests.support.pull import pull

NOW = datetime(2024, 2, 29, 10)
URL = make_url("mssql+pyodbc://me:secret@db/shop?driver=any")
SHOP = """
create table "Order" (id integer, "at" timestamp_ns, sent timestamptz, total decimal(10, 2),
    code uuid, note varchar, is_paid boolean, due date, slot time, score double, raw blob);
insert into "Order" values
    (1, '2024-02-29 10:00:00.123456', '2024-02-29 10:00:00.5+02', 12.50,
     '6f9619ff-8b86-d011-b42d-00c04fc964ff', '50% [off] "é"', true, '2024-03-01', '10:00:00.000001',
     0.1, '\\x00\\xff'::blob),
    (2, null, null, null, null, null, null, null, null, null, null);
"""


@pytest.fixture
def extra(tmp_path: Path, as_pyodbc: None) -> dict[str, str]:  # noqa: F811
    """What the driver is given: a shop."""
    file = str(tmp_path / "shop.duckdb")
    with closing(duckdb.connect(file)) as session:
        session.execute(SHOP)
    return {"file": file}


def native_first(extra: dict[str, str]) -> Source:
    native = CastingSource("shop", URL, extra)
    return NativeFirst(native, lambda: GenericSource("shop", URL, extra))


def test_every_value_arrives(extra: dict[str, str], connection: PgSession) -> None:
    arrived = pull(connection, native_first(extra), "select * from [Order]")
    assert arrived.how == "SQLAlchemy, mssql+pyodbc, exact texts"
    assert arrived.types == {
        "id": "integer", "at": "timestamp without time zone", "sent": "timestamp with time zone",
        "total": "numeric(10,2)", "code": "uuid", "note": "text", "is_paid": "boolean",
        "due": "date", "slot": "time without time zone", "score": "double precision",
        "raw": "bytea",
    }  # fmt: skip
    assert sorted(arrived.rows) == [
        ("1", "2024-02-29 10:00:00.123456", "2024-02-29 08:00:00.5+00", "12.50",
         "6f9619ff-8b86-d011-b42d-00c04fc964ff", '50% [off] "é"', "true", "2024-03-01",
         "10:00:00.000001", "0.1", "\\x00ff"),
        ("2", *[None] * 10),
    ]  # fmt: skip


def test_the_driver_alone_cannot_read_it(extra: dict[str, str], connection: PgSession) -> None:
    with pytest.raises(JobError, match="type -155 is not yet supported"):
        pull(connection, GenericSource("shop", URL, extra), "select * from [Order]")


def test_a_seventh_digit_is_refused(extra: dict[str, str], connection: PgSession) -> None:
    row = """insert into "Order" (id, "at") values (3, '2024-01-01 10:00:00.1234567')"""
    with closing(duckdb.connect(extra["file"])) as session:
        session.execute(row)
    with pytest.raises(JobError, match=r"column at .*1234567.* \(would be rounded\)"):
        pull(connection, native_first(extra), "select id, [at] from [Order]")


def test_bound_values_have_their_types(extra: dict[str, str]) -> None:
    query = Statement(("select id, note from [Order] where id < ", " and note like '50%'"), (2,))
    with closing(CastingSource("shop", URL, extra)) as source:
        rows = source.read(query, None)
        assert [column.type for column in rows.columns] == ["integer", "text"]


def test_a_query_that_cannot_stand_inside_another_is_read_by_the_driver(
    extra: dict[str, str], connection: PgSession
) -> None:
    query = "select id, note from [Order] order by id"
    with closing(CastingSource("shop", URL, extra)) as source, pytest.raises(NotNative):
        source.read(Statement((query,)), None)
    arrived = pull(connection, native_first(extra), query)
    assert "since it cannot stand inside another query" in arrived.how
    assert arrived.column("id") == ["1", "2"]


def test_a_broken_query_is_reported(extra: dict[str, str], connection: PgSession) -> None:
    with pytest.raises(JobError, match=r"`shop` refuses the query: .*nothing"):
        pull(connection, native_first(extra), "select * from nothing")


def test_a_watermark_reaches_to_the_end_of_the_millisecond(extra: dict[str, str]) -> None:
    """A `datetime` of .003 is .00333… to a bound, and pymssql sends three digits of a bound."""
    with closing(CastingSource("shop", URL, extra)) as source:
        query = Statement(("select * from [Order]",))
        bounded = between(query, "at", None, NOW, source.quote, slack=source.time_slack)
        assert bounded.values == (NOW, NOW + timedelta(milliseconds=1))
        assert list(source.read(bounded, None).columns)
