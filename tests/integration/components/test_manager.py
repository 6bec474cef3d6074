"""The Manager: what is due is queued, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.warehouse.clock import day_parts_at, next_cron_time
from dapu.warehouse.settings import Settings
from tests.conftest import MakeWarehouse
from tests.support.command import dapu
from tests.support.components import (
    ROUTE,
    a_task,
    manager,
    one,
    queued,
    registrar,
    rows,
    versioner,
    write,
)
from tests.support.rounds import run_due, run_task

NOW = datetime.now(UTC)
TALLINN = ZoneInfo("Europe/Tallinn")
Make = Callable[..., Path]


@pytest.fixture
def make(make_warehouse: MakeWarehouse) -> Make:
    """A warehouse with a route `r`, its tasks registered."""

    def make(*tasks: dict[str, str], **files: str) -> Path:
        given = {name.replace("__", "."): text for name, text in files.items()}
        folder = make_warehouse({"routes/r/route.yaml": "", **given})
        for task in tasks:
            write(folder, task)
        versioner(folder)
        assert registrar(folder).faults == []
        return folder

    return make


def after(**length: float) -> datetime:
    """A time after the test's jobs have ended."""
    return datetime.now(UTC) + timedelta(**length)


def override(connection: PgSession, columns: str, values: str, task: str = "r.s.t") -> None:
    rows(connection, f"insert into meta.override (task, {columns}) values (%s, {values})", [task])


def has_run(connection: PgSession, task: str = "r.s.t") -> None:
    """As if a job of the task had ended just now."""
    rows(connection, """
        update meta.registry set last_started_at = clock_timestamp(),
            last_ended_at = clock_timestamp(), last_done_at = clock_timestamp() where task = %s
    """, [task])  # fmt: skip


def test_a_new_task_is_due_and_queued_once(make: Make) -> None:
    folder = make(a_task("r.s.t"), a_task("r.s.u"))
    assert queued(folder) == ["r.s.t", "r.s.u"]
    assert queued(folder) == []


def test_a_task_is_due_again_when_its_pause_is_over(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{pause: 4 hours}"), a_task("r.s.u"))
    has_run(connection)
    has_run(connection, "r.s.u")
    assert queued(folder, after(hours=3, minutes=59)) == []
    assert queued(folder, after(hours=4, seconds=1)) == ["r.s.t"]
    assert queued(folder, after(hours=22, minutes=59)) == []
    assert queued(folder, after(hours=23, seconds=1)) == ["r.s.u"]


def test_a_failed_run_waits_for_the_pause_too(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", {"run.sql": "select 1 / 0"}, run="{retries: 0}"))
    assert run_due(folder).outcomes["r.s.t"].status == "failed"
    assert queued(folder, after(hours=22)) == []
    assert queued(folder, after(hours=24)) == ["r.s.t"]


def test_a_change_during_a_run_is_run_after_it(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t"))
    rows(connection, "update meta.registry set last_started_at = now()")
    write(folder, {"routes/r/s/t/run.sql": "select 2"})
    registrar(folder)
    rows(connection, "update meta.registry set last_ended_at = now()")
    assert queued(folder) == ["r.s.t"]


@pytest.mark.parametrize(("at", "parts"), [
    ("2024-06-03 07:59", ["morning"]), ("2024-06-03 08:00", ["workhours"]),
    ("2024-06-03 18:00", ["evening"]), ("2024-06-03 23:59", ["evening"]),
    ("2024-06-04 00:00", ["morning"]),
])  # fmt: skip
def test_parts_of_the_day_are_meant_in_the_warehouse_s_time_zone(at: str, parts: list[str]) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=TALLINN).astimezone(UTC)
    settings = Settings(timezone="Europe/Tallinn")
    assert day_parts_at(settings, moment) == parts


@pytest.mark.parametrize(("utc", "inside"), [
    ("2024-03-30 20:30", True),  # winter time, two hours ahead
    ("2024-03-30 19:59", False),
    ("2024-03-31 02:59", True),  # the hour from 3 to 4 is left out that night
    ("2024-03-31 03:00", False),
    ("2024-10-26 19:00", True),  # summer time, three hours ahead
    ("2024-10-27 03:59", True),  # the hour from 3 to 4 came twice
    ("2024-10-27 04:00", False),
])  # fmt: skip
def test_a_part_over_midnight_holds_when_the_clocks_change(utc: str, inside: bool) -> None:
    settings = Settings.model_validate(
        {"timezone": "Europe/Tallinn", "day_parts": {"night": "22-6"}}
    )
    at = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (day_parts_at(settings, at) == ["night"]) is inside


def test_a_task_is_queued_in_its_part_of_the_day_only(make: Make) -> None:
    folder = make(
        a_task("r.s.t", run="{when: [morning, evening]}"),
        warehouse__yaml="timezone: America/New_York",
    )
    assert queued(folder, datetime(2024, 6, 3, 12, 0, tzinfo=UTC)) == []  # 8:00 there
    assert queued(folder, datetime(2024, 6, 3, 11, 59, tzinfo=UTC)) == ["r.s.t"]


@pytest.mark.parametrize(("cron", "after_", "at"), [
    ("15 6 * * 1-5", "2024-05-31 07:00+03:00", "2024-06-03 06:15+03:00"),  # over a weekend
    ("0 12 * * *", "2024-03-30 13:00+02:00", "2024-03-31 12:00+03:00"),  # noon stays noon
    ("30 3 * * *", "2024-03-31 00:00+02:00", "2024-03-31 04:00+03:00"),  # 3:30 is left out
    ("30 3 * * *", "2024-10-27 00:00+03:00", "2024-10-27 03:30+03:00"),  # 3:30 comes twice
    ("30 3 * * *", "2024-10-27 03:30+03:00", "2024-10-28 03:30+02:00"),  # and runs once
])  # fmt: skip
def test_a_cron_expression_is_meant_in_the_warehouse_s_time_zone(
    cron: str, after_: str, at: str
) -> None:
    settings = Settings(timezone="Europe/Tallinn")
    found = next_cron_time(cron, datetime.fromisoformat(after_), settings)
    assert found.astimezone(UTC) == datetime.fromisoformat(at).astimezone(UTC)


def test_a_cron_task_is_queued_when_its_time_has_come(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{cron: 0 * * * *}"))
    due = one(connection, "select next_cron_at from meta.registry")
    assert NOW < due <= after(hours=1)
    assert queued(folder, due - timedelta(seconds=1)) == []
    assert queued(folder, due) == ["r.s.t"]
    assert one(connection, "select next_cron_at from meta.registry") == due + timedelta(hours=1)
    assert run_due(folder).outcomes["r.s.t"].status == "done"
    # No pause, where there is a cron expression.
    assert queued(folder, due + timedelta(minutes=59)) == []
    assert queued(folder, due + timedelta(hours=1)) == ["r.s.t"]


def test_a_cron_time_that_passed_is_made_up_for_once(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{cron: 0 * * * *}"))
    override(connection, "blacklisted", "true")
    assert queued(folder, after(hours=5)) == []
    rows(connection, "delete from meta.override")
    assert queued(folder, after(hours=5)) == ["r.s.t"]
    rows(connection, "update meta.agenda set status = 'cancelled', ended_at = now()")
    assert queued(folder, after(hours=5)) == []


def test_a_changed_cron_expression_counts_from_now(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{cron: 0 0 1 1 *}"))
    yearly = one(connection, "select next_cron_at from meta.registry")
    write(folder, a_task("r.s.t", run="{cron: 0 0 1 1 *, priority: 1}"))
    registrar(folder)
    assert one(connection, "select next_cron_at from meta.registry") == yearly
    write(folder, a_task("r.s.t", run="{cron: 0 * * * *}"))
    registrar(folder)
    assert one(connection, "select next_cron_at from meta.registry") <= after(hours=1)


@pytest.mark.parametrize(("columns", "values", "hours", "due"), [
    ("pause", "'2 hours'", 3, True),
    ("pause", "'2 days'", 25, False),
    ("blacklisted", "true", 25, False),
    ("day_parts", "'{never}'", 25, False),
    ("note", "'nothing else'", 25, True),
    ("timeout", "'1 s'", 25, True),
])  # fmt: skip
def test_an_override_counts_instead_of_the_definition(
    make: Make, connection: PgSession, columns: str, values: str, hours: int, due: bool
) -> None:
    folder = make(a_task("r.s.t"))
    has_run(connection)
    override(connection, columns, values)
    assert queued(folder, after(hours=hours)) == (["r.s.t"] if due else [])


def test_an_override_can_lift_a_part_of_the_day(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{when: morning}"))
    noon = datetime(2024, 6, 3, 12, 0, tzinfo=UTC)
    assert queued(folder, noon) == []
    override(connection, "day_parts", "'{}'")
    assert queued(folder, noon) == ["r.s.t"]


def test_an_override_gives_a_cron_task_a_pause(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{cron: 0 * * * *}"))
    has_run(connection)
    override(connection, "pause", "'3 hours'")
    assert queued(folder, after(hours=2)) == []
    assert queued(folder, after(hours=3, seconds=1)) == ["r.s.t"]


def test_an_override_of_a_timeout_stops_the_job(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", {"run.sql": "select pg_sleep(30)"}, run="{retries: 0}"))
    override(connection, "timeout", "'0.2 s'")
    outcome = run_due(folder).outcomes["r.s.t"]
    assert (outcome.status, outcome.message) == ("failed", "timed out: it ran longer than 0.2 s")


def test_a_blacklisted_dependent_is_not_woken(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.m"), a_task("r.s.t", depends="[r.s.m]"))
    override(connection, "blacklisted", "true")
    assert run_due(folder).order == ["r.s.m"]


@pytest.mark.parametrize("component", ["manager", "worker"])
def test_a_disabled_component_leaves_the_route_alone(
    make: Make, connection: PgSession, component: str
) -> None:
    folder = make(
        a_task("off.s.n"), a_task("off.s.t", depends="[r.s.m]"), a_task("r.s.m"),
        **{"routes/off/route__yaml": f"disabled: [{component}]"},
    )  # fmt: skip
    assert run_due(folder).order == ["r.s.m"]
    off = rows(connection, "select task from meta.agenda where route = 'off' order by task")
    assert off == ([] if component == "manager" else [("off.s.n",), ("off.s.t",)])


def test_in_a_paused_warehouse_nothing_is_queued_but_what_is_over_is_ended(
    make: Make, connection: PgSession
) -> None:
    folder = make(a_task("r.s.t"), a_task("r.s.u", run="{retries: 1}"))
    rows(
        connection,
        """
        insert into meta.control values ('paused', '{"by": "me@here"}');
        insert into meta.agenda (task, route, priority, cause, tries) values
            ('r.s.u', 'r', 5, 'manager', 2);
    """,
    )
    done = manager(folder)
    assert (done.paused_by, done.queued) == ("me@here", [])
    assert [task for _, task in done.failed] == ["r.s.u"]
    rows(connection, "delete from meta.control")
    assert queued(folder) == ["r.s.t"]


def test_jobs_without_tries_left_fail(make: Make, connection: PgSession) -> None:
    folder = make(a_task("r.s.t", run="{retries: 1}"), a_task("r.s.u", run="{retries: 1}"))
    rows(connection, """
        insert into meta.agenda (task, route, priority, cause, tries, message, started_at) values
            ('r.s.t', 'r', 5, 'manager', 2, 'its worker died', now()),
            ('r.s.u', 'r', 5, 'manager', 1, 'its worker died', now())
    """)  # fmt: skip
    done = manager(folder)
    assert [task for _, task in done.failed] == ["r.s.t"]
    assert rows(connection, "select task, status, message from meta.agenda order by job") == [
        ("r.s.t", "failed", "its worker died; no tries left"),
        ("r.s.u", "waiting", "its worker died"),
    ]
    assert rows(connection, "select last_status from meta.registry order by task") == [
        ("failed",), (None,),
    ]  # fmt: skip
    # It counts as a run: the pause is kept.
    assert queued(folder, after(hours=1)) == []


def test_a_job_whose_task_was_unregistered_meanwhile_is_lost(
    make: Make, connection: PgSession
) -> None:
    folder = make()
    rows(connection, """
        insert into meta.agenda (task, route, priority, cause, message) values
            ('r.s.gone', 'r', 5, 'manager', 'its worker died')
    """)  # fmt: skip
    assert [task for _, task in manager(folder).failed] == ["r.s.gone"]
    assert rows(connection, "select status, message from meta.agenda") == [
        ("lost", "its worker died; no longer registered")
    ]


def test_priorities_are_those_of_the_definitions(make: Make, connection: PgSession) -> None:
    folder = make(
        a_task("r.s.a", run="{priority: 9}"), a_task("r.s.b"), a_task("r.s.c", run="{priority: 1}")
    )
    manager(folder)
    assert rows(connection, "select task, priority, cause from meta.agenda order by priority") == [
        ("r.s.c", 1, "manager"), ("r.s.b", 5, "manager"), ("r.s.a", 9, "manager"),
    ]  # fmt: skip
    assert run_due(folder).order == ["r.s.c", "r.s.b", "r.s.a"]


MASTER = a_task("r.s.m", {"ver/001_a.sql": "create table s.m ()"})


def test_a_scheduled_task_waits_until_its_masters_tables_are_there(
    make: Make, connection: PgSession
) -> None:
    yaml = "actions: [{do: transform, query: run.sql}]"
    master = a_task("r.s.m", {"task.yaml": yaml})
    folder = make(master, a_task("r.s.t", depends="[r.s.m]", run="{when: [all]}"),
                  warehouse__yaml="day_parts: {all: 0-24}")  # fmt: skip
    assert queued(folder) == ["r.s.m"]
    rows(connection, "update meta.registry set last_done_at = now() where task = 'r.s.m'")
    assert queued(folder) == []
    rows(connection, "create schema s; create table s.m ()")
    assert queued(folder) == ["r.s.t"]


def test_a_master_that_only_runs_scripts_needs_no_table_but_must_have_run(make: Make) -> None:
    folder = make(a_task("r.s.m"), a_task("r.s.t", depends="[r.s.m]", run="{when: [all]}"),
                  warehouse__yaml="day_parts: {all: 0-24}")  # fmt: skip
    assert queued(folder) == ["r.s.m"]
    assert run_due(folder).order == ["r.s.m"]
    assert queued(folder) == ["r.s.t"]


def test_a_task_that_its_masters_wake_is_queued_by_them_alone(
    make: Make, connection: PgSession
) -> None:
    folder = make(MASTER, a_task("r.s.t", depends="[r.s.m]"))
    assert queued(folder) == ["r.s.m"]
    assert run_due(folder).order == ["r.s.m", "r.s.t"]
    assert rows(connection, "select task, cause, priority from meta.agenda order by job") == [
        ("r.s.m", "manager", 5), ("r.s.t", "master", 6),
    ]  # fmt: skip
    assert queued(folder, after(days=30)) == ["r.s.m"]
    assert run_due(folder).order == ["r.s.m", "r.s.t"]


def test_a_new_or_changed_one_is_queued_when_all_its_masters_have_run(make: Make) -> None:
    folder = make(MASTER, a_task("r.s.n"))
    run_task(folder, "r.s.m")
    write(folder, a_task("r.s.t", depends="[r.s.m, r.s.n]"))
    registrar(folder)
    assert queued(folder) == ["r.s.n"]
    assert run_due(folder).order == ["r.s.n", "r.s.t"]
    write(folder, {"routes/r/s/t/run.sql": "select 2"})
    registrar(folder)
    assert queued(folder) == ["r.s.t"]


def test_an_override_of_what_is_not_there_is_named(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task("r.s.invoice")})
    versioner(folder)
    registrar(folder)
    rows(
        connection,
        "insert into meta.override (task, day_parts, blacklisted) values "
        "('r.s.invoce', null, true), ('r.s.invoice', '{morning,mornin}', false)",
    )
    unknown, part = manager(folder).override_faults
    assert unknown.startswith("r.s.invoce: ")
    assert "meta.override" in unknown
    assert "r.s.invoice" in unknown
    assert part.startswith("r.s.invoice: ")
    assert "`mornin`" in part
    assert "morning" in part
    shown = dapu("status", folder)
    assert unknown in shown.out
    assert part in shown.out
    assert part in dapu("manager", folder).out
