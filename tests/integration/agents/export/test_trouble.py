"""`do: export` when something is wrong: no file is half there, and the message says what to do."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.exporting import write_workbook
from tests.support.command import running, wait_until
from tests.support.components import manager, one, rows
from tests.support.export_task import ExportTask
from tests.support.one_task import TASK, OneTask
from tests.support.rounds import prepare, run_due


@pytest.fixture
def export(task: OneTask, tmp_path: Path) -> ExportTask:
    """A task that exports."""
    return ExportTask(task, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.ndjson", "a.parquet"])
def test_a_faulty_query_is_reported_by_file_and_line(export: ExportTask, name: str) -> None:
    said = export.fails(f"file: {name}", "select\n  1 as one,\n  amonut\nfrom pg_class")
    assert 'query.sql:3: column "amonut" does not exist' in said
    assert "division by zero" in export.fails(f"file: {name}", "select 1 / (n - 9) as x from "
                                              "generate_series(1, 9) as n")  # fmt: skip
    said = export.fails(f"file: {name}", "select 1 as n, 2 as n")
    assert "query.sql gives two columns `n`; rename one" in said


def test_a_name_may_not_become_one_elsewhere(export: ExportTask) -> None:
    export.has("file: '{{ place }}.csv'")
    task = export.task.folder / "routes/source/staging/thing/task.yaml"
    sound = task.read_text()
    for place, message in {
        "../../etc/a": "'../../etc/a.csv' is not a path below the folder",
        '"a\\nb"': "becomes 'a\\nb.csv', which no file has",
    }.items():
        task.write_text(f"{sound}variables: {{place: {place}}}\n")
        assert message in export.task.fails()
    task.write_text(sound.replace("{{ place }}", "{{ x if false }}") + "variables: {x: 1}\n")
    assert "task.yaml:" in export.task.fails()


def test_a_sheet_holds_only_so_many_rows(
    export: ExportTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_workbook, "MOST_ROWS", 7_000)
    said = export.fails("file: a.xlsx", "select n from generate_series(1, 7000) as n")
    assert "query.sql: a sheet holds 7,000 rows with its header, and the query gives more" in said
    assert "6,999 rows" in export.writes("file: a.xlsx", "select generate_series(1, 6999) as n")


def test_a_cell_holds_only_so_many_characters(export: ExportTask) -> None:
    query = "select n, repeat('x', 32765 + n) || chr(120143) as t from generate_series(0, 1) as n"
    said = export.fails("file: a.xlsx", query)
    assert (
        "query.sql, row 2, column t: a text of 32,768 characters, and a cell holds 32,767" in said
    )
    export.writes("file: a.xlsx", f"{query} where n = 0")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("date 'infinity'", "row 2, column x: CSV conversion error to date32[day]: invalid value"),
        (
            "'NaN'::numeric",
            "column x: NaN is not a decimal; cast the column to double precision or",
        ),
        ("1e80::numeric", "column x: its numbers need 81 digits, and Parquet has 76"),
    ],
)
def test_what_parquet_does_not_know_is_reported(
    export: ExportTask, value: str, message: str
) -> None:
    query = f"select case when n = 2 then {value} end as x from generate_series(1, 2) as n"
    assert f"query.sql, {message}" in export.fails("file: a.parquet", query)


def test_a_folder_that_is_not_there_or_takes_no_files(export: ExportTask, task: OneTask) -> None:
    action, files = "do: export\nfile: a.csv\nquery: query.sql", {"query.sql": "select 1 as n"}
    task.has(f"driver: files\npath: {export.folder}/gone", action, files)
    assert "gone) does not exist: is the share mounted?" in task.fails()
    task.has("driver: files\npath: /sys/kernel", action, files)  # which not even root may write to
    assert "cannot write a.csv in `source` (/sys/kernel): " in task.fails()
    task.has("driver: files\npath: http://127.0.0.1:9/x", action, files)
    assert "`source` (http://127.0.0.1:9/x)" in task.fails()
    task.has("driver: pg\ndatabase: x", action, files)
    assert "is not a folder of files; it needs `driver: files`" in task.fails()
    (export.folder / "a.csv").mkdir()
    assert "cannot write a.csv in `source`" in export.fails("file: a.csv")


def test_a_workbook_that_somebody_has_open_is_left_alone(export: ExportTask) -> None:
    export.writes("file: a.xlsx")
    (export.folder / "~$a.xlsx").write_bytes(b"\x05Juhan")
    said = export.fails("file: a.xlsx", "select 2 as n")
    assert "is open in its editor by Juhan; it is written when it is closed" in said


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk, no file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.ndjson", "a.parquet"])
def test_a_full_disk_is_reported_and_leaves_nothing(export: ExportTask, name: str) -> None:
    export.has(f"file: {name}", "select n, md5(n::text) as t from generate_series(1, 9999) as n")
    prepare(export.task.folder)
    with files_of_at_most(20_000):
        run_due(export.task.folder)
    [said] = export.task.rows("select message from meta.agenda")[0]
    assert f"cannot write {name} in " in said
    assert "File too large" in said
    assert export.names() == []
    assert "9,999 rows" in export.task.run()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this process and those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_what_a_killed_run_left_is_cleared(
    export: ExportTask, connection: PgSession, temporary: Path
) -> None:
    rows(connection, "create table public.slow as select 1 as one")
    export.has("file: deep/a.csv", slow="select pg_sleep(60) from public.slow")
    definition = export.task.folder / "routes/source/staging/thing/task.yaml"
    again = definition.read_text().replace("retries: 0", "retries: 1")
    definition.write_text(f"{again}- {{do: sql, file: slow.sql}}\n")
    prepare(export.task.folder)
    manager(export.task.folder)
    with running("worker", export.task.folder) as process:
        wait_until(export.names)
        [hidden] = export.names()
        assert hidden.startswith("deep/.dapu-")
        kill(process)
    assert export.names() == [hidden]
    assert len(list(temporary.iterdir())) == 1
    rows(connection, "delete from public.slow")
    assert run_due(export.task.folder).outcomes[TASK].status == "done"
    assert export.names() == ["deep/a.csv"]
    assert list(temporary.iterdir()) == []


def test_a_run_that_is_killed_right_before_its_commit_is_done_again(
    export: ExportTask, connection: PgSession, temporary: Path
) -> None:
    export.has("file: a.csv")
    definition = export.task.folder / "routes/source/staging/thing/task.yaml"
    definition.write_text(definition.read_text().replace("retries: 0", "retries: 1"))
    prepare(export.task.folder)
    manager(export.task.folder)
    with running("worker", export.task.folder) as process:
        wait_until(lambda: status(connection) == "running")
        with connection.cursor() as cursor:
            cursor.execute("select 1 from meta.agenda for update")  # nobody can end the job now
            wait_until(lambda: export.names() == ["a.csv"])
            kill(process)
            connection.rollback()
    assert status(connection) == "running"
    assert run_due(export.task.folder).outcomes[TASK].status == "done"
    assert export.names() == ["a.csv"]
    assert list(temporary.iterdir()) == []


def status(connection: PgSession) -> str:
    return str(one(connection, "select status from meta.agenda"))
