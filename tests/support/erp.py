"""A PostgreSQL database to read from, for the tests of its reader."""

from __future__ import annotations

from contextlib import closing

from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.sources.databases.postgres.source import PostgresSource
from tests.conftest import Database
from tests.services.postgres import Postgres
from tests.support.pull import Pulled, as_texts, pull


def make_source(server: Postgres, name: str, encoding: str) -> Database:
    server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    create = "create database {} template template0 encoding {} lc_collate 'C' lc_ctype 'C'"
    server.execute(sql.SQL(create).format(sql.Identifier(name), sql.Literal(encoding)))
    return Database(server, name)


def run(database: Database, statements: str) -> None:
    with closing(database.connect()) as session, session, session.cursor() as cursor:
        cursor.execute(statements)


def texts(database: Database, query: str) -> list[tuple[str | None, ...]]:
    """A query's values as PostgreSQL writes them in its text form."""
    with closing(database.connect()) as session, session.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'; set extra_float_digits = 1")
        cursor.execute("set intervalstyle = postgres; set datestyle = iso")
        cursor.execute(f"select * from ({query}\n) q limit 0")
        assert cursor.description is not None
        names = as_texts(column.name for column in cursor.description)
        cursor.execute(f"select {names} from ({query}\n) q".replace("%", "%%"))
        return cursor.fetchall()


def open_it(database: Database) -> PostgresSource:
    return PostgresSource("erp", {"dsn": database.uri})


def assert_arrives(target: PgSession, source: Database, query: str) -> Pulled:
    """Pulls a query twice: into a new table, and into the table that is there then."""
    expected = texts(source, query.rstrip().removesuffix(";"))
    arrived = pull(target, open_it(source), query)
    assert arrived.rows == expected
    assert pull(target, open_it(source), query).rows == expected
    return arrived
