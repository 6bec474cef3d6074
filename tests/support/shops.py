"""A source database of one of the kinds that tests can start, to be changed between runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb

from tests.conftest import Database

IN_BLOCKS = """
    do: database
    query: q.sql
    load: snapshot
    key: [k]
    changes: blocks
    """
"""An action whose table has the key `k`."""


class _DuckDB:
    """A file that is open only for a statement: in one process none may write while one reads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: list[tuple[Any, ...]] = []

    def cursor(self) -> _DuckDB:
        return self

    def execute(self, statement: str) -> None:
        if statement not in ("begin", "commit"):
            with duckdb.connect(str(self._file)) as session:
                self._found = session.execute(statement).fetchall()

    def executemany(self, statement: str, rows: list[Any]) -> None:
        with duckdb.connect(str(self._file)) as session:
            session.executemany(statement, rows)

    def fetchone(self) -> tuple[Any, ...]:
        return self._found[0]

    def close(self) -> None:
        """It is closed."""


class Shop:
    """A source database of one of several kinds."""

    def __init__(self, kind: str, folder: Path, database: Database, request: Any) -> None:
        self.kind = kind
        if kind == "sqlite":
            self.url = f"sqlite:///{folder}/shop.db"
            self.session: Any = sqlite3.connect(folder / "shop.db", isolation_level=None)
        elif kind == "duckdb":
            self.url = f"duckdb:///{folder}/shop.duckdb"
            self.session = _DuckDB(folder / "shop.duckdb")
        elif kind == "postgresql":
            self.url = f"postgresql://{database.server.username}@/{database.name}" + (
                f"?host={database.server.socket_directory}"
            )
            self.session = database.connect()
            self.session.autocommit = True
        else:
            server = request.getfixturevalue("mariadb")
            self.session = server.connect()
            self.run("create or replace database blocks")
            self.session = server.connect("blocks")
            self.url = server.url("blocks")
        self.run("create table item (id int primary key, name varchar(40), price decimal(10,4))")
        self.run("create table numbers (n int)")
        many = ",".join(f"({n})" for n in range(1, 1501))
        self.run(f"insert into numbers values {many}")

    def run(self, statement: str) -> None:
        cursor = self.session.cursor()
        if self.kind == "mysql":
            statement = statement.replace("'item ' || n", "concat('item ', n)")
        cursor.execute(statement)
        if self.kind == "mysql":
            self.session.commit()
