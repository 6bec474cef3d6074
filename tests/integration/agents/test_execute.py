"""`do: execute` as a task: documents, views and mark in the job's one commit."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from typing import Any

import pytest

from dapu.registry import agenda
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import open_warehouse
from tests.services.execute_server import KEY_ID, KEY_SECRET, ExecuteServer, Fault
from tests.support.command import running, wait_until
from tests.support.one_task import TASK, OneTask

pytestmark = pytest.mark.usefixtures("short_waits")
IDS = "select id, version from staging.thing_latest order by id"


@pytest.fixture
def source(task: OneTask, execute: ExecuteServer) -> OneTask:
    execute.schema = {
        "AFE": {"X": {"TYPE": "INTEGER"}},
        "RTX": {"Y": {"TYPE": "TEXT"}, "OLD": {"TYPE": "TEXT", "ACTIVE": False}},
    }
    execute.put("AFE", "1", X=1)
    execute.put("RTX", "2", Y="y")
    has(task, execute)
    return task


def has(task: OneTask, execute: ExecuteServer, options: str = "", url: str = "") -> None:
    connection = f"driver: execute\nurl: {url or execute.url}\nkey_id: {KEY_ID}\n"
    connection += f"key_secret: {KEY_SECRET}\n"
    task.has(connection, f"do: execute\n{options}")


def since(execute: ExecuteServer) -> list[str]:
    """The marks that were asked for."""
    return [
        question.values["since"] for question in execute.questions if "since" in question.values
    ]


def test_documents_become_rows_and_views(source: OneTask, execute: ExecuteServer) -> None:
    assert source.run().startswith("2 rows, views brought up to date in ")
    execute.put("AFE", "1", 2, X=5)
    assert source.run().startswith("1 row in ")
    assert source.run().startswith("0 rows in ")
    assert source.rows(IDS) == [("1", 2), ("2", 1)]
    assert source.rows("select document_id, x from staging.afe") == [("1", 5)]
    assert since(execute)[0] == "1900-01-01"
    assert since(execute)[-1] == execute.mark()
    mark = source.rows("select column_name, kind, value from meta.watermark")
    assert mark == [("mark", "text", execute.mark())]


def test_fields_are_hashed_and_masked_at_any_depth(
    source: OneTask, execute: ExecuteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.run()
    monkeypatch.setenv("DAPU_HASH_KEY", "correct horse battery staple")
    people = {"CODE": {"TYPE": "TEXT"}, "N": {"TYPE": "DECIMAL"}}
    execute.schema["AFE"] |= {"P": {"TYPE": "RECORD LIST", "RECORD_TYPE": people}}
    rows = [{"LISTITEM_ID": str(n), "CODE": "38001085718", "N": 1.5} for n in range(3)]
    execute.put("AFE", "1", 2, X=5, P=rows)
    has(source, execute, "hash: [P.CODE]\nmask: {X: hide, Y: first 1}\nchunk_size: 2")
    (source.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")
    source.run()
    expected = "9dbbaef77781f47d3d10cffeae03ad98f1d4f05ee83fe6ae75965197f34fd4dd"
    assert source.rows("select code, n from staging.afe_p") == [(expected, Decimal("1.5"))] * 3
    assert source.rows("select x, y from staging.afe, staging.rtx") == [(None, "…")]
    has(source, execute, "mask: {P.N: first 2}")
    assert "P.N is DECIMAL: only `mask: hide` goes with it" in source.fails()
    has(source, execute, "mask: {P.M: hide}")
    assert "Execute has no field P.M" in source.fails()


def test_a_version_that_comes_again_replaces_the_old(
    source: OneTask, execute: ExecuteServer
) -> None:
    source.run()
    execute.put("AFE", "1", 1, X=9)
    source.run()
    assert source.rows("select count(*) from staging.thing where id = '1'") == [(1,)]
    assert source.rows("select x from staging.afe") == [(9,)]
    source.run(full=True)
    assert source.rows("select count(*) from staging.thing") == [(2,)]


@pytest.mark.parametrize("fault", ["cut", "bad line", "no mark", 500])
def test_a_faulty_answer_fails_the_job_and_keeps_nothing(
    source: OneTask, execute: ExecuteServer, fault: Fault
) -> None:
    has(source, execute, "limit: 1")
    execute.misbehave("no last newline", *([fault] * 4))
    source.fails()
    assert not source.has_table()
    assert source.rows("select count(*) from meta.watermark") == [(0,)]
    execute.faults.clear()
    source.run()
    assert source.rows(IDS) == [("1", 1), ("2", 1)]


def test_types_are_chosen_and_more_of_them_read_everything(
    source: OneTask, execute: ExecuteServer
) -> None:
    has(source, execute, "types: [AFE]")
    assert "1 document of other types left out" in source.run()
    assert source.rows(IDS) == [("1", 1)]
    assert source.rows("select to_regclass('staging.rtx') is null") == [(True,)]
    has(source, execute, "types: [RTX, AFE]")
    source.run()
    assert source.rows(IDS) == [("1", 1), ("2", 1)]
    assert "reads everything once, since more document types are wanted now" in source.events()
    has(source, execute, "types: [RTX]")
    source.run()
    assert since(execute)[-1] == execute.mark()


def test_calculated_fields_read_everything_once(source: OneTask, execute: ExecuteServer) -> None:
    execute.calculated = lambda document: {"TWICE": 2 * document.get("X", 0)}
    source.run()
    has(source, execute, "calculated: true")
    source.run()
    assert source.rows("select data->'TWICE' from staging.thing where id = '1'") == [(2,)]
    source.run()
    assert since(execute)[-3:] == ["1900-01-01", "1900-01-01", execute.mark()]


def test_full_reads_everything_each_time(source: OneTask, execute: ExecuteServer) -> None:
    has(source, execute, "full: true")
    source.run()
    source.run()
    assert since(execute) == ["1900-01-01"] * 2
    assert source.rows("select count(*) from staging.thing") == [(2,)]


def test_another_server_is_read_from_its_beginning(source: OneTask, execute: ExecuteServer) -> None:
    source.run()
    has(source, execute, url=execute.url.replace("127.0.0.1", "localhost"))
    source.run()
    assert since(execute) == ["1900-01-01"] * 2


@pytest.mark.parametrize("statement", ["drop table {} cascade", "truncate {}"])
@pytest.mark.parametrize("tables", [("thing",), ("thing_current", "thing")])
def test_a_table_that_was_emptied_by_hand_is_filled_again(
    source: OneTask, execute: ExecuteServer, statement: str, tables: tuple[str, ...]
) -> None:
    execute.put("AFE", "1", 2, X=2)
    execute.put("AFE", "gone")
    source.run()
    for table in tables:
        source.execute(statement.format(f"staging.{table}"))
    execute.clear()
    execute.put("AFE", "1", 1, X=1)
    source.run()
    assert source.rows(IDS) == [("1", 1)]
    assert source.rows("select document_id, _version, x from staging.afe") == [("1", 1, 1)]


def test_rows_that_were_deleted_by_hand_leave_no_trace_after_a_full_run(
    source: OneTask, execute: ExecuteServer
) -> None:
    source.run()
    source.execute("delete from staging.thing where id = '1'")
    execute.clear()
    execute.put("RTX", "2", Y="y")
    source.run(full=True)
    assert source.rows("select count(*) from staging.afe") == [(0,)]


def test_a_backfill_reads_a_range_again_and_the_mark_stays(
    source: OneTask, execute: ExecuteServer
) -> None:
    has(source, execute, "limit: 1")
    source.run()
    before = source.rows("select value, job from meta.watermark")
    source.run(backfill={"from": "2024-01-01T00:00:00.000Z", "to": "2024-01-01T00:00:00.001Z"})
    assert since(execute)[-1] == "2024-01-01T00:00:00.000Z"
    assert source.rows("select value, job from meta.watermark") == before


def test_views_follow_the_schema_and_come_back_when_dropped(
    source: OneTask, execute: ExecuteServer
) -> None:
    source.run()
    execute.schema["AFE"]["NEW"] = {"TYPE": "TEXT"}
    assert "views brought up to date" in source.run()
    source.execute("drop view staging.rtx")
    assert "views brought up to date" in source.run()
    source.execute("create view staging.report as select old from staging.rtx")
    has(source, execute, "hide_inactive: true")
    assert "views that keep old columns, as others need them: rtx" in source.run()
    assert any("staging.rtx keeps its columns, though" in event for event in source.events())
    source.execute("drop view staging.report")
    assert "views brought up to date" in source.run()
    assert source.run().startswith("0 rows in ")


def test_a_job_can_be_cancelled_while_the_server_says_nothing(
    source: OneTask, execute: ExecuteServer
) -> None:
    source.run()
    execute.put("AFE", "3")
    execute.misbehave("stall")
    warehouse = open_warehouse(source.folder)

    def cancel() -> None:
        wait_until(lambda: len(since(execute)) == 2)
        with warehouse.session("test") as session, session, session.cursor() as cursor:
            registry = registry_of(warehouse)
            for job, _ in agenda.running(cursor, registry):
                agenda.cancel(cursor, registry, job)

    thread = threading.Thread(target=cancel)
    thread.start()
    started = time.monotonic()
    with pytest.raises(AssertionError, match="cancelled"):
        source.run()
    thread.join()
    assert time.monotonic() - started < 15
    assert source.rows(IDS) == [("1", 1), ("2", 1)]


def test_a_killed_worker_loses_and_doubles_nothing(source: OneTask, execute: ExecuteServer) -> None:
    source.run()
    for number in range(100):
        execute.put("AFE", f"a{number}")
    execute.slow = 0.02
    with running("run", source.folder, TASK) as process:
        wait_until(lambda: len(since(execute)) == 2)
        time.sleep(0.3)
        process.kill()
        process.wait()
    assert source.rows("select count(*) from staging.thing") == [(2,)]
    execute.slow = 0
    source.run()
    assert source.rows("select count(*), count(distinct id) from staging.thing") == [(102, 102)]
    assert source.rows("select value from meta.watermark") == [(execute.mark(),)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("types: []", "types: needs at least 1"),
        ("limit: 0", "limit: must be 1 or more, not 0"),
        ("calculatd: true", "unknown key `calculatd`; did you mean `calculated`?"),
    ],
)
def test_wrong_options_are_reported(
    source: OneTask, execute: ExecuteServer, options: str, message: str
) -> None:
    has(source, execute, options)
    assert message in source.is_refused()


def test_a_type_that_execute_does_not_have_is_reported(
    source: OneTask, execute: ExecuteServer
) -> None:
    has(source, execute, "types: [AFE, AFEE]")
    assert source.fails() == "Execute has no document type AFEE; it has: AFE, RTX"


@pytest.mark.parametrize("schema", [[], {"AFE": 1}, {"AFE": {"X": {}}}])
def test_a_schema_that_is_none_is_reported(
    source: OneTask, execute: ExecuteServer, schema: Any
) -> None:
    execute.schema = schema
    assert "Execute's schema cannot be read:" in source.fails()


def test_another_kind_of_connection_is_reported(source: OneTask, execute: ExecuteServer) -> None:
    source.has("driver: files\npath: .", "do: execute")
    assert source.fails() == "the connection `source` has no `driver: execute`"


def test_a_date_with_parts_of_a_microsecond_is_refused(
    source: OneTask, execute: ExecuteServer
) -> None:
    text = b'{"$TYPE": "AFE", "DOCUMENT_ID": "9", "$VERSION": 1, "$DELETED": false, "$DATE": "%s"}'
    execute.put_text(("AFE", "9", 1), text % b"2024-01-02T03:04:05.1234567Z")
    message = source.fails()
    assert "AFE 9, version 1" in message
    assert "05.1234567Z" in message
    execute.put_text(("AFE", "9", 1), text % b"2024-01-02T03:04:05.1234560Z")
    source.run()
    dates = source.rows("select date at time zone 'UTC' from staging.thing where id = '9'")
    assert [str(date) for (date,) in dates] == ["2024-01-02 03:04:05.123456"]
