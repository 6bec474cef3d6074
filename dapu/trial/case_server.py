"""Where tests run: a PostgreSQL of their own, with all that the warehouse directory makes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import psycopg2
from psycopg2 import sql
from pydantic import SecretStr

from dapu.agents.installed import known_agents
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.errors import ConfigurationError, Fault
from dapu.named_sql import compose, statement
from dapu.warehouse import embedded
from dapu.warehouse.connection_kinds import PgConnection
from dapu.warehouse.connections import MAIN, Connections, read_connections
from dapu.warehouse.environment import read_environment
from dapu.warehouse.settings import read_settings
from dapu.warehouse.warehouse import Warehouse

_FAST = ("case.no_sync", "case.no_full_pages", "case.reload")


@dataclass(frozen=True)
class CaseServer:
    """A server, and a database on it that is made as the warehouse's files say.

    main: the connection to that database; its copies are those in which tests run.
    """

    main: PgConnection

    def copy(self, name: str) -> PgConnection:
        """A new database like it. name: for people, with letters alone."""
        return self._new(f"{self.main.database}_{name}_{os.getpid()}", self.main.database)

    def empty(self, name: str) -> PgConnection:
        """A new database without tables."""
        return self._new(f"{self.main.database}_{name}_{os.getpid()}", "template1")

    def _new(self, database: str, template: str) -> PgConnection:
        names = {"database": sql.Identifier(database), "template": sql.Identifier(template)}
        _execute(self.main, compose("case.create_database", **names))
        return self.main.model_copy(update={"database": database})


class _Environment(dict[str, str]):
    """A variable that is not set has some value: tests connect to nothing but their own server."""

    def __missing__(self, name: str) -> str:
        upper = name.upper()
        if upper.endswith(("URL", "URI", "DSN")):
            return "sqlite://"
        return "1" if "PORT" in upper else "a-value-for-tests"

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - as a dict has it
        """See `dict`."""
        return self[name]


def warehouse_on(folder: Path, main: PgConnection) -> Warehouse:
    """The warehouse of a directory, with another database as its own.

    Raises FaultyFile.
    """
    environment = _Environment(read_environment(folder))
    connections = dict(read_connections(folder, environment)) | {MAIN: main}
    return Warehouse(folder, read_settings(folder, environment), Connections(connections))


@contextmanager
def case_server(folder: Path, uri: str | None) -> Iterator[tuple[CaseServer, list[Fault]]]:
    """Starts a server, and makes the warehouse of a directory in it; with what is wrong there.

    uri: of another server instead, where databases of its own are made, and dropped at the end.
    """
    with _own_server() if uri is None else _given_server(uri) as main:
        server = CaseServer(main)
        try:
            names = {"database": sql.Identifier(main.database), "template": sql.SQL("template1")}
            _execute(main, compose("case.create_database", **names))
            warehouse = warehouse_on(folder, main)
            bring_up_to_date(warehouse, lambda _: None)
            reader = known_agents(warehouse.settings).reader(warehouse.settings)
            yield server, register(warehouse, reader, lambda _: None).faults
        finally:
            _drop_all(main)


@contextmanager
def _own_server() -> Iterator[PgConnection]:
    # Right below the folder for temporary files: the path of a socket must be short.
    folder = Path(mkdtemp(prefix="dapu-test-"))
    try:
        keywords = embedded.start(folder / "pg", "postgres")
        main = _connection(keywords)
        for name in _FAST:  # what a crash may cost is of no interest here
            _execute(main, sql.SQL(statement(name)))
        yield main
    finally:
        embedded.stop(folder / "pg")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _given_server(uri: str) -> Iterator[PgConnection]:
    try:
        yield _connection(psycopg2.extensions.parse_dsn(uri))
    except psycopg2.Error as error:
        raise ConfigurationError(f"--server: {str(error).strip()}") from None


def _connection(keywords: Mapping[str, Any]) -> PgConnection:
    given = dict(keywords)
    given.pop("dbname", None)
    known = {
        "host": given.pop("host", None),
        "port": int(given.pop("port", 5432)),
        "username": given.pop("user", None),
        "password": SecretStr(given.pop("password")) if "password" in given else None,
    }
    name = f"dapu_test_{uuid4().hex[:8]}"
    return PgConnection(name=MAIN, driver="pg", database=name, extra=given, **known)


def _execute(main: PgConnection, text: sql.Composable) -> list[tuple[Any, ...]]:
    """Runs a statement in the server's database `postgres`, where no transaction may hold it."""
    other = main.model_copy(update={"database": "postgres"})
    with closing(psycopg2.connect(**other.libpq())) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []


def _drop_all(main: PgConnection) -> None:
    text = compose("case.databases", prefix=sql.Literal(main.database))
    for (name,) in _execute(main, text):
        _execute(main, compose("case.drop_database", database=sql.Identifier(name)))
