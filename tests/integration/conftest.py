"""What several of these tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from tests.conftest import Database, MakeWarehouse, with_registry, write_files
from tests.services import mapserver as running
from tests.services import postgis, ssh, unavailable
from tests.services.https_files import HttpsFiles, running_https
from tests.services.mapserver import MapServer
from tests.services.mariadb import MariaDB
from tests.services.misbehaving_http import MisbehavingServer, misbehaving_http
from tests.services.postgres import Postgres
from tests.services.rest_task import Crm
from tests.services.s3 import S3, running_s3
from tests.services.ssh import Ssh
from tests.services.wfs_server import WfsServer
from tests.support import erp as erp_database
from tests.support.components import ROUTE, versioner
from tests.support.file_task import FileTask, Share
from tests.support.generating import Generating
from tests.support.maria_shop import Shop
from tests.support.one_task import OneTask
from tests.support.registering import MakeRoute


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    """A web server that does what the test says."""
    with misbehaving_http() as server:
        yield server


@pytest.fixture
def task(make_warehouse: MakeWarehouse, database: Database) -> OneTask:
    """A warehouse with one task."""
    return OneTask(make_warehouse, database)


@pytest.fixture
def make_route(make_warehouse: MakeWarehouse) -> MakeRoute:
    """A warehouse with a route `r` and what the test writes, its registry ready."""

    def make(files: dict[str, str]) -> Path:
        folder = make_warehouse({**ROUTE, **files})
        versioner(folder)
        return folder

    return make


@pytest.fixture
def generating(
    make_warehouse: MakeWarehouse,
    database: Database,
    connection: PgSession,
    capsys: pytest.CaptureFixture[str],
) -> Generating:
    """A warehouse whose route the test generates."""
    return Generating(make_warehouse, database, connection, capsys)


@pytest.fixture
def crm(task: OneTask, server: MisbehavingServer) -> Crm:
    """A task that reads the server as a web service."""
    return Crm(task, server)


@pytest.fixture
def wfs(server: MisbehavingServer) -> WfsServer:
    """The server as a WFS."""
    return WfsServer(server)


@pytest.fixture
def files(task: OneTask, tmp_path: Path) -> FileTask:
    """A task that reads files."""
    return FileTask(task, Share(tmp_path / "share"), "file")


@pytest.fixture
def excel(task: OneTask, tmp_path: Path) -> FileTask:
    """A task that reads workbooks."""
    return FileTask(task, Share(tmp_path / "share"), "excel")


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets requests be sent again soon."""
    monkeypatch.setattr("dapu.sources.http.retry.FIRST_WAIT", 0.01)


@pytest.fixture(scope="session")
def postgis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL with PostGIS; its database `source` is what MapServer serves."""
    programs = postgis.installed()
    if programs is None:
        unavailable("PostGIS is not installed (Debian's postgresql-postgis)")
    with postgis.running_postgis(programs) as server:
        for name in ("source", "target"):
            server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            with closing(psycopg2.connect(server.uri(name))) as session, session:
                session.cursor().execute("create extension postgis")
        with_registry(Database(server, "target"), tmp_path_factory.mktemp("template"))
        yield server


@pytest.fixture
def postgis_database(postgis_server: Postgres) -> Iterator[Database]:
    """A new database with PostGIS for one test."""
    database = Database(postgis_server, f"test_{uuid4().hex}")
    name = sql.Identifier(database.name)
    postgis_server.execute(sql.SQL("create database {} template target").format(name))
    yield database
    postgis_server.execute(sql.SQL("drop database {} with (force)").format(name))


@pytest.fixture
def postgis_task(tmp_path: Path, postgis_database: Database) -> OneTask:
    """A warehouse with PostGIS and one task."""

    def make(files: Mapping[str, str] | None = None, *, name: str = "warehouse") -> Path:
        return write_files(tmp_path / name, {"warehouse.yaml": "", **(files or {})})

    return OneTask(make, postgis_database)


@pytest.fixture(scope="session")
def mapserver(
    postgis_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MapServer]:
    """MapServer over the tables of the database `source`."""
    program = running.installed()
    if program is None:
        unavailable("MapServer is not installed (Debian's cgi-mapserver)")
    with running.running_mapserver(program, tmp_path_factory.mktemp("mapserver")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """An S3 server."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[Ssh]:
    """An OpenSSH server that gives out a folder."""
    program = ssh.installed()
    if program is None:
        unavailable("OpenSSH's server is not installed (Debian's openssh-server)")
    with ssh.running_ssh(program) as server:
        yield server


@pytest.fixture(scope="session")
def https_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsFiles]:
    """A web server that gives out a folder."""
    with running_https(tmp_path_factory.mktemp("https")) as server:
        yield server


@pytest.fixture
def source(database: Database) -> Any:
    """Runs SQL in the source, which stands in another schema of the test's database."""

    def run(statement: str) -> list[tuple[Any, ...]]:
        with database.connect() as session, session.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    run("create schema shop; create table shop.sale (id int, at timestamp, amount numeric)")
    return run


@pytest.fixture
def shop(mariadb: MariaDB) -> Iterator[Shop]:
    """A database of the tests' MariaDB, to read from."""
    shop = Shop(mariadb)
    with closing(shop.session):
        yield shop


@pytest.fixture(scope="module")
def erp(postgres_server: Postgres) -> Iterator[Database]:
    """A database to read from; each test makes its own tables."""
    database = erp_database.make_source(postgres_server, "read_source", "UTF8")
    yield database
    postgres_server.execute(sql.SQL("drop database read_source with (force)"))
