"""A job that runs out of time is stopped wherever it is: also at its source."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import Worker
from tests.conftest import Database, MakeWarehouse
from tests.services.mariadb import MariaDB
from tests.support.command import wait_until
from tests.support.components import a_task, manager, one, rows
from tests.support.rounds import Seen, prepare

TASK = "r.s.t"
REGISTRY = Registry()
SLOW = 60  # seconds, if nothing stopped it
SHORT = "{timeout: 0.3 s, retries: 0}"
ENDLESS = (
    "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as i from n"
)


@pytest.fixture(autouse=True)
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch looks often, so that a test need not wait for seconds."""
    monkeypatch.setattr("dapu.worker.job_watch._INTERVAL", 0.05)


@pytest.fixture(autouse=True)
def nothing_runs_on(database: Database) -> Iterator[None]:
    """After each test no query of a job is left at work in the server."""
    yield
    query = "select count(*) from pg_stat_activity where state = 'active' and query ~ 'pg_sleep'"
    with closing(database.connect()) as connection:
        wait_until(lambda: one(connection, query + " and pid <> pg_backend_pid()") == 0, 5)


def run(folder: Path) -> Outcome:
    """One round, which must end long before the slow query would."""
    prepare(folder)
    manager(folder)
    seen, started = Seen(), time.monotonic()
    Worker(open_warehouse(folder), seen, minutes=1).run()
    assert time.monotonic() - started < SLOW / 4
    return seen.outcomes[TASK]


def pulling(query: str, run: str) -> dict[str, str]:
    """The files of a task that pulls a query, whose route has the connection `source`."""
    task = f"actions: [{{do: database, query: q.sql}}]\nrun: {run}\n"
    files = {"task.yaml": task, "q.sql": query}
    return {
        "routes/r/route.yaml": "connection: source",
        **{f"routes/r/s/t/{name}": text for name, text in files.items()},
    }


def test_a_slow_query_in_the_warehouse(make_warehouse: MakeWarehouse) -> None:
    slow = {"run.sql": f"select pg_sleep({SLOW})"}
    outcome = run(make_warehouse({"routes/r/route.yaml": "", **a_task(TASK, slow, run=SHORT)}))
    assert outcome == Outcome("failed", 0, "timed out: it ran longer than 0.3 s")


def test_a_slow_check(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    files = {
        "run.sql": "create table public.made (id int)",
        "slow.sql": f"select 1 where pg_sleep({SLOW}) is null",
    }
    folder = make_warehouse(
        {"routes/r/route.yaml": "", **a_task(TASK, files, run=SHORT, checks="[{sql: slow.sql}]")}
    )
    assert run(folder).message == "timed out: it ran longer than 0.3 s"
    assert one(connection, "select to_regclass('public.made')") is None


@pytest.mark.parametrize(
    "query",
    [
        f"select 1 as id where pg_sleep({SLOW}) is not null",
        f"select i as id from generate_series(1, {SLOW * 10}) i where pg_sleep(0.1) is not null",
    ],
    ids=["before its first row", "between its rows"],
)
def test_a_slow_postgres_source(
    make_warehouse: MakeWarehouse, database: Database, connection: PgSession, query: str
) -> None:
    source = database.connections_yaml().replace("name: main", "name: source")
    connections = database.connections_yaml() + source
    folder = make_warehouse({"connections.yaml": connections, **pulling(query, SHORT)})
    outcome = run(folder)
    assert outcome == Outcome("failed", 0, "timed out: it ran longer than 0.3 s")
    assert one(connection, "select to_regclass('s.t')") is None


def test_a_slow_sqlite_source(make_warehouse: MakeWarehouse, database: Database) -> None:
    connections = database.connections_yaml() + "- {name: source, url: sqlite:///source.db}\n"
    folder = make_warehouse({"connections.yaml": connections, **pulling(ENDLESS, SHORT)})
    (folder / "source.db").touch()
    assert run(folder) == Outcome("failed", 0, "timed out: it ran longer than 0.3 s")


def test_a_slow_mariadb_source(
    make_warehouse: MakeWarehouse, database: Database, mariadb: MariaDB
) -> None:
    connections = (
        f"{database.connections_yaml()}- {{name: source, url: '{mariadb.url('mysql')}'}}\n"
    )
    folder = make_warehouse(
        {"connections.yaml": connections, **pulling(f"select sleep({SLOW}) as id", SHORT)}
    )
    assert run(folder) == Outcome("failed", 0, "timed out: it ran longer than 0.3 s")
    with mariadb.connect() as session, session.cursor() as cursor:

        def asleep() -> int:
            cursor.execute(
                "select count(*) from information_schema.processlist where info like '%sleep(60%'"
                " and id <> connection_id()"
            )
            return int(cursor.fetchall()[0][0])

        wait_until(lambda: not asleep(), 5)


def test_an_override_gives_more_or_less_time(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    slow = {"run.sql": f"select pg_sleep({SLOW})"}
    folder = make_warehouse(
        {"routes/r/route.yaml": "", **a_task(TASK, slow, run="{timeout: 1 hour, retries: 0}")}
    )
    prepare(folder)
    rows(connection, "insert into meta.override (task, timeout) values (%s, '200 ms')", [TASK])
    assert run(folder).message == "timed out: it ran longer than 0.2 s"


def test_a_job_that_timed_out_is_tried_again(make_warehouse: MakeWarehouse) -> None:
    files = a_task(
        TASK,
        {"run.sql": "select pg_sleep(case {{ task }} when 'r.s.t' then 30 end)"},
        run="{timeout: 0.2 s, retries: 1, retry_wait: 0.1 s}",
    )
    assert run(make_warehouse({"routes/r/route.yaml": "", **files})).status == "failed"


def test_a_timeout_of_nothing_is_none(make_warehouse: MakeWarehouse) -> None:
    slow = {"run.sql": "select pg_sleep(0.5)"}
    folder = make_warehouse({"routes/r/route.yaml": "", **a_task(TASK, slow, run="{timeout: 0}")})
    assert run(folder).status == "done"
