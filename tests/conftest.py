"""What the tests share: a PostgreSQL, a database of its own for each test, warehouse directories.

With pytest-xdist each worker has servers of its own.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import psycopg2
import psycopg2.extensions
import pytest
from hypothesis import settings
from psycopg2 import sql

from dapu import secrets
from dapu.components.versioner import bring_up_to_date
from dapu.warehouse.warehouse import open_warehouse
from tests.services import unavailable
from tests.services.execute_server import ExecuteServer, running_execute
from tests.services.mariadb import MariaDB, missing_programs, running_mariadb
from tests.services.postgres import Postgres, running_postgres

# How long an example takes says how busy the machine is.
settings.register_profile("dapu", deadline=None)
settings.load_profile("dapu")

_TEMPLATE = "dapu_template"
_SERVERS = {
    "mariadb": "mariadb",
    "mapserver": "mapserver",
    "npm": "npm_packages",
    "odbc": "odbc_keys",
    "pgbouncer": "pgbouncer",
    "postgis": "postgis_server",
    "ssh": "ssh_server",
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """One database of the tests' PostgreSQL."""

    server: Postgres
    name: str

    @property
    def uri(self) -> str:
        """Its libpq URI."""
        return self.server.uri(self.name)

    def connect(self) -> psycopg2.extensions.connection:
        """Opens a connection; the test closes it."""
        return psycopg2.connect(self.uri)

    def connections_yaml(self) -> str:
        """Returns a connections.yaml whose `main` is this database."""
        return dedent(f"""\
            - name: main
              driver: pg
              host: {self.server.socket_directory}
              port: {self.server.port}
              database: {self.name}
              username: {self.server.username}
            """)


class MakeWarehouse(Protocol):
    """Writes a warehouse directory and returns its path."""

    def __call__(self, files: Mapping[str, str] | None = None, *, name: str = ...) -> Path:
        """Takes the text of each file by its path below the directory."""


def pytest_configure() -> None:
    """Forgets the PostgreSQL settings of whoever runs the tests: PGPORT, PGOPTIONS and so on."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test by the server it uses, so that `-m 'not mariadb'` leaves out all of them."""
    for item in items:
        for mark, fixture in _SERVERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> Iterator[None]:
    """A password of one test is an ordinary word in the next."""
    yield
    secrets._secrets.clear()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The PostgreSQL server of this worker."""
    with running_postgres(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """The database that each test's database is a copy of. Nothing may stay connected to it.

    It has a registry already: to make one for each test took a tenth of all their time.
    """
    postgres_server.execute(_create(_TEMPLATE, copy_of="template1"))
    database = Database(postgres_server, _TEMPLATE)
    with_registry(database, tmp_path_factory.mktemp("template"))
    return database


@pytest.fixture
def database(template: Database, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A new database for one test, with a registry unless it is marked `without_registry`."""
    server = template.server
    database = Database(server, f"test_{next(_numbers)}")
    empty = request.node.get_closest_marker("without_registry")
    server.execute(_create(database.name, copy_of="template1" if empty else template.name))
    yield database
    drop = sql.SQL("drop database {} with (force)")
    server.execute(drop.format(sql.Identifier(database.name)))


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg2.extensions.connection]:
    """An open connection to the test's database."""
    with closing(database.connect()) as connection:
        yield connection


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """The MariaDB server of this worker."""
    missing = missing_programs()
    if missing:
        unavailable(f"MariaDB is not installed: there is no {' and no '.join(missing)}")
    with running_mariadb() as server:
        yield server


@pytest.fixture
def execute() -> Iterator[ExecuteServer]:
    """An Execute server without documents."""
    with running_execute() as server:
        yield server


@pytest.fixture
def make_warehouse(tmp_path: Path, database: Database) -> MakeWarehouse:
    """Writes small warehouse directories, whose `main` is the test's database."""

    def make(files: Mapping[str, str] | None = None, *, name: str = "warehouse") -> Path:
        given = {path: dedent(text) for path, text in (files or {}).items()}
        defaults = {"warehouse.yaml": "", "connections.yaml": database.connections_yaml()}
        return write_files(tmp_path / name, {**defaults, **given})

    return make


def with_registry(database: Database, folder: Path) -> None:
    """Makes the registry of a warehouse without settings. folder: for that."""
    files = {"warehouse.yaml": "", "connections.yaml": database.connections_yaml()}
    bring_up_to_date(open_warehouse(write_files(folder, files)), lambda _: None)


def _create(name: str, *, copy_of: str) -> sql.Composable:
    # Where nothing is made durable, files are copied faster than logged.
    statement = sql.SQL("create database {} template {} strategy file_copy")
    return statement.format(sql.Identifier(name), sql.Identifier(copy_of))


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes files, by their paths below a folder, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder
