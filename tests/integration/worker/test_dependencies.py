"""Tasks that depend on others: who wakes whom, how often, and how urgently."""

from __future__ import annotations

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.components import ROUTE, a_task, manager, rows, write
from tests.support.rounds import prepare, run_due, run_task

#      top
#     /   \
#   left  right
#     \   /
#     bottom
DIAMOND = {
    **ROUTE,
    **a_task("r.s.top", run="{priority: 3}"),
    **a_task("r.s.left", depends="[r.s.top]"),
    **a_task("r.s.right", depends="[r.s.top]"),
    **a_task("r.s.bottom", depends="[r.s.left, r.s.right]"),
}


def again(connection: PgSession) -> None:
    """Makes each task due that is due by time."""
    rows(connection, "update meta.registry set last_ended_at = last_ended_at - interval '2 days'")


def jobs(connection: PgSession) -> list[tuple[str, str, int, str]]:
    return rows(connection, "select task, cause, priority, status from meta.agenda order by job")


def test_a_diamond_runs_each_member_once(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(DIAMOND)
    prepare(folder)
    run_due(folder)
    again(connection)
    rows(connection, "delete from meta.agenda")
    seen = run_due(folder)
    assert seen.order == ["r.s.top", "r.s.left", "r.s.right", "r.s.bottom"]
    assert jobs(connection) == [
        ("r.s.top", "manager", 3, "done"),
        ("r.s.left", "master", 4, "done"),
        ("r.s.right", "master", 4, "done"),
        ("r.s.bottom", "master", 5, "done"),
    ]


def test_a_new_diamond_runs_each_member_once(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse(DIAMOND)
    prepare(folder)
    assert run_due(folder).order == ["r.s.top", "r.s.left", "r.s.right", "r.s.bottom"]
    assert run_due(folder).order == []


def test_a_master_that_failed_wakes_nobody(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.master", {"run.sql": "select 1 / 0"}, run="{retries: 0}"),
            **a_task("r.s.slave", depends="[r.s.master]"),
        }
    )
    prepare(folder)
    assert run_due(folder).order == ["r.s.master"]
    assert jobs(connection) == [("r.s.master", "manager", 5, "failed")]


def test_a_task_waits_for_the_first_run_of_each_master(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.good"),
            **a_task("r.s.bad", {"run.sql": "select 1 / 0"}, run="{retries: 0}"),
            **a_task("r.s.both", depends="[r.s.good, r.s.bad]"),
        }
    )
    prepare(folder)
    assert run_due(folder).order == ["r.s.bad", "r.s.good"]
    write(folder, {"routes/r/s/bad/run.sql": "select 1"})
    prepare(folder)
    assert run_due(folder).order == ["r.s.bad", "r.s.both"]


@pytest.mark.parametrize(
    ("state", "files"),
    [
        ("blacklisted", {}),
        (
            "on a disabled route",
            {"routes/q/route.yaml": "disabled: [manager]"},
        ),
    ],
)
def test_a_master_does_not_wake_a_task_that_is(
    make_warehouse: MakeWarehouse, connection: PgSession, state: str, files: dict[str, str]
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            "routes/q/route.yaml": "",
            **a_task("r.s.master"),
            **a_task("q.s.slave", depends="[r.s.master]"),
        }
    )
    write(folder, files)
    prepare(folder)
    if state == "blacklisted":
        rows(connection, "insert into meta.override (task, blacklisted) values ('q.s.slave', true)")
    assert run_due(folder).order == ["r.s.master"]


def test_a_task_with_a_time_of_its_own_is_not_woken(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.master"),
            **a_task("r.s.timed", depends="[r.s.master]", run="{cron: '0 0 1 1 *'}"),
        }
    )
    prepare(folder)
    assert run_task(folder, "r.s.master").status == "done"
    assert "r.s.timed" not in [task for _, task in manager(folder).queued]


def test_masters_that_end_one_after_the_other_wake_a_task_once_each_time(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.first"),
            **a_task("r.s.second"),
            **a_task("r.s.slave", depends="[r.s.first, r.s.second]"),
        }
    )
    prepare(folder)
    run_due(folder)
    rows(connection, "delete from meta.agenda")
    assert run_task(folder, "r.s.first").status == "done"
    assert run_task(folder, "r.s.second").status == "done"
    assert jobs(connection)[1:] == [
        ("r.s.slave", "master", 2, "waiting"),
        ("r.s.second", "run", 1, "done"),
    ]
    assert run_due(folder).order == ["r.s.slave"]


def test_a_chain_runs_to_its_end_in_one_round(make_warehouse: MakeWarehouse) -> None:
    files = {**ROUTE, **a_task("r.s.t0")}
    for number in range(1, 6):
        files |= a_task(f"r.s.t{number}", depends=f"[r.s.t{number - 1}]")
    folder = make_warehouse(files)
    prepare(folder)
    assert run_due(folder).order == [f"r.s.t{number}" for number in range(6)]


@pytest.mark.parametrize(("pause", "override", "minutes"), [
    ("{}", None, 0),
    ("{pause: 1 hour}", None, 60),
    ("{}", "30 minutes", 30),
])  # fmt: skip
def test_a_woken_task_keeps_the_pause_that_it_was_given(
    make_warehouse: MakeWarehouse,
    connection: PgSession,
    pause: str,
    override: str | None,
    minutes: int,
) -> None:
    slave = a_task("r.s.slave", depends="[r.s.master]", run=pause)
    folder = make_warehouse({**ROUTE, **a_task("r.s.master"), **slave})
    prepare(folder)
    rows(connection, "insert into meta.override (task, pause) values ('r.s.slave', %s)", [override])
    run_due(folder)
    run_task(folder, "r.s.master")
    [(wait,)] = rows(connection, "select not_before - now() from meta.agenda where job = 4")
    assert minutes - 1 < wait.total_seconds() / 60 <= minutes
