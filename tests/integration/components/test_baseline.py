"""`dapu baseline`: tables that exist are taken up, and nothing is loaded twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.agents.incremental.sample_value import sample_value
from dapu.agents.installed import known_agents
from dapu.components.baseline import Baselined, baseline
from dapu.components.take_up_0_8 import TakenUp, take_up
from dapu.errors import ConfigurationError, DapuError, StepFault
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import Database, MakeWarehouse
from tests.support.components import one, queued, registrar, rows, versioner, write
from tests.support.dapu_0_8 import execute, make_registry
from tests.support.rounds import run_task

T = "routes/r/s/t"
TASK = """
run: {retries: 0}
actions:
- do: database
  query: extract.sql
  load: merge
  key: [id]
  watermark: {column: at}
"""
WAREHOUSE = {
    "routes/r/route.yaml": "",
    f"{T}/task.yaml": TASK,
    f"{T}/extract.sql": "select id, at from shop.sale",
    f"{T}/ver/001_create.sql": "create table s.t (id int primary key, at timestamp)",
    f"{T}/ver/002_index.sql": "create index t_at on s.t (at); comment on table s.t is 'Sales'",
}
THERE = """
create schema shop; create table shop.sale (id int, at timestamp);
insert into shop.sale select i, '2024-01-01'::timestamp + i * interval '1 day'
from generate_series(0, 9) i;
create schema s; create table s.t (id int primary key, at timestamp); create index t_at on s.t (at);
insert into s.t select id, at from shop.sale where id < 5;
"""


@pytest.fixture
def folder(make_warehouse: MakeWarehouse, database: Database) -> Path:
    """A warehouse whose one table exists, with half of its rows."""
    execute(database, THERE)
    folder = make_warehouse(WAREHOUSE)
    versioner(folder)
    return folder


def records(folder: Path, watermark: str | None = None, task: str = "r.s.t") -> Baselined:
    warehouse = open_warehouse(folder)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    [done] = baseline(warehouse, reader, partial(sample_value, warehouse), [task], watermark)
    return done


def test_table_that_exists_is_read_on_from_the_watermark(
    folder: Path, connection: PgSession
) -> None:
    done = records(folder, "2024-01-05 00:00")
    assert done.steps == ["001_create.sql", "002_index.sql"]
    assert done.watermark == "2024-01-05T00:00:00"
    rows(connection, "delete from shop.sale where id < 3")  # no longer there to be read again
    assert registrar(folder).faults == []
    outcome = run_task(folder, "r.s.t")
    assert (outcome.status, outcome.rows) == ("done", 6)
    assert rows(connection, "select count(*), min(id), max(id) from s.t") == [(10, 0, 9)]
    assert one(connection, "select job is not null from meta.watermark")


def test_without_it_the_registrar_cannot_make_the_table(folder: Path) -> None:
    [fault] = registrar(folder).faults
    assert "already exists" in fault.message
    records(folder)
    assert registrar(folder).faults == []


def test_nothing_is_left_of_the_trial(folder: Path, connection: PgSession) -> None:
    shape = """
        select n.nspname, c.relname, c.relkind, obj_description(c.oid) from pg_class c
        join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^(pg_|info|meta)'
        order by 1, 2
    """
    before = rows(connection, shape)
    records(folder)
    assert rows(connection, shape) == before
    assert one(connection, "select count(*) from s.t") == 5


@pytest.mark.parametrize(
    ("watermark", "says"),
    [
        ("yesterday", "yesterday is not a value of the column at, .* 2024-01-"),
        ("17", "17 is not a value of the column at"),
        ("2024-01-05 00:00+02:00", "is not a value of the column at"),
    ],
)
def test_watermark_of_another_kind_is_refused(
    folder: Path, connection: PgSession, watermark: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        records(folder, watermark)
    assert one(connection, "select count(*) from meta.migration where scope = 'r.s.t'") == 0


def test_time_without_a_zone_is_one_of_the_warehouse(folder: Path, connection: PgSession) -> None:
    write(folder, {"warehouse.yaml": "timezone: Europe/Tallinn"})
    rows(connection, "alter table shop.sale alter at type timestamptz")
    assert records(folder, "2024-01-05 00:00").watermark == "2024-01-05T00:00:00+02:00"


def test_missing_table_is_refused(folder: Path, connection: PgSession) -> None:
    rows(connection, "drop table s.t")
    with pytest.raises(ConfigurationError, match=r"r\.s\.t: there is no table s\.t"):
        records(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("alter table s.t add note text", r"they do not make note \(text\)"),
        ("alter table s.t drop at", r"it lacks at \(timestamp without time zone\)"),
        ("alter table s.t alter id type bigint", "id is bigint, and they make it integer"),
    ],
)
def test_steps_that_make_another_table_are_refused(
    folder: Path, connection: PgSession, change: str, says: str
) -> None:
    rows(connection, change)
    with pytest.raises(StepFault, match=rf"002_index\.sql:1: .*s\.t: {says}"):
        records(folder)


def test_step_that_fails_is_refused_with_its_line(folder: Path) -> None:
    write(folder, {f"{T}/ver/003_more.sql": "select 1;\n\nalter table s.t add x no_type"})
    with pytest.raises(StepFault, match=r"003_more\.sql:3: cannot be what was applied: .*no_type"):
        records(folder)


def test_table_in_use_is_not_waited_for(
    folder: Path, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.components.fit_steps._WAIT", "10ms")
    with connection, connection.cursor() as cursor:
        cursor.execute("select 1 from s.t")
        with pytest.raises(DapuError, match=r"s\.t is in use"):
            records(folder)


def test_task_without_a_watermark_has_none_to_set(folder: Path) -> None:
    write(folder, {f"{T}/task.yaml": "actions: [{do: database, query: extract.sql}]"})
    with pytest.raises(ConfigurationError, match=r"r\.s\.t: no action has a `watermark`"):
        records(folder, "2024-01-05")
    with pytest.raises(ConfigurationError, match=r"no task `r\.s\.tt`.*r\.s\.t"):
        records(folder, task="r.s.tt")


def takes_up(folder: Path) -> TakenUp:
    warehouse = open_warehouse(folder)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    sample = partial(sample_value, warehouse)
    return take_up(warehouse, reader, sample, Registry("old"), lambda text: None)


@pytest.fixture
def beside(make_warehouse: MakeWarehouse, database: Database) -> Path:
    """The same, as dapu 0.8 left it; no registry of this dapu is there yet."""
    make_registry(database, "old")
    execute(database, THERE + """
        insert into old.version (folder_alias, file_name) values ('wh', 'v001_roles.sql');
        insert into old.registry (task_id, table_version, synced_until_ts, last_start_ts,
            last_end_ts)
        values ('r.s.t', 1, '2024-01-05', now() - interval '2 h', now() - interval '1 h'),
            ('r.s.gone', 1, null, null, null), ('r.s.never', 0, null, null, null);
        insert into old.reconf (task_id, task_option, task_newvalue) values
            ('r.s.t', 'keep_pause', '1 mon'), ('r.s.t', 'keep_pause', '2 hours'),
            ('r.s.t', 'morning', 'no'), ('r.s.never', 'blacklist', 'yes');
        update old.stopper set allowed_version = 99;
        drop index s.t_at;
    """)  # fmt: skip
    return make_warehouse({
        **WAREHOUSE,
        f"{T}/task.yaml": TASK + "upgrade: {keeps_data: [2]}",
        "ver/001_roles.sql": "create schema shop", "ver/002_more.sql": "create schema m",
        "routes/r/s/never/task.yaml": "actions: [{do: sql, file: a.sql}]",
        "routes/r/s/never/a.sql": "select 1",
    })  # fmt: skip


def test_registry_of_dapu_0_8_is_taken_over(beside: Path, connection: PgSession) -> None:
    before = rows(connection, "select * from old.registry order by id")
    done = takes_up(beside)
    assert (done.faults, done.registration.faults) == ([], [])
    assert [(one.task, one.steps) for one in done.tasks] == [("r.s.t", ["001_create.sql"])]
    assert done.left == ["r.s.gone"]
    steps = "select scope, name from meta.migration where scope <> 'registry' order by 1, 2"
    assert rows(connection, steps) == [
        ("r.s.t", "001_create.sql"), ("r.s.t", "002_index.sql"),
        ("warehouse", "001_roles.sql"), ("warehouse", "002_more.sql"),
    ]  # fmt: skip
    overrides = "select task, pause::text, day_parts, blacklisted from meta.override order by task"
    assert rows(connection, overrides) == [
        ("r.s.never", None, None, True),
        ("r.s.t", "02:00:00", ["workhours", "evening"], False),
    ]
    assert queued(beside) == []  # it ran an hour ago, and pauses for two
    assert rows(connection, "select * from old.registry order by id") == before


def test_second_time_changes_nothing(beside: Path, connection: PgSession) -> None:
    takes_up(beside)
    rows(connection, "update meta.watermark set value = '2024-01-08T00:00:00', job = 1")
    assert takes_up(beside).faults == []
    assert one(connection, "select value from meta.watermark") == "2024-01-08T00:00:00"


@pytest.mark.without_registry
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("update old.stopper set allowed_version = 2", "is not stopped.*old.stopper"),
        ("insert into old.agenda (task_id, status) values ('r.s.t', -1)", r"running \(r\.s\.t\)"),
        ("drop table old.version", "the schema `old` has no registry"),
    ],
)
def test_dapu_0_8_must_be_stopped(
    beside: Path, connection: PgSession, change: str, says: str
) -> None:
    rows(connection, change)
    with pytest.raises(ConfigurationError, match=says):
        takes_up(beside)
    assert one(connection, "select to_regnamespace('meta')") is None


def test_table_that_does_not_fit_stops_no_other(beside: Path, connection: PgSession) -> None:
    rows(connection, "alter table s.t add note text")
    done = takes_up(beside)
    assert ["they do not make note" in fault for fault in done.faults] == [True]
    assert one(connection, "select count(*) from meta.override") == 2
