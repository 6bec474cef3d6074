"""What must hold after a task's actions: else nothing of the job is kept, and it says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.worker.job import Outcome
from tests.conftest import MakeWarehouse
from tests.support.components import a_task, one, rows
from tests.support.rounds import prepare, run_due, run_task

TASK = "r.s.t"
FILL = """
    create table if not exists s.t (id int, amount numeric);
    truncate s.t;
    insert into s.t select i % 100, nullif(i, 7) from generate_series(1, 100 + {extra}) i;
"""


def warehouse(make_warehouse: MakeWarehouse, checks: str, extra: int = 0, **files: str) -> Path:
    """A task that fills s.t with 100 rows of distinct ids, and `extra` doubles."""
    more = {f"{name}.sql": text for name, text in files.items()}
    return make_warehouse(
        {
            "ver/001_schema.sql": "create schema s",
            "routes/r/route.yaml": "",
            **a_task(
                TASK,
                {"run.sql": FILL.format(extra=extra), **more},
                checks=checks,
                run="{retries: 0}",
            ),
        }
    )


def details(connection: PgSession) -> dict[str, Any]:
    """The data of the last error's event."""
    query = "select data from meta.event where level = 'error' order by event desc limit 1"
    found = one(connection, query)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("extra", [1, 20, 30])
def test_a_failed_check_keeps_nothing_and_shows_up_to_twenty_rows(
    make_warehouse: MakeWarehouse, connection: PgSession, extra: int
) -> None:
    outcome = run_task(warehouse(make_warehouse, "[{unique: [id]}]", extra), TASK)
    assert outcome.status == "failed"
    how_many = "more than 20" if extra > 20 else str(extra)
    assert outcome.message.startswith(f"the check `unique: [id]` failed: {how_many} offending row")
    assert "(id " in outcome.message
    assert "times" not in outcome.message
    assert one(connection, "select to_regclass('s.t')") is None
    shown = details(connection)["rows"]
    assert len(shown) == min(extra, 20)
    assert shown[0].keys() == {"id", "times"}


def test_the_old_rows_stay_when_the_new_ones_fail(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = warehouse(make_warehouse, "[{unique: [id]}]")
    assert run_task(folder, TASK).status == "done"
    (folder / "routes/r/s/t/run.sql").write_text(FILL.format(extra=5))
    assert run_task(folder, TASK).status == "failed"
    assert one(connection, "select count(*) from s.t") == 100


def test_a_missing_value_is_shown_with_its_row(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    outcome = run_task(warehouse(make_warehouse, "[{not_null: [id, amount]}]"), TASK)
    assert outcome == Outcome(
        "failed",
        0,
        "the check `not_null: [id, amount]` failed: 1 offending row; "
        "`dapu status DIR TASK` shows them",
        found=[{"id": 7, "amount": None}],
    )
    assert details(connection)["rows"] == [{"id": 7, "amount": None}]


def test_a_query_of_ones_own_passes_when_it_returns_no_row(make_warehouse: MakeWarehouse) -> None:
    folder = warehouse(
        make_warehouse, "[{sql: none.sql}]", none="select * from {{ this }} where id < 0"
    )
    assert run_task(folder, TASK).status == "done"


def test_a_query_of_ones_own_fails_with_its_rows(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = warehouse(
        make_warehouse, "[{sql: big.sql}]", big="select id, amount from s.t where amount > 99"
    )
    message = run_task(folder, TASK).message
    assert message.startswith("the check `sql: big.sql` failed: 1 offending row; ")
    assert "100" not in message, "a row is people's data, and the message goes to a log"
    assert details(connection)["rows"] == [{"id": 0, "amount": "100"}]


def test_values_that_json_does_not_have_are_reported(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    odd = (
        "select 'NaN'::float8 as a, '-Infinity'::float8 as b, 'NaN'::numeric as c, '\\x00'::bytea d"
    )
    run_task(warehouse(make_warehouse, "[{sql: odd.sql}]", odd=odd), TASK)
    assert details(connection)["rows"] == [{"a": "nan", "b": "-inf", "c": "NaN", "d": "\\x00"}]


def test_long_values_are_cut(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    long = "select repeat('x', 3000000) as a from generate_series(1, 3)"
    run_task(warehouse(make_warehouse, "[{sql: long.sql}]", long=long), TASK)
    assert details(connection)["rows"][0]["a"] == f"{'x' * 200}… (3,000,000 characters)"
    assert len(details(connection)["rows"][2]["a"]) < 250


def test_a_check_that_is_not_a_query_says_so(make_warehouse: MakeWarehouse) -> None:
    folder = warehouse(make_warehouse, "[{sql: odd.sql}]", odd="delete from s.t")
    message = run_task(folder, TASK).message or ""
    assert message.startswith("the check `sql: odd.sql` is not a query")


def test_a_check_that_cannot_run_says_why(make_warehouse: MakeWarehouse) -> None:
    folder = warehouse(make_warehouse, "[{sql: odd.sql}]", odd="select nothing from s.t")
    message = run_task(folder, TASK).message
    assert message == ('the check `sql: odd.sql` cannot be run: column "nothing" does not exist')


def test_a_column_that_is_not_there(make_warehouse: MakeWarehouse) -> None:
    message = run_task(warehouse(make_warehouse, "[{unique: [idd]}]"), TASK).message
    assert message == 'the check `unique: [idd]` cannot be run: column "idd" does not exist'


def test_the_first_check_that_fails_is_reported(make_warehouse: MakeWarehouse) -> None:
    folder = warehouse(
        make_warehouse, "[{unique: [amount]}, {not_null: [amount]}, {unique: [id]}]", 3
    )
    assert "not_null: [amount]" in run_task(folder, TASK).message


def test_a_failed_check_wakes_nobody(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = warehouse(make_warehouse, "[{unique: [id]}]", 1)
    for name, text in a_task("r.s.slave", depends=f"[{TASK}]").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    prepare(folder)
    assert run_due(folder).order == [TASK]
    assert rows(connection, "select task from meta.agenda") == [(TASK,)]


ORDERS = """
    create table if not exists s.t (id int, status text, customer int, changed timestamptz);
    truncate s.t;
    insert into s.t values (1, 'open', 7, now()), (2, 'paid', 8, now() - interval '2 days'),
        (3, null, null, null);
    create table if not exists s.customer (id int);
    truncate s.customer;
    insert into s.customer values (7);
"""


def orders(make_warehouse: MakeWarehouse, checks: str) -> Path:
    return make_warehouse(
        {
            "ver/001_schema.sql": "create schema s",
            "routes/r/route.yaml": "",
            **a_task(TASK, {"run.sql": ORDERS}, checks=checks, run="{retries: 0}"),
        }
    )


HOLDS = """
  - accepted_values: {status: [open, paid]}
  - accepted_values: {id: [1, 2, 3]}
  - {relationships: {customer: s.customer.id}, where: id <> 2}
  - {expression: customer > 6, where: id < 9 -- each}
  - row_count: {at_least: 3, at_most: 3}
  - {row_count: {at_least: 1, at_most: 1}, where: status = 'paid'}
  - row_count: {usual: 10 %}
  - fresh_within: {changed: 1 hour}
"""


def test_what_holds_passes_and_is_noted(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    outcome = run_task(orders(make_warehouse, HOLDS), TASK)
    assert outcome.status == "done", outcome.message
    noted = rows(connection, 'select "check", fault, count from meta.checked order by number')
    assert len(noted) == HOLDS.count("\n  - ")
    assert noted[0] == ("accepted_values: status", None, None)
    assert noted[4] == ("row_count: at_least 3, at_most 3", None, 3)


FAILS = {
    "accepted_values: {status: [open]}": {"status": "paid", "times": 1},
    "relationships: {customer: s.customer.id}": {"customer": 8, "times": 1},
    "row_count: {at_least: 4}": {"rows": 3},
    "row_count: {at_most: 1}": {"rows": 3},
    "fresh_within: {changed: 1 day}, where: id = 3": {"newest": None},
}


def test_what_does_not_hold_is_shown(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    checks = "".join(f"\n  - {{{check}, severity: warn}}" for check in FAILS)
    outcome = run_task(orders(make_warehouse, checks), TASK)
    assert outcome.status == "done", outcome.message
    found = "select data -> 'rows' -> 0 from meta.event where level = 'warning' order by event"
    assert [row for (row,) in rows(connection, found)] == list(FAILS.values())


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ("accepted_values: {id: [one]}", "give values of the type that the column id has"),
        ("accepted_values: {status: [1]}", "give values of the type that the column status has"),
        ("{expression: \"id > 'one'\"}", "invalid input syntax for type integer"),
    ],
)
def test_values_of_another_type_are_not_tried_again(
    make_warehouse: MakeWarehouse, check: str, why: str
) -> None:
    folder = orders(make_warehouse, f"[{check}]")
    task = folder / "routes/r/s/t/task.yaml"
    task.write_text(task.read_text().replace("retries: 0", "retries: 3"))
    outcome = run_task(folder, TASK)
    assert outcome.status == "failed"
    assert why in outcome.message


def test_a_condition_that_is_false_for_a_row_fails(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    outcome = run_task(orders(make_warehouse, "[{expression: customer < 8}]"), TASK)
    assert outcome.message.startswith("the check `expression: customer < 8` failed: 1 offending")
    assert details(connection)["rows"][0]["id"] == 2, "a row without a customer passes"


def test_a_warning_keeps_the_rows(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = orders(make_warehouse, "[{not_null: [status], severity: warn}, {unique: [id]}]")
    outcome = run_task(folder, TASK)
    assert outcome.status == "done"
    assert "the check `not_null: [status]` failed: 1 offending row" in outcome.message
    assert one(connection, "select count(*) from s.t") == 3
    warning = rows(
        connection, "select job is not null, data from meta.event where level = 'warning'"
    )
    assert warning[0][0]
    assert warning[0][1]["rows"][0]["id"] == 3
    faults = rows(connection, "select fault is null from meta.checked order by number")
    assert faults == [(False,), (True,)]


def test_the_usual_number_of_rows(make_warehouse: MakeWarehouse, connection: PgSession) -> None:
    folder = warehouse(make_warehouse, "[{row_count: {usual: 20 %}}]")
    assert run_task(folder, TASK).status == "done"
    with connection, connection.cursor() as cursor:  # two runs more
        cursor.execute(
            'insert into meta.checked (task, "check", job, count) '
            'select task, "check", job, count + 4 * n from meta.checked, generate_series(1, 2) n'
        )
    (folder / "routes/r/s/t/run.sql").write_text(FILL.format(extra=24))
    assert run_task(folder, TASK).status == "done"
    (folder / "routes/r/s/t/run.sql").write_text(FILL.format(extra=-40))
    outcome = run_task(folder, TASK)
    assert outcome.message == (
        "the check `row_count: usual 20 %` failed: 60 rows, where 106 are usual (4 runs)"
    )
