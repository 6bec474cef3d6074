"""Parquet's lists, structures and maps: documents, or arrays where the table has them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.file_task import FileTask


def put(files: FileTask, **columns: pa.Array) -> None:
    path = files.share.path / "a.parquet"
    parquet.write_table(pa.table(columns), path)
    files.share.age(path)


def one(value: Any, kind: pa.DataType) -> pa.Array:
    return pa.array([value], kind)


def test_dates_and_times_in_documents_keep_all_their_digits(files: FileTask) -> None:
    moment = pa.array([1704103200_123456789], pa.timestamp("ns", "Europe/Berlin"))
    put(
        files,
        s=pa.StructArray.from_arrays([moment], ["at"]),
        days=one([date(2024, 1, 31), None], pa.list_(pa.date32())),
        old=pa.array([[-800_000, 2_932_897]], pa.list_(pa.int32())).cast(pa.list_(pa.date32())),
        m=one([(date(2024, 1, 31), time(1, 2, 3, 4000))], pa.map_(pa.date32(), pa.time64("us"))),
        naive=one([datetime(2024, 1, 31, 10)], pa.list_(pa.timestamp("us"))),
        took=one([timedelta(days=-1, microseconds=5)], pa.list_(pa.duration("us"))),
    )
    files.run("file: a.parquet")
    assert files.rows() == [
        (
            {"at": "2024-01-01T10:00:00.123456789+00:00"},
            ["2024-01-31", None],
            ["-0221-09-04", "10000-01-01"],
            {"2024-01-31": "01:02:03.004"},
            ["2024-01-31T10:00:00"],
            ["PT-86399.999995S"],
        )
    ]


def test_what_json_cannot_say_is_refused_with_its_column(files: FileTask) -> None:
    put(files, xs=one([float("nan")], pa.list_(pa.float64())))
    assert "a.parquet, column xs" in files.fails("file: a.parquet")
    put(files, ys=one([("k", 1), ("k", 2)], pa.map_(pa.string(), pa.int8())))
    assert "'k' twice" in files.fails("file: a.parquet")


def test_lists_fill_columns_of_arrays(files: FileTask) -> None:
    files.task.execute(
        "create schema staging; create table staging.thing (ns numeric(10,2)[], ts text[])"
    )
    put(
        files,
        ns=pa.array([[1.25, None], [], None], pa.list_(pa.float64())),
        ts=one(["a,b", 'q"\\'], pa.list_(pa.string())).take(pa.array([0, 0, 0])),
    )
    files.run("file: a.parquet")
    texts = ["a,b", 'q"\\']
    assert files.task.rows("select ns::text, ts from staging.thing") == [
        ("{1.25,NULL}", texts), ("{}", texts), (None, texts)
    ]  # fmt: skip
    put(files, ns=one([1.239], pa.list_(pa.float64())), ts=one(["a"], pa.list_(pa.string())))
    message = files.fails("file: a.parquet")
    assert "1.239" in message
    assert "would be rounded" in message


def test_lists_of_json_fill_arrays_too(files: FileTask) -> None:
    files.task.execute("create schema staging; create table staging.thing (id int, days date[])")
    files.share.put("a.json", '[{"id": 1, "days": ["2024-01-31", null]}, {"id": 2, "days": []}]')
    files.share.put("b.csv", 'id,days\n3,{2024-01-31}\n4,"[""2024-01-31""]"\n5,[0:0]={epoch}\n')
    files.run("file: a.json")
    assert files.rows("id, days::text") == [(1, "{2024-01-31,NULL}"), (2, "{}")]
    files.run("file: b.csv")
    assert files.rows("id, days::text") == [
        (3, "{2024-01-31}"), (4, "{2024-01-31}"), (5, "[0:0]={1970-01-01}")
    ]  # fmt: skip
    files.share.put("b.csv", 'id,days\n3,{2024-01-31}\n4,"{2024-01-31 10:00}"\n')
    message = files.fails("file: b.csv")
    assert "its time of day would be lost" in message
    assert "line 3" in message


def test_a_value_that_postgresql_cannot_take_is_refused_unread(
    files: FileTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.sources.files.formats.parquet_part._LONGEST", 1000)
    monkeypatch.setattr("dapu.sources.files.formats.parquet_part._AT_ONCE", 1000)
    put(files, t=pa.array(["ab" * 600, "b" * 900]))
    message = files.fails("file: a.parquet")
    assert "column t" in message
    assert "1 GB" in message
