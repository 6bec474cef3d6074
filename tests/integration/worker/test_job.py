"""One job, one commit: rows, watermark, ending and dependents are kept together or not at all."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.agents import installed
from dapu.agents.base import Agent, Context
from dapu.definitions.models import ActionOptions
from dapu.loading.result import LoadResult
from dapu.registry import agenda
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import JobCounts, Worker
from tests.conftest import MakeWarehouse
from tests.support.components import ROUTE, a_task, manager, one, rows, write
from tests.support.rounds import Seen, prepare, run_due, run_task

TASK = "r.s.t"
LOAD = """
run: {retries: 1, retry_wait: 0 s}
actions:
  - {do: database, query: q.sql, load: append, watermark: {column: id}}
"""
LOADING = {
    **ROUTE,
    "routes/r/s/t/task.yaml": LOAD,
    "routes/r/s/t/q.sql": "select id from generate_series(1, 1000) id",
    **a_task("r.s.slave", depends=f"[{TASK}]"),
}


class OddOptions(ActionOptions):
    """How the agent misbehaves."""

    do: Literal["odd"]
    error: str


class PanicException(BaseException):
    """As a library written in another language raises it: no Exception."""


class OddAgent(Agent[OddOptions]):
    """An agent that does what no agent should."""

    name = "odd"
    options = OddOptions

    def run(self, context: Context, options: OddOptions) -> LoadResult:
        with context.session.cursor() as cursor:
            cursor.execute("create table public.made (id int)")
        raise ERRORS[options.error]


ERRORS: dict[str, BaseException] = {
    "KeyError": KeyError("amount"),
    "SystemExit": SystemExit("bye"),
    "PanicException": PanicException("called `Option::unwrap()` on a `None` value"),
    "MemoryError": MemoryError(),
    "ValueError": ValueError("no text of PostgreSQL: \0 \udc80"),
    "OverflowError": OverflowError("x" * 1_000_000),
}


@pytest.fixture
def odd_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_installed", lambda: iter([OddAgent]))


def work(folder: Path) -> tuple[JobCounts, Seen]:
    seen = Seen()
    return Worker(open_warehouse(folder), seen, minutes=1).run(), seen


def kept(connection: PgSession) -> list[Any]:
    """What a job of the task leaves: its table, its watermark, the jobs that it woke."""
    return [
        one(connection, "select to_regclass('s.t')::text"),
        one(connection, "select max(value) from meta.watermark"),
        one(connection, "select count(*) from meta.agenda where task = 'r.s.slave'"),
    ]


def test_rows_watermark_ending_and_dependents_are_there_together(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    outcome = run_task(make_warehouse(LOADING), TASK)
    assert (outcome.status, outcome.rows) == ("done", 1000)
    assert kept(connection) == ["s.t", "1000", 1]
    assert rows(connection, "select status, rows from meta.agenda where task = 'r.s.t'") == [
        ("done", 1000)
    ]


def test_a_connection_that_breaks_between_load_and_commit_keeps_nothing(
    make_warehouse: MakeWarehouse, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.worker.worker._RECONNECT", 0.05)
    # The check runs after the load, in the job's session, and breaks it.
    check = "select pg_terminate_backend(pg_backend_pid())"
    folder = make_warehouse({**LOADING, "routes/r/s/t/break.sql": check})
    (folder / "routes/r/s/t/task.yaml").write_text(LOAD + "checks: [{sql: break.sql}]\n")
    prepare(folder)
    manager(folder)
    counts, seen = work(folder)
    assert seen.order == [TASK, TASK]  # each time the worker came back
    assert counts.endings == {"waiting": 1, "failed": 1}
    assert counts.failing == {TASK: "failed"}
    assert "the warehouse's database is away" in seen.notes[0]
    assert "the warehouse's database is back" in seen.notes
    assert kept(connection) == [None, None, 0]
    cause = re.compile(
        "the connection to the warehouse's database broke: (terminating|server clos)"
    )
    assert cause.match(one(connection, "select message from meta.agenda where task = 'r.s.t'"))
    errors = rows(connection, "select message from meta.event where level = 'error'")
    assert [bool(cause.match(message)) for (message,) in errors] == [True, True]


@pytest.mark.parametrize(("meanwhile", "status"), [
    ("status = 'waiting'", "waiting"),
    ("status = 'cancelled', ended_at = now()", "cancelled"),
    ("worker = 77", "waiting"),
])  # fmt: skip
def test_a_job_that_was_lost_is_not_ended_where_somebody_else_has_it(
    make_warehouse: MakeWarehouse,
    connection: PgSession,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: str,
    status: str,
) -> None:
    monkeypatch.setattr("dapu.worker.worker._RECONNECT", 0.05)
    taken = f"update meta.agenda set {meanwhile}"
    monkeypatch.setattr(
        "dapu.worker.worker.Worker._note_outage", lambda *_: rows(connection, taken)
    )
    broken = {"run.sql": "select pg_terminate_backend(pg_backend_pid())"}
    outcome = run_task(make_warehouse({**ROUTE, **a_task(TASK, broken)}), TASK)
    assert outcome.status == status
    assert one(connection, "select message from meta.agenda") is None, "it was not touched"


def test_a_connection_that_breaks_in_dapu_run_ends_it(
    make_warehouse: MakeWarehouse, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.worker.worker._RECONNECT", 0.05)
    broken = {"run.sql": "select pg_terminate_backend(pg_backend_pid())"}
    outcome = run_task(make_warehouse({**ROUTE, **a_task(TASK, broken)}), TASK)
    assert outcome.status == "waiting"
    assert outcome.message.endswith("; next try in 1 min 0 s")
    assert rows(connection, "select status, tries from meta.agenda") == [("waiting", 1)]


@pytest.mark.usefixtures("odd_agent")
@pytest.mark.parametrize("error", list(ERRORS))
def test_whatever_an_agent_raises_fails_its_job_and_never_the_worker(
    make_warehouse: MakeWarehouse, connection: PgSession, error: str
) -> None:
    odd = f"run: {{retries: 0, priority: 1}}\nactions: [{{do: odd, error: {error}}}]\n"
    folder = make_warehouse({**ROUTE, "routes/r/s/t/task.yaml": odd, **a_task("r.s.next")})
    prepare(folder)
    manager(folder)
    counts, seen = work(folder)
    assert seen.order == [TASK, "r.s.next"]
    assert counts.endings == {"failed": 1, "done": 1}
    assert seen.outcomes[TASK].message.startswith(error)
    assert one(connection, "select to_regclass('public.made')") is None
    trace = one(connection, "select data ->> 'traceback' from meta.event where level = 'error'")
    assert "in run" in trace
    assert f"`dapu status DIR {TASK}` shows its traceback" in seen.outcomes[TASK].message


def test_an_agent_that_is_no_longer_installed_is_named(
    make_warehouse: MakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = "run: {retries: 0}\nactions: [{do: odd, error: KeyError}]\n"
    folder = make_warehouse({**ROUTE, "routes/r/s/t/task.yaml": odd})
    with monkeypatch.context() as patch:
        patch.setattr(installed, "_installed", lambda: iter([OddAgent]))
        prepare(folder)
    manager(folder)
    _, seen = work(folder)
    assert seen.outcomes[TASK].message.startswith("there is no agent `odd` on this machine")


def test_options_that_an_agent_no_longer_has_are_named(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task(TASK, run="{retries: 0}")})
    prepare(folder)
    manager(folder)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update meta.registry set definition ="
            " jsonb_set(definition::jsonb, '{actions,0,speed}', '1')::json"
        )
    _, seen = work(folder)
    assert "speed: Extra inputs are not permitted" in seen.outcomes[TASK].message


def test_a_task_whose_folder_was_deleted_is_lost(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({**ROUTE, **a_task(TASK), **a_task("r.s.slave", depends=f"[{TASK}]")})
    prepare(folder)
    manager(folder)
    shutil.rmtree(folder / "routes/r/s/t")
    counts, seen = work(folder)
    assert seen.outcomes[TASK] == Outcome(
        "lost", 0, f"the folder {folder / 'routes/r/s/t'} no longer exists"
    )
    assert counts.failing == {TASK: "lost"}
    assert rows(connection, "select task, status from meta.agenda") == [(TASK, "lost")]
    assert rows(connection, "select level from meta.event") == [("warning",)]


def test_a_task_whose_folder_became_a_file_is_lost(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse({**ROUTE, **a_task(TASK)})
    prepare(folder)
    manager(folder)
    shutil.rmtree(folder / "routes/r/s/t")
    (folder / "routes/r/s/t").write_text("")
    assert work(folder)[1].outcomes[TASK].status == "lost"


@pytest.mark.parametrize(
    "change",
    [{"run.sql": "select 2"}, {"more.sql": "select 3"}, {"task.yaml": "actions: []"}],
    ids=["a changed file", "a new file", "a faulty definition"],
)
def test_a_task_that_changed_since_it_was_registered_is_skipped(
    make_warehouse: MakeWarehouse, connection: PgSession, change: dict[str, str]
) -> None:
    folder = make_warehouse({**ROUTE, **a_task(TASK)})
    prepare(folder)
    manager(folder)
    write(folder, {f"routes/r/s/t/{name}": text for name, text in change.items()})
    counts, seen = work(folder)
    assert seen.outcomes[TASK] == Outcome(
        "skipped",
        0,
        f"the files in {folder / 'routes/r/s/t'} changed since they were registered; "
        "the registrar takes them up",
    )
    assert not counts.failing
    assert one(connection, "select status from meta.agenda") == "skipped"


@pytest.mark.parametrize("then", ["select 2", "select 1"])
@pytest.mark.parametrize("on_masters", [False, True])
def test_a_skipped_task_runs_when_its_files_are_those_that_are_registered(
    make_warehouse: MakeWarehouse, then: str, on_masters: bool
) -> None:
    depends = {"depends": "[r.s.master]"} if on_masters else {}
    folder = make_warehouse({**ROUTE, **a_task("r.s.master"), **a_task(TASK, None, **depends)})
    prepare(folder)
    run_due(folder)
    run_task(folder, "r.s.master" if on_masters else TASK)
    write(folder, {"routes/r/s/t/run.sql": "select 2"})
    if not on_masters:
        queue(folder)
    assert work(folder)[1].outcomes[TASK].status == "skipped"
    write(folder, {"routes/r/s/t/run.sql": then})
    prepare(folder)
    assert run_due(folder).outcomes[TASK].status == "done"
    assert run_due(folder).order == []


def queue(folder: Path) -> None:
    warehouse = open_warehouse(folder)
    with warehouse.session("test") as session, session, session.cursor() as cursor:
        agenda.add(cursor, registry_of(warehouse), TASK, "run", full=False)


def test_a_full_run_forgets_the_watermark_for_once(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse(LOADING)
    assert run_task(folder, TASK).rows == 1000
    assert run_task(folder, TASK).rows == 1  # the boundary again
    assert run_task(folder, TASK, full=True).rows == 1000
    assert one(connection, "select count(*) from s.t") == 1000


def of_two_actions(first: str, second: str) -> dict[str, str]:
    """The files of a task that runs two scripts."""
    actions = "[{do: sql, file: a.sql}, {do: sql, file: b.sql}]"
    files = {
        "a.sql": first,
        "b.sql": second,
        "task.yaml": f"run: {{retries: 0}}\nactions: {actions}",
    }
    return {**ROUTE, **a_task(TASK, files)}


def test_the_actions_of_a_task_share_one_transaction(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    second = "select 1 / (select count(*) from public.made)"
    folder = make_warehouse(of_two_actions("create table public.made (id int)", second))
    assert run_task(folder, TASK).status == "failed"
    assert one(connection, "select to_regclass('public.made')") is None


def test_the_events_of_a_job_are_seen_while_it_runs(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    # The second action looks for what the first one told, in the same transaction.
    second = "select 1 / count(*) from meta.event where action = 1"
    folder = make_warehouse(of_two_actions("select 1", second))
    assert run_task(folder, TASK).status == "done"
    assert rows(connection, "select job, task, action, level from meta.event order by event") == [
        (1, TASK, 1, "info"),
        (1, TASK, 2, "info"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1;\n\nselect *\nfrom nowhere;\n", '4: relation "nowhere" does not exist'),
        ("select 1;\n\nselect 1\n/ 0;\n", "3: division by zero"),
    ],
)
def test_sql_errors_name_file_and_line(
    make_warehouse: MakeWarehouse, text: str, message: str
) -> None:
    folder = make_warehouse({**ROUTE, **a_task(TASK, {"run.sql": text}, run="{retries: 0}")})
    assert run_task(folder, TASK).message == f"{folder}/routes/r/s/t/run.sql:{message}"
