"""docs/types.md says what arrives."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.sources.databases.mysql.source import MySqlSource
from dapu.sources.databases.postgres.source import PostgresSource
from dapu.sources.databases.sqlalchemy.casting import CastingSource
from dapu.sources.databases.sqlite.source import SqliteSource
from dapu.statement import Statement
from dapu.warehouse.database_url import parse_database_url
from tests.conftest import Database
from tests.services.mariadb import MariaDB
from tests.support.pull import pull

PAGE = Path(__file__).parents[4] / "docs" / "types.md"


def rows_of(part: str) -> list[list[str]]:
    """The cells of a part's table, without its head."""
    found = re.search(rf"<!-- types: {part} -->(.*?)<!-- end -->", PAGE.read_text("utf-8"), re.S)
    assert found is not None
    _, _, *rows = found[1].strip().splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def types_of(part: str) -> list[tuple[str, str]]:
    """The source's type and the new table's, of each row."""
    return [(source.strip("`"), target.strip("`")) for source, target, _ in rows_of(part)]


def columns(types: list[tuple[str, str]]) -> str:
    return ", ".join(f"c{number} {source}" for number, (source, _) in enumerate(types))


def test_postgresql(database: Database, connection: PgSession) -> None:
    types = types_of("postgresql")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create table t ({columns(types)})")
    arrived = pull(connection, PostgresSource("erp", {"dsn": database.uri}), "select * from t")
    assert list(arrived.types.values()) == [target for _, target in types]
    assert arrived.how == "PostgreSQL, COPY text"


def test_mariadb(mariadb: MariaDB, connection: PgSession) -> None:
    types = types_of("mariadb")
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        cursor.execute("create or replace database types_page")
        nullable = columns(types).replace("timestamp(6)", "timestamp(6) null")
        cursor.execute(f"create table types_page.t ({nullable})")
    source = MySqlSource("erp", parse_database_url(mariadb.url("types_page")), {})
    arrived = pull(connection, source, "select * from t")
    assert list(zip([source for source, _ in types], arrived.types.values(), strict=True)) == types


def test_duckdb(tmp_path: Path, connection: PgSession) -> None:
    types = types_of("duckdb")
    url = make_url(f"duckdb:///{tmp_path}/t.duckdb")
    source = CastingSource("erp", url, {})
    source.rows(Statement((f"create table t ({columns(types)})",)))
    arrived = pull(connection, source, "select * from t")
    assert list(zip([source for source, _ in types], arrived.types.values(), strict=True)) == types


@pytest.mark.parametrize(("declared", "values", "target"), rows_of("sqlite"))
def test_sqlite(
    tmp_path: Path, connection: PgSession, declared: str, values: str, target: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as session:
        session.execute(f"create table t (v {declared.strip('`')})")
        for value in re.findall("`([^`]*)`", values):
            session.execute(f"insert into t values ({value})")
    arrived = pull(connection, SqliteSource("erp", str(tmp_path / "t.db")), "select v from t")
    assert arrived.types == {"v": target.strip("`")}
