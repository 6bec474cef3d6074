"""A shop's database in MariaDB, for the tests of its reader."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import connection as PgSession

from dapu.sources.databases.mysql.source import MySqlSource
from dapu.warehouse.database_url import parse_database_url
from tests.services.mariadb import MariaDB
from tests.support.pull import Pulled, pull


class Shop:
    """A database of the tests' MariaDB."""

    def __init__(self, server: MariaDB) -> None:
        self.url = server.url("shop")
        self.session = server.connect()
        self.run("create or replace database shop", "use shop")

    def run(self, *statements: str, values: Any = None) -> None:
        with self.session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, values)

    def has(self, column: str, *values: str) -> None:
        """A table of one column with these values, given in SQL."""
        self.run("set sql_mode = ''", "set time_zone = '+00:00'")
        self.run(f"create or replace table t (id int auto_increment primary key, v {column})")
        self.run(f"insert into t (v) values {', '.join(f'({value})' for value in values)}")

    def open(self, **extra: Any) -> MySqlSource:
        return MySqlSource("shop", parse_database_url(self.url), extra)

    def pulled(
        self, target: PgSession, query: str = "select v from t order by id", **options: Any
    ) -> Pulled:
        return pull(target, self.open(), query, **options)
