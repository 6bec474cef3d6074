"""Behind PgBouncer: a pool in session mode serves; one in another mode is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import ConfigurationError
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import Database, MakeWarehouse
from tests.services import unavailable
from tests.services.pgbouncer import installed, running_pgbouncer
from tests.support.command import dapu
from tests.support.components import a_task, one, registrar, rows, versioner
from tests.support.rounds import run_task

_ASKS = {
    "routes/r/route.yaml": "connection: main",
    "routes/r/s/t/task.yaml": "actions: [{do: transform, query: q.sql}]",
    "routes/r/s/t/q.sql": "select current_setting('timezone') as zone, "
    "timestamptz '2024-01-31 12:00:00+00'::date as day, 'ü' as text",
}
_COMMANDS = [
    *(["versioner"], ["registrar"], ["manager"], ["worker"], ["worker", "--processes", "2"]),
    *(["cleaner"], ["run", "r.s.t"], ["status"], ["query", "select 1"], ["pause"]),
]


@pytest.fixture(scope="module")
def pgbouncer() -> str:
    """PgBouncer's."""
    program = installed()
    if program is None:
        unavailable("PgBouncer is not installed (Debian's pgbouncer)")
    return program


@contextmanager
def pooled(
    program: str, database: Database, mode: str, *, ignores_options: bool = True
) -> Iterator[str]:
    """A connections.yaml whose `main` leads through a pooler."""
    with running_pgbouncer(program, database.server, mode, ignores_options=ignores_options) as port:
        server = database.server
        direct = database.connections_yaml()
        yield direct.replace(str(server.socket_directory), "127.0.0.1").replace(
            f"port: {server.port}", f"port: {port}"
        )


@pytest.mark.parametrize("ignores", [True, False], ids=["options ignored", "options refused"])
def test_a_pool_of_sessions_keeps_the_warehouse_s_settings(
    pgbouncer: str,
    database: Database,
    connection: PgSession,
    make_warehouse: MakeWarehouse,
    ignores: bool,
) -> None:
    with pooled(pgbouncer, database, "session", ignores_options=ignores) as connections:
        extra = "  extra: {options: '-c search_path=public -c work_mem=5MB'}\n"
        zone = {"warehouse.yaml": "timezone: Pacific/Auckland"}
        folder = make_warehouse({**_ASKS, **zone, "connections.yaml": connections + extra})
        versioner(folder)
        registrar(folder)
        for _ in range(2):  # what a job leaves behind is undone, the settings are not
            assert run_task(folder, "r.s.t").status == "done"
            assert rows(connection, "select zone, day::text, text from s.t") == [
                ("Pacific/Auckland", "2024-02-01", "ü")
            ]
        with open_warehouse(folder).session("test") as session, session.cursor() as cursor:
            cursor.execute("show work_mem")
            assert cursor.fetchone() == ("5MB",)
            assert session.is_pooled
            assert session.given_path == "public"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pool_of_transactions_is_refused_by_every_command(
    pgbouncer: str,
    database: Database,
    connection: PgSession,
    make_warehouse: MakeWarehouse,
    mode: str,
) -> None:
    folder = make_warehouse(a_task("r.s.t"))
    (folder / "routes/r/route.yaml").touch()
    versioner(folder)
    registrar(folder)
    with pooled(pgbouncer, database, mode) as connections:
        (folder / "connections.yaml").write_text(connections)
        for command, *more in _COMMANDS:
            done = dapu(command, folder, *more)
            assert (done.status, done.out) == (2, ""), (command, done)
            assert "pool_mode = session" in done.err, (command, done)
            assert done.err.count("\n") == 1, (command, done)
    assert one(connection, "select count(*) from meta.agenda") == 0


def test_a_pool_of_transactions_is_seen_while_others_use_it(
    pgbouncer: str, database: Database, make_warehouse: MakeWarehouse
) -> None:
    with pooled(pgbouncer, database, "transaction") as connections:
        warehouse = open_warehouse(make_warehouse({"connections.yaml": connections}))
        keywords = {**warehouse.connections["main"].libpq()}  # type: ignore[attr-defined]
        others = [psycopg2.connect(**keywords) for _ in range(3)]
        for other in others:  # each holds a server's session of its own
            other.cursor().execute("select 1")
        for _ in range(5):
            others[0].commit()
            with pytest.raises(ConfigurationError, match="pool_mode = session"):
                warehouse.connect("test")
            others[0].cursor().execute("select 1")
        for other in others:
            other.close()


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_source_behind_a_pooler_has_the_settings_that_its_connection_asks_for(
    pgbouncer: str,
    database: Database,
    connection: PgSession,
    make_warehouse: MakeWarehouse,
    mode: str,
) -> None:
    with pooled(pgbouncer, database, mode) as connections:
        source = connections.replace("name: main", "name: source")
        source += "  extra: {options: -c timezone=Asia/Tokyo}\n"
        folder = make_warehouse(
            {
                **_ASKS,
                "connections.yaml": database.connections_yaml() + source,
                "routes/r/route.yaml": "connection: source",
                "routes/r/s/t/task.yaml": "actions: [{do: database, query: q.sql}]",
            }
        )
        versioner(folder)
        registrar(folder)
        assert run_task(folder, "r.s.t").status == "done"
        assert rows(connection, "select zone, day::text, text from s.t") == [
            ("Asia/Tokyo", "2024-01-31", "ü")
        ]


def test_the_process_that_serves_a_pooled_job_is_known(
    pgbouncer: str, database: Database, make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    with pooled(pgbouncer, database, "session") as connections:
        folder: Path = make_warehouse({"connections.yaml": connections})
        with open_warehouse(folder).session("test") as session, session.cursor() as cursor:
            cursor.execute("select 'here'")
            found = "select pid from pg_stat_activity where query like '%''here'''"
            assert one(connection, found) == session.backend
