"""`do: file`: values meet the types of a table, and nothing is rounded or cut."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.file_task import FileTask


def test_a_table_of_its_own_gives_the_types(files: FileTask) -> None:
    files.share.put("a.csv", "id,amount,at,flag\n 1 ,12.0,2024-01-02 03:04,t\n2,,,\n")
    files.task.make_table("id int, amount numeric(10, 2), at timestamptz, flag boolean, more text")
    files.run("file: a.csv")
    at = datetime(2024, 1, 2, 3, 4, tzinfo=UTC)
    assert files.rows() == [(1, 12, at, True, None), (2, None, None, None, None)]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("n\n1.239\n", "", "line 2: '1.239' would be rounded in the column n"),
        ("n\n1.239\n", "origin: true", "line 2: '1.239' would be rounded in the column n"),
        ("n;x\n1,239;\n", 'decimal: ","', "line 2: '1.239' would be rounded in the column n"),
        ("r\n0.123456789\n", "", "line 2: '0.123456789' would be rounded in the column r"),
        ("t\n10:00+02\n", "", 'cannot hold "10:00+02 (its zone would be lost)" (a.csv, line 2)'),
        ('v\n"abc "\n', "", 'cannot hold "abc  (would be cut)" (a.csv, line 2)'),
        ("n\n1\n", "constant: {r: 0.123456789}", "`constant` r: '0.123456789' would be rounded"),
    ],
)
def test_what_a_column_would_round_or_cut_is_reported(
    files: FileTask, content: str, options: str, message: str
) -> None:
    files.share.put("a.csv", content)
    files.task.make_table("n numeric(6, 2), r real, t time, v varchar(3), x int")
    assert message in files.fails(f"file: a.csv\n{options}")


def test_what_a_column_holds_whole_is_loaded(files: FileTask) -> None:
    files.share.put("a.csv", 'n,r,t,v\n1.2300,0.1,10:00:00.5,abc\n,,,""\n')
    files.task.make_table("n numeric(6, 2), r real, t time, v varchar(3)")
    files.run("file: a.csv")
    assert [str(value) for value in files.rows()[0]] == ["1.23", "0.1", "10:00:00.500000", "abc"]


def test_parquet_and_json_are_not_rounded_either(files: FileTask) -> None:
    files.task.make_table("n numeric(6, 2), at date")
    files.share.put("a.ndjson", '{"n": 1.239}\n')
    assert "'1.239' would be rounded in the column n" in files.fails("file: a.ndjson")
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    for name, values in (("n", [1.239]), ("at", [at])):
        parquet.write_table(pa.table({name: values}), files.share.path / "a.parquet")
        files.share.age(files.share.path / "a.parquet")
        assert "would be" in files.fails("file: a.parquet")


@pytest.mark.parametrize("code", ["007", "0x1F", "1_0", "1.000"])
def test_a_code_is_not_a_number_of_a_table_whose_types_were_found(
    files: FileTask, code: str
) -> None:
    files.share.put("a.csv", "id,c\n1,12\n")
    files.run("file: a.csv\nload: append")
    files.share.put("a.csv", f"id,c\n2,{code}\n")
    assert f"a.csv, line 2: '{code}' is not an integer" in files.fails()


def test_zeros_mean_nothing_where_the_type_is_given(files: FileTask) -> None:
    files.share.put("a.csv", "c\n007\n")
    files.run("file: a.csv\ncolumns: {c: {name: c, type: integer}}")
    assert files.rows() == [(7,)]


def test_a_decimal_point_that_could_be_of_thousands_is_reported(files: FileTask) -> None:
    files.share.put("a.csv", "id;n\n1;1.000\n2;2.500\n")
    files.run("file: a.csv")
    assert files.rows("n") == [(Decimal("1.000"),), (Decimal("2.500"),)]
    assert any("a header, decimal point" in event for event in files.task.events())
