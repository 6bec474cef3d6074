"""The Registrar applies the steps of tasks' tables: each once, in order, or not at all."""

from __future__ import annotations

import pytest
from psycopg2.extensions import connection as PgSession

from tests.support.components import a_task, faults, one, queued, registrar, rows, write
from tests.support.registering import (
    MAKE_T,
    MakeRoute,
    T,
    a_running_job,
    a_watermark,
    remembers,
    result,
    state,
)
from tests.support.rounds import run_due, run_task


def test_the_steps_of_a_table_are_applied_once_and_in_order(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {
        "ver/001_create.sql": MAKE_T, "ver/2_fill.sql": "insert into s.t values (1), (2)",
    }))  # fmt: skip
    assert result(registrar(folder)) == {"new": ["r.s.t"]}
    assert rows(connection, "select a from s.t order by a") == [(1,), (2,)]
    write(folder, {f"{T}/ver/10_more.sql": "update s.t set a = a * 10"})
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert rows(connection, "select a from s.t order by a") == [(10,), (20,)]
    applied = "select number, name from meta.migration where scope = 'r.s.t' order by number"
    assert rows(connection, applied) == [
        (1, "001_create.sql"), (2, "2_fill.sql"), (10, "10_more.sql"),
    ]  # fmt: skip
    assert state(connection) == ("ready", None)
    assert queued(folder) == ["r.s.t"]


def test_a_step_that_fails_is_reported_the_task_is_faulty_and_it_is_tried_again(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({
        **a_task("r.s.t", {"ver/001_a.sql": MAKE_T, "ver/002_b.sql":
                           "insert into s.t values (1);\ninsert into s.t\nselect b from s.other"}),
        **a_task("r.s.u"),
    })  # fmt: skip
    done = registrar(folder)
    assert faults(done, folder) == [f'{T}/ver/002_b.sql:3: relation "s.other" does not exist']
    assert rows(connection, "select * from s.t") == []
    assert state(connection)[0] == "faulty"
    assert queued(folder) == ["r.s.u"]
    rows(connection, "create table s.other as select 5 as b")
    assert registrar(folder).faults == []
    assert rows(connection, "select a from s.t order by a") == [(1,), (5,)]
    assert queued(folder) == ["r.s.t"]


def test_a_step_that_was_changed_after_it_was_applied_is_an_error(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({**a_task("r.s.t", {"ver/001_a.sql": MAKE_T}),
                   **a_task("r.s.u", depends="[r.s.t]")})  # fmt: skip
    registrar(folder)
    write(folder, {f"{T}/ver/001_a.sql": "create table s.t (b int)",
                   **a_task("r.s.new", depends="[r.s.t]")})  # fmt: skip
    assert faults(registrar(folder), folder) == [
        f"{T}/ver/001_a.sql:1: was changed after it was applied (as 001_a.sql); "
        "put it back as it was, and write the change as a new step"
    ]
    assert state(connection)[0] == "faulty"
    assert state(connection, "r.s.new") == ("ready", None)
    write(folder, {f"{T}/ver/001_a.sql": MAKE_T})
    assert registrar(folder).faults == []


def test_a_new_task_with_a_faulty_master_waits_for_it(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({})
    rows(connection, "insert into meta.migration values ('r.s.t', 1, '001_a.sql', 'other');"
                     "create schema s; create table s.t ()")  # fmt: skip
    write(folder, {**a_task("r.s.t", {"ver/001_a.sql": MAKE_T}),
                   **a_task("r.s.u", depends="[r.s.t]")})  # fmt: skip
    done = registrar(folder)
    assert len(faults(done, folder)) == 2
    assert "depends on r.s.t, which has a fault itself" in str(done.faults[1])


@pytest.mark.parametrize(("keeps_data", "kept"), [("[]", False), ("[1]", False), ("[2]", True)])
def test_a_step_resets_what_was_read_unless_it_keeps_the_data(
    make_route: MakeRoute, connection: PgSession, keeps_data: str, kept: bool
) -> None:
    files = a_task("r.s.t", {"ver/001_a.sql": MAKE_T})
    folder = make_route(files)
    registrar(folder)
    a_watermark(connection)
    write(folder, {
        f"{T}/ver/002_b.sql": "alter table s.t add b int",
        f"{T}/task.yaml": files[f"{T}/task.yaml"] + f"\nupgrade: {{keeps_data: {keeps_data}}}",
    })  # fmt: skip
    assert registrar(folder).faults == []
    assert remembers(connection) is kept


def test_a_failing_step_resets_nothing(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T}))
    registrar(folder)
    a_watermark(connection)
    write(folder, {f"{T}/ver/002_b.sql": "alter table s.t add b int; select 1 / 0"})
    assert faults(registrar(folder), folder) == [f"{T}/ver/002_b.sql:1: division by zero"]
    assert remembers(connection)


def test_steps_wait_until_the_running_job_has_ended(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T}))
    registrar(folder)
    a_running_job(connection)
    write(folder, {f"{T}/ver/002_b.sql": "drop table s.t; create table s.t (b int)"})
    assert result(registrar(folder)) == {"postponed": ["r.s.t"]}
    assert one(connection, "select count(*) from meta.migration where scope = 'r.s.t'") == 1
    assert state(connection) == ("ready", None)
    rows(connection, "update meta.agenda set status = 'done', ended_at = now()")
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert one(connection, "select count(*) from meta.migration where scope = 'r.s.t'") == 2


def test_while_steps_are_applied_the_task_cannot_be_queued_or_start(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({**a_task("r.s.t", {"ver/001_a.sql": MAKE_T}), **a_task("r.s.new")})
    write(folder, {f"{T}/ver/002_look.sql": """
        insert into s.t select 1 where (select state from meta.registry where task = 'r.s.t')
            <> 'upgrading'
    """})  # fmt: skip
    registrar(folder)
    assert rows(connection, "select * from s.t") == []
    assert queued(folder) == ["r.s.new", "r.s.t"]
    write(folder, {f"{T}/ver/003_look.sql": """
        insert into s.t select 2 from meta.agenda where task = 'r.s.t' and status = 'waiting';
        insert into s.t select 3 from meta.registry where task = 'r.s.t' and state <> 'upgrading'
    """})  # fmt: skip
    registrar(folder)
    assert rows(connection, "select * from s.t") == []


def test_a_registrar_that_died_in_the_middle_of_steps_is_finished_by_the_next(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T}))
    registrar(folder)
    rows(connection, "update meta.registry set state = 'upgrading'")
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert state(connection) == ("ready", None)


def test_a_table_that_was_dropped_by_hand_is_made_again_and_loaded_from_the_start(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {
        "ver/001_a.sql": MAKE_T, "ver/002_b.sql": "alter table s.t add b int",
        "task.yaml": "actions: [{do: sql, file: run.sql}]\nupgrade: {keeps_data: [1, 2]}",
    }))  # fmt: skip
    registrar(folder)
    run_due(folder)
    a_watermark(connection)
    rows(connection, "drop table s.t")
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert rows(connection, "select a, b from s.t") == []
    assert not remembers(connection)
    assert queued(folder) == ["r.s.t"]
    assert result(registrar(folder)) == {"unchanged": 1}


def test_a_dropped_table_without_steps_is_loaded_from_the_start_by_the_next_job(
    make_route: MakeRoute, connection: PgSession
) -> None:
    rows(connection, "create schema shop; create table shop.sale as select 1 as id")
    append = "actions: [{do: database, query: run.sql, load: append, watermark: {column: id}}]"
    folder = make_route(
        a_task("r.s.t", {"task.yaml": append, "run.sql": "select id from shop.sale"})
    )
    for more in (2, 3):
        assert run_task(folder, "r.s.t").status == "done"
        rows(connection, "insert into shop.sale values (%s)", [more])
    rows(connection, "drop table s.t")
    assert run_task(folder, "r.s.t").status == "done"
    assert rows(connection, "select id from s.t order by id") == [(1,), (2,), (3,)]


def test_a_dropped_table_is_not_made_while_its_job_runs(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T}))
    registrar(folder)
    a_running_job(connection)
    rows(connection, "drop table s.t")
    assert result(registrar(folder)) == {"postponed": ["r.s.t"]}
    rows(connection, "update meta.agenda set status = 'failed', ended_at = now()")
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert one(connection, "select to_regclass('s.t') is not null")


def test_steps_before_the_table_is_there_are_not_kept_without_it(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {
        "ver/001_type.sql": "create type s.color as enum ('red')",
        "ver/002_create.sql": "create table s.t (a s.colour)",
    }))  # fmt: skip
    for _ in range(2):
        assert faults(registrar(folder), folder) == [
            f'{T}/ver/002_create.sql:1: type "s.colour" does not exist'
        ]
    write(folder, {f"{T}/ver/002_create.sql": "create table s.t (a s.color)"})
    assert registrar(folder).faults == []


def test_steps_must_make_the_table(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": "create table s.other ()"}))
    for _ in range(2):
        assert faults(registrar(folder), folder) == [
            f"{T}/ver/001_a.sql:1: the steps end, and there is no table s.t"
        ]
    assert one(connection, "select to_regclass('s.other')") is None


def test_a_schema_is_made_for_steps(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route(a_task("r.fresh.t", {"ver/001_a.sql": "create table fresh.t ()"}))
    assert registrar(folder).faults == []
    assert one(connection, "select to_regclass('fresh.t') is not null")


def test_secrets_are_not_kept_with_a_fault(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T}))
    registrar(folder)
    connections = (folder / "connections.yaml").read_text()
    write(folder, {
        "connections.yaml": connections + "- {name: x, url: 'mysql://me:marked@h/d'}\n",
        f"{T}/ver/002_b.sql": "do $$ begin raise 'not marked'; end $$",
    })  # fmt: skip
    registrar(folder)
    assert "not ***" in state(connection)[1]


def test_steps_are_templates(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route({
        "warehouse.yaml": "variables: {smallest: 3}",
        "ver/001_more.sql": "create table public.least as select {{ smallest }} as least",
        **a_task("r.s.t", {
            "ver/001_make.sql":
                "create table {{ this }} (a int, constraint {{ this.name('ak_', this.table) }} "
                "unique (a), check (a >= {{ smallest }}))",
        }),
    })  # fmt: skip
    assert registrar(folder).faults == []
    assert one(connection, "select least from public.least") == 3
    made = """
        select conname, pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 's.t'::regclass and contype in ('c', 'u') order by 1
    """
    assert rows(connection, made) == [
        ("ak_t", "UNIQUE (a)"), ("t_a_check", "CHECK ((a >= 3))"),
    ]  # fmt: skip


def test_name_that_a_step_does_not_know_is_refused(make_route: MakeRoute) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_make.sql": "create table {{ that }} ();\n"}))
    assert faults(registrar(folder), folder) == [
        f"{T}/ver/001_make.sql:1: undefined name `that`; known are: task, this"
    ]
