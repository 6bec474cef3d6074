"""A DuckDB file as a source, beside others that use it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from tests.support.one_task import OneTask

HOLD = "import duckdb, sys; s = duckdb.connect(sys.argv[1], read_only=True); print(); input()"
READ = {"q.sql": "select * from item"}


def make(file: Path, statement: str) -> None:
    with closing(duckdb.connect(str(file))) as session:
        session.execute(statement)


def test_others_may_read_it_too_and_its_path_is_relative(task: OneTask) -> None:
    task.has("url: duckdb:///shop.duckdb", "do: database\nquery: q.sql", READ)
    make(task.folder / "shop.duckdb", "create table item as select 1 as id")
    command = [sys.executable, "-c", HOLD, str(task.folder / "shop.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        task.run()
        other.communicate(b"\n")
    assert task.rows() == [(1,)]


def test_a_missing_file_is_reported_and_not_made(task: OneTask) -> None:
    task.has("url: duckdb:///shop.duckdb", "do: database\nquery: q.sql", READ)
    assert "database does not exist" in task.fails()
    assert not (task.folder / "shop.duckdb").exists()


def test_a_query_changes_nothing(task: OneTask) -> None:
    change = {"q.sql": "update item set id = 2"}
    task.has("url: duckdb:///shop.duckdb", "do: database\nquery: q.sql", change)
    make(task.folder / "shop.duckdb", "create table item as select 1 as id")
    assert "refuses the query" in task.fails()
    action = "do: database\nquery: q.sql\nreader: generic"
    task.has("url: 'duckdb:///:memory:'", action, {"q.sql": "-- none"})
    assert "gives no rows: the query is not a SELECT" in task.fails()


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz", "timestamp_ns"])
def test_infinity_is_not_a_watermark(task: OneTask, kind: str) -> None:
    """The driver would make it the end of the year 9999, and its rows would never be read."""
    action = "do: database\nquery: q.sql\nload: append\nwatermark: {column: w}"
    task.has("url: duckdb:///shop.duckdb", action, READ)
    rows = f"select '2024-01-01'::{kind} as w union all select"
    make(task.folder / "shop.duckdb", f"create table item as {rows} 'infinity'::{kind}")
    assert "infinity is not a point from which rows can be read on" in task.fails()


def test_the_last_day_is_a_watermark(task: OneTask) -> None:
    action = "do: database\nquery: q.sql\nload: append\nwatermark: {column: w}"
    task.has("url: duckdb:///shop.duckdb", action, READ)
    make(task.folder / "shop.duckdb", "create table item as select date '9999-12-31' as w")
    task.run()
    assert task.rows("select w::text from staging.thing") == [("9999-12-31",)]


def test_columns_of_one_name_are_not_renamed(task: OneTask) -> None:
    query = {"q.sql": "select 1 as a, 2 as a"}
    task.has("url: 'duckdb:///:memory:'", "do: database\nquery: q.sql", query)
    assert "a" in task.fails()
    assert not task.has_table()
