"""The Registrar: definitions become the registry's tasks."""

from __future__ import annotations

import shutil
import threading

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import ConfigurationError, DapuError
from dapu.registry.store import Registry
from tests.support.components import (
    a_task,
    faults,
    manager,
    one,
    queued,
    registrar,
    rows,
    write,
)
from tests.support.registering import (
    MAKE_T,
    MakeRoute,
    T,
    a_running_job,
    a_watermark,
    remembers,
    result,
    state,
    waiting,
)
from tests.support.rounds import run_due, run_task


def test_new_changed_unchanged_and_deleted_tasks(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({**a_task("r.s.t"), **a_task("r.s.u"), **a_task("r.s.v")})
    assert result(registrar(folder)) == {"new": ["r.s.t", "r.s.u", "r.s.v"]}
    write(folder, {f"{T}/run.sql": "select 2"})
    shutil.rmtree(folder / "routes/r/s/u")
    assert result(registrar(folder)) == {
        "changed": ["r.s.t"], "unregistered": ["r.s.u"], "unchanged": 1,
    }  # fmt: skip
    assert result(registrar(folder)) == {"unchanged": 2}


def test_what_the_registry_knows_of_a_task(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route({
        "warehouse.yaml": "variables: {a: 1}\ntimezone: Europe/Tallinn",
        "routes/r/route.yaml": "name: Sales\nconcurrency: 2",
        **a_task("r.s.m"),
        **a_task("r.s.t", description="Invoices", depends="[r.s.m]",
                 run="{pause: 4 hours, when: morning, priority: 2, retries: 1, timeout: 5 min}"),
        **a_task("r.s.u", run="{cron: '0 0 1 1 *'}"),
    })  # fmt: skip
    registrar(folder)
    assert rows(connection, """
        select description, state, on_masters, pause::text, day_parts, cron, priority, retries,
            timeout::text, definition->'variables' from meta.registry where task = 'r.s.t'
    """) == [("Invoices", "ready", False, "04:00:00", ["morning"], None, 2, 1, "00:05:00",
              {"a": 1})]  # fmt: skip
    assert rows(connection, "select task, master from meta.dependency") == [("r.s.t", "r.s.m")]
    assert rows(connection, """
        select pause::text, to_char(next_cron_at at time zone 'Europe/Tallinn', 'MM-DD HH24:MI')
        from meta.registry where task = 'r.s.u'
    """) == [("00:00:00", "01-01 00:00")]  # fmt: skip
    assert rows(
        connection, "select route, description, connection, concurrency from meta.route"
    ) == [("r", "Sales", "main", 2)]


def test_a_route_s_changes_are_taken_and_a_deleted_one_goes(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({"routes/q/route.yaml": "", **a_task("q.s.a"), **a_task("r.s.t")})
    registrar(folder)
    write(folder, {"routes/r/route.yaml": "concurrency: 3\ndisabled: [worker]"})
    shutil.rmtree(folder / "routes/q")
    assert result(registrar(folder)) == {"unregistered": ["q.s.a"], "unchanged": 1}
    assert rows(connection, "select route, concurrency, disabled from meta.route") == [
        ("r", 3, ["worker"])
    ]


def test_a_faulty_definition_is_reported_and_stops_nothing_else(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({**a_task("r.s.t", status="wrong"), **a_task("r.s.u")})
    done = registrar(folder)
    assert faults(done, folder) == [
        f"{T}/task.yaml:2: status: must be 'active', 'draft' or 'old', not 'wrong'"
    ]
    assert result(done) == {"new": ["r.s.u"]}
    assert state(connection) == ()


def test_a_registered_task_that_is_faulty_now_keeps_its_place_until_it_is_mended(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t"))
    registrar(folder)
    a_watermark(connection)
    assert queued(folder) == ["r.s.t"]
    write(folder, {f"{T}/run.sql": "{{ nothing }}"})
    [fault] = faults(registrar(folder), folder)
    assert fault.startswith(f"{T}/run.sql:1: undefined name `nothing`")
    assert state(connection) == ("faulty", fault.replace("routes/", f"{folder}/routes/", 1))
    assert waiting(connection) == []
    assert queued(folder) == []
    assert len(registrar(folder).faults) == 1
    write(folder, {f"{T}/run.sql": "select 1"})
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert state(connection) == ("ready", None)
    assert remembers(connection)
    assert queued(folder) == ["r.s.t"]


def test_fixing_a_fault_makes_nothing_due_that_was_not(
    make_route: MakeRoute, connection: PgSession
) -> None:
    """A typo in a route.yaml does not run all its tasks again."""
    folder = make_route({**a_task("r.s.t"), **a_task("r.s.u", depends="[r.s.t]")})
    registrar(folder)
    assert run_due(folder).outcomes.keys() == {"r.s.t", "r.s.u"}
    write(folder, {"routes/r/route.yaml": "conection: main"})
    assert len(registrar(folder).faults) == 1
    assert state(connection)[0] == state(connection, "r.s.u")[0] == "faulty"
    write(folder, {"routes/r/route.yaml": ""})
    registrar(folder)
    # A master may have ended meanwhile, and woken nobody: the dependent runs again.
    assert queued(folder) == ["r.s.u"]


def test_a_changed_task_s_waiting_job_is_withdrawn_and_it_is_due_at_once(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({**a_task("r.s.t"), **a_task("r.s.u")})
    registrar(folder)
    run_due(folder)
    assert queued(folder) == []
    write(folder, {f"{T}/run.sql": "select 2"})
    registrar(folder)
    assert queued(folder) == ["r.s.t"]
    write(folder, {f"{T}/run.sql": "select 3"})
    registrar(folder)
    last = "select status, message from meta.agenda where task = 'r.s.t' order by job desc limit 1"
    assert rows(connection, last) == [("cancelled", "the definition changed")]
    assert queued(folder) == ["r.s.t"]


def test_the_wish_to_read_everything_outlives_a_withdrawn_job(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t"))
    registrar(folder)
    assert queued(folder) == ["r.s.t"]
    for full in (False, True):
        a_watermark(connection)
        rows(connection, "update meta.agenda set full_load = %s where status = 'waiting'", [full])
        write(folder, {f"{T}/run.sql": f"select 'full: {full}'"})
        registrar(folder)
        assert remembers(connection) == (not full)
        rows(connection, "delete from meta.watermark; delete from meta.seen")
        assert queued(folder) == ["r.s.t"]


def test_a_running_job_is_not_withdrawn(make_route: MakeRoute, connection: PgSession) -> None:
    folder = make_route(a_task("r.s.t"))
    registrar(folder)
    a_running_job(connection)
    write(folder, {f"{T}/run.sql": "select 2"})
    assert result(registrar(folder)) == {"changed": ["r.s.t"]}
    assert one(connection, "select status from meta.agenda") == "running"


@pytest.mark.parametrize("way", ["folder", "list", "draft"])
def test_an_unregistered_task_leaves_its_table_and_what_it_has_read(
    make_route: MakeRoute, connection: PgSession, way: str
) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T}))
    registrar(folder)
    assert queued(folder) == ["r.s.t"]
    a_watermark(connection)
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    if way == "folder":
        shutil.rmtree(folder / T)
    elif way == "list":
        write(folder, {"tasks_to_delete.txt": "r.s.t # no longer wanted"})
    else:
        write(folder, {f"{T}/task.yaml": "status: draft"})
    assert result(registrar(folder)) == {"unregistered": ["r.s.t"]}
    assert rows(connection, "select status, message from meta.agenda") == [
        ("cancelled", "no longer registered")
    ]
    assert result(registrar(folder)) == {}
    # Back again, it goes on where it was: an append would double what it has.
    (folder / "tasks_to_delete.txt").unlink(missing_ok=True)
    for path, text in before.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert result(registrar(folder)) == {"new": ["r.s.t"]}
    assert remembers(connection)


def test_a_task_that_moved_to_another_route_takes_its_table_along(
    make_route: MakeRoute, connection: PgSession
) -> None:
    steps = {"ver/001_a.sql": MAKE_T}
    folder = make_route({"routes/q/route.yaml": "", **a_task("r.s.t", steps)})
    registrar(folder)
    a_watermark(connection)
    shutil.move(folder / "routes/r/s", folder / "routes/q/s")
    assert result(registrar(folder)) == {"new": ["q.s.t"], "unregistered": ["r.s.t"]}
    for table, column in (("migration", "scope"), ("watermark", "task"), ("seen", "task")):
        query = f"select {column} from meta.{table} where {column} ~ 's.t'"
        assert rows(connection, query) == [("q.s.t",)]
    # The same in two rounds: deleted first, and put back elsewhere later.
    shutil.move(folder / "routes/q/s", folder / "s")
    assert result(registrar(folder)) == {"unregistered": ["q.s.t"]}
    shutil.move(folder / "s", folder / "routes/r/s")
    assert result(registrar(folder)) == {"new": ["r.s.t"]}
    assert rows(connection, "select task from meta.watermark") == [("r.s.t",)]


def test_a_second_task_for_one_table_never_gets_it(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({"routes/q/route.yaml": "", **a_task("r.s.t")})
    registrar(folder)
    write(folder, a_task("q.s.t"))
    assert faults(registrar(folder), folder) == [
        "routes/q/s/t/task.yaml:1: duplicate: s.t is the table of r.s.t already"
    ]
    assert state(connection) == ("ready", None)


def test_a_task_whose_master_vanished_is_faulty_and_fixed_when_it_is_back(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({**a_task("r.s.m"), **a_task("r.s.t", depends="[r.s.m]"),
                   **a_task("r.s.u", depends="[r.s.t]")})  # fmt: skip
    registrar(folder)
    (folder / "routes/r/s/m").rename(folder / "aside")
    assert faults(registrar(folder), folder) == [
        f"{T}/task.yaml:2: depends on r.s.m, which is not a task; did you mean `r.s.u`?"
    ]
    assert state(connection)[0] == "faulty"
    assert state(connection, "r.s.u") == ("ready", None)  # it waits until r.s.t is mended
    (folder / "aside").rename(folder / "routes/r/s/m")
    assert result(registrar(folder)) == {"new": ["r.s.m"], "changed": ["r.s.t"], "unchanged": 1}
    assert state(connection) == ("ready", None)
    assert rows(connection, "select task, master from meta.dependency order by 1") == [
        ("r.s.t", "r.s.m"), ("r.s.u", "r.s.t"),
    ]  # fmt: skip


def test_a_route_that_the_registrar_leaves_alone_stays_as_it_was(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({
        "routes/left/route.yaml": "", **a_task("left.s.a"), **a_task("left.s.b", depends="[r.s.t]"),
        **a_task("r.s.t"),
    })  # fmt: skip
    registrar(folder)
    write(folder, {
        "routes/left/route.yaml": "disabled: [registrar]", "routes/left/s/b/run.sql": "{{",
        **a_task("left.s.c"),
    })  # fmt: skip
    shutil.rmtree(folder / "routes/left/s/a")
    assert result(registrar(folder)) == {"unchanged": 1}
    assert state(connection, "left.s.a") == ("ready", None)
    # But a dependency on what is gone cannot be kept.
    shutil.rmtree(folder / T)
    assert result(registrar(folder)) == {"unregistered": ["r.s.t"]}
    assert state(connection, "left.s.b") == (
        "faulty", "depends on r.s.t, which is no longer registered",
    )  # fmt: skip


def test_a_part_of_the_day_that_no_longer_exists_is_reported_though_the_task_is_unchanged(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route({"warehouse.yaml": "day_parts: {night: 22-6}",
                   **a_task("r.s.t", run="{when: night}")})  # fmt: skip
    registrar(folder)
    write(folder, {"warehouse.yaml": "day_parts: {late: 22-6}"})
    assert faults(registrar(folder), folder) == [
        f"{T}/task.yaml:2: run.when: unknown part of the day `night`; known are: late"
    ]


def test_a_connection_that_no_longer_exists_is_reported_though_the_task_is_unchanged(
    make_route: MakeRoute, connection: PgSession
) -> None:
    yaml = "actions:\n  - do: database\n    query: run.sql\n    connection: erp"
    folder = make_route({})
    main = (folder / "connections.yaml").read_text()
    write(folder, {"connections.yaml": main + "- {name: erp, url: 'sqlite://'}\n",
                   **a_task("r.s.t", {"task.yaml": yaml}), **a_task("r.s.u")})  # fmt: skip
    assert registrar(folder).faults == []
    write(folder, {"connections.yaml": main})
    assert faults(registrar(folder), folder) == [
        f"{T}/task.yaml:4: there is no connection `erp` in connections.yaml; known are: main"
    ]


def test_two_registrars_at_once_the_second_gives_up(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t"))
    key = Registry("meta").lock_key("registrar")
    rows(connection, "select pg_advisory_lock(%s)", [key])
    with pytest.raises(DapuError) as caught:
        registrar(folder)
    assert "another registrar" in str(caught.value)
    assert not isinstance(caught.value, ConfigurationError)
    rows(connection, "select pg_advisory_unlock(%s)", [key])
    assert result(registrar(folder)) == {"new": ["r.s.t"]}


def test_two_registrars_at_once_do_each_thing_once(
    make_route: MakeRoute, connection: PgSession
) -> None:
    folder = make_route(a_task("r.s.t", {"ver/001_a.sql": MAKE_T + "; select pg_sleep(0.3)"}))
    ends: list[str] = []

    def run() -> None:
        try:
            ends.append(str(result(registrar(folder))))
        except DapuError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("'new'" in end for end in ends) == 1
    assert one(connection, "select count(*) from meta.migration where scope = 'r.s.t'") == 1


def test_a_changed_definition_is_what_runs_next(
    make_route: MakeRoute, connection: PgSession
) -> None:
    files = a_task(
        "r.s.t",
        {"ver/001_a.sql": MAKE_T, "run.sql": "insert into {{ this }} values ({{ n }})"},
        variables="{n: 1}",
    )
    folder = make_route(files)
    assert run_task(folder, "r.s.t").status == "done"
    yaml = files[f"{T}/task.yaml"].replace("n: 1", "n: 2")
    write(folder, {f"{T}/task.yaml": yaml})
    assert run_task(folder, "r.s.t").status == "done"
    assert rows(connection, "select a from s.t order by a") == [(1,), (2,)]
    assert manager(folder).queued == []
