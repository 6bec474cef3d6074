"""A warehouse whose route is generated, and loaded as it was generated."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import Database, MakeWarehouse
from tests.support.command import Finished, here
from tests.support.components import rows

ITEM = "create table item (id integer primary key, name text); insert into item values (1, 'x');"


class Generating:
    """A warehouse with a connection `erp`, and no route yet."""

    def __init__(
        self,
        make: MakeWarehouse,
        database: Database,
        session: PgSession,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self._make, self._database, self._capsys = make, database, capsys
        self.session = session
        self.folder = Path()

    def reads(self, connection: str) -> None:
        """Makes the warehouse. connection: the keys beside `name`."""
        lines = [line if line[:1] in "-#" else f"  {line}" for line in connection.splitlines()]
        entry = "\n".join(["- name: erp", *lines, ""])
        self.folder = self._make(
            {
                "warehouse.yaml": "defaults: {run: {retries: 0}}",
                "connections.yaml": self._database.connections_yaml() + entry,
            }
        )
        self.run("versioner")

    def run(self, command: str, *options: str, status: int = 0) -> Finished:
        """Runs a command of dapu."""
        done = here(self._capsys, command, self.folder, *options)
        assert done.status == status, done.text
        return done

    def generate(self, *options: str, status: int = 0) -> Finished:
        """Runs `dapu generate`."""
        return self.run("generate", "erp", "--schema", "staging", *options, status=status)

    def load(self) -> None:
        """What was generated is valid, registers and loads, as it is."""
        self.run("validate")
        self.run("registrar")
        self.run("manager")
        self.run("worker")

    def file(self, path: str) -> Path:
        """A file below the route's schema."""
        return self.folder / "routes/erp/staging" / path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse."""
        return rows(self.session, query)

    def types(self, table: str) -> dict[str, str]:
        """The types of a table's columns."""
        found = self.rows(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            f"where attrelid = 'staging.{table}'::regclass and attnum > 0 order by attnum"
        )
        return dict(found)


def sqlite(path: Path, script: str) -> str:
    """Makes a SQLite file; returns the connection to it."""
    with closing(sqlite3.connect(path)) as session:
        session.executescript(script)
    return f"url: sqlite:///{path}"


def postgres(database: Database, script: str) -> str:
    """Runs a script in the tests' database; returns a connection to it."""
    with closing(database.connect()) as session, session:
        session.cursor().execute(script)
    return (
        f"driver: pg\nhost: {database.server.socket_directory}\n"
        f"database: {database.name}\nusername: {database.server.username}"
    )
