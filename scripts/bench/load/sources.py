"""What `bench load` reads: for each source its raw pipe, its connection and its peers' URLs."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from scripts.bench.environments import dapu_libraries
from scripts.bench.load.dapu_ways import postgres_connection
from scripts.bench.load.peers import PeerSource
from scripts.bench.measure import Command, Measured, run, run_pipe
from scripts.bench.servers import (
    TABLE,
    Postgres,
    definition,
    mariadb,
    program_version,
    with_header,
)
from tests.services.mariadb import MariaDB

SOURCE, WAREHOUSE = "source", "warehouse"
_RAW = "raw_lineitem"
_LIBRARIES = ("psycopg2-binary", "pyarrow", "connectorx", "SQLAlchemy", "PyMySQL")


@dataclass(frozen=True)
class Source:
    """A source with the rows in it.

    pipe: the plainest way to bring them into an empty table that has its primary key already;
    raw: what that way is. goal: what `dapu run` as a whole may take, by the pipe's time.
    connection: as it stands in connections.yaml. action: what reads it, where that is no query.
    """

    name: str
    title: str
    raw: str
    goal: float
    pipe: Callable[[], Measured]
    connection: Mapping[str, Any]
    peer: PeerSource
    action: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """Where the rows are."""

    postgres: Postgres
    mariadb: MariaDB | None
    sqlite: Path
    csv: Path

    def postgres_source(self) -> Source:
        """PostgreSQL to PostgreSQL."""
        server = self.postgres
        uri = server.uri(SOURCE)
        read = server.psql(SOURCE, f"copy {TABLE} to stdout (format binary)")
        write = server.psql(WAREHOUSE, f"copy {_RAW} from stdin (format binary)")
        return Source(
            "postgres",
            f"PostgreSQL {server.version()}",
            "psql COPY binary | psql COPY",
            0.90,
            lambda: run_pipe(read, write),
            postgres_connection(server, SOURCE),
            PeerSource(
                "postgres",
                _sling(f"{uri}?sslmode=disable", "public"),
                uri.replace("postgresql:", "postgresql+psycopg2:"),
                (uri.replace("@", ":none@") + "?sslmode=disable", f"public.{TABLE}"),
            ),
        )

    def mariadb_source(self) -> Source:
        """MariaDB to PostgreSQL."""
        assert self.mariadb is not None
        server = self.mariadb
        query = f"select * from {SOURCE}.{TABLE}"
        read = (*mariadb(server), "--quick", "-B", "-N", "-e", query)
        write = self.postgres.psql(WAREHOUSE, f"copy {_RAW} from stdin")
        url = server.url(SOURCE)
        plain = url.replace("mysql+pymysql:", "mysql:")
        version = program_version((*mariadb(server), "-N", "-B", "-e", "select version()"))
        return Source(
            "mariadb",
            f"MariaDB {version.partition('-')[0]}",
            "mariadb --quick -B | psql COPY",
            1.00,
            lambda: run_pipe(read, write),
            {"url": url},
            PeerSource("mariadb", _sling(plain, SOURCE), url, (plain, f"{SOURCE}.{TABLE}")),
        )

    def sqlite_source(self) -> Source:
        """SQLite to PostgreSQL; its pipe is the COPY of a CSV file of the same rows."""
        copy = f"\\copy {_RAW} from '{self.csv}' (format csv)"
        command = self.postgres.psql(WAREHOUSE, copy)
        return Source(
            "sqlite",
            f"SQLite {sqlite3.sqlite_version}",
            "psql \\copy of the rows as CSV",
            1.10,
            lambda: run(command),
            {"url": f"sqlite:///{self.sqlite}"},
            PeerSource(
                "sqlite",
                _sling(f"sqlite://{self.sqlite}", "main"),
                f"sqlite:///{self.sqlite}",
                (f"sqlite:///{self.sqlite}", TABLE),
            ),
        )

    def csv_source(self) -> Source:
        """A CSV file to PostgreSQL."""
        file = with_header(self.csv)
        copy = f"\\copy {_RAW} from '{file}' (format csv, header)"
        command = self.postgres.psql(WAREHOUSE, copy)
        return Source(
            "csv",
            "CSV file",
            "psql \\copy",
            1.10,
            lambda: run(command),
            {"driver": "files", "path": str(file.parent)},
            PeerSource(
                "csv",
                ("--src-stream", f"file://{file}"),
                str(file),
                (f"csv://{file}", TABLE),
            ),
            {"do": "file", "file": file.name},
        )

    def empty_raw_table(self) -> None:
        """Makes the raw pipes' target anew."""
        self.postgres.execute(WAREHOUSE, f"drop table if exists {_RAW}")
        self.postgres.execute(WAREHOUSE, definition(_RAW))


def _sling(connection: str, schema: str) -> Command:
    return ("--src-conn", connection, "--src-stream", f"{schema}.{TABLE}")


def versions(places: Places) -> str:
    """What this measures with, in a line."""
    installed = dapu_libraries()
    found = [
        f"PostgreSQL {places.postgres.version()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"Python {platform.python_version()}",
        f"libpq {psycopg2.extensions.libpq_version()}",
        *(f"{name} {installed[name]}" for name in _LIBRARIES if name in installed),
    ]
    return ", ".join(found)
