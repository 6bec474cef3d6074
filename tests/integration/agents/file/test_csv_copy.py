"""CSV whose lines go to COPY as they stand: nothing but the speed may differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from dapu.agents.file import FileOptions
from dapu.rows.arrow_csv import CsvText
from dapu.sources.files.combine import Gathering
from dapu.sources.files.formats.csv_dialect import CsvStyle
from dapu.sources.files.formats.csv_part import open_csv
from dapu.sources.files.places.unpack import Content
from dapu.sources.files.values.convert_texts import TextStyle
from tests.support.file_task import FileTask

TABLE = {"n": "integer", "d": "date", "t": "text"}
LONG = "".join(f"{number},2024-01-02,text {number}\n" for number in range(20_000))


def goes_as_it_stands(path: Path, content: str) -> list[bool]:
    """Which pieces of a file of the columns n, d and t are handed on as text."""
    path.write_bytes(content.encode())
    part = open_csv(Content(path.name, lambda: path.open("rb")), CsvStyle(), set(TABLE))
    options = FileOptions(do="file", file=path.name, load="replace")
    rows = Gathering(
        [part],
        options.chosen_columns(),
        TABLE,
        [TextStyle()],
        of_cells=False,
        has_steps=False,
        origin=False,
        hash_key=None,
    ).rows()
    return [isinstance(batch, CsvText) for batch in rows.batches]


@pytest.mark.parametrize(
    "rows",
    [
        '1,2024-01-02,x\n,,\n3,,""\n',
        '1,2024-01-02,"x"\r\n2,,"y, z"\r\n',
        "1;2024-01-02;x\n2;;y",
        "1\t2024-01-02\tä\n",
    ],
)
def test_plain_lines_go_to_copy_as_they_stand(tmp_path: Path, rows: str) -> None:
    header = "n,d,t\n".replace(",", rows[1] if rows[1] in ";\t" else ",")
    assert all(goes_as_it_stands(tmp_path / "a.csv", header + rows))


@pytest.mark.parametrize(
    "row",
    [
        '1,2024-01-02,5" pipe',  # COPY would take the quote away
        '1,2024-01-02,"a ""b"""',
        '1,2024-01-02,"a\nb"',
        "1 000,2024-01-02,x",
        '"",2024-01-02,x',
        "1,02.01.2024,x",  # PostgreSQL takes it, in the order of a setting
        "1,2024-01-02 10:00,x",
        "1,today,x",
        "1,2024-01-02,x\r2,2024-01-02,y",  # a line of its own to the parser
    ],
)
def test_lines_that_copy_reads_differently_do_not(tmp_path: Path, row: str) -> None:
    assert goes_as_it_stands(tmp_path / "a.csv", f"n,d,t\n{row}\n") == [False]


def test_only_the_odd_piece_of_a_file_is_converted(tmp_path: Path, files: FileTask) -> None:
    odd = '-1,1.2.2024,"two\nlines, and ""5"" "\n'
    content = f"n,d,t\n{LONG}{odd}{LONG}"
    pieces = goes_as_it_stands(tmp_path / "a.csv", content)
    assert len(pieces) > 2
    assert pieces.count(False) == 1
    files.share.put("a.csv", content)
    files.run("file: a.csv")
    assert files.task.rows(
        "select count(*), count(distinct n), sum(length(t)) from staging.thing"
    ) == [(40_001, 20_001, 2 * sum(len(f"text {n}") for n in range(20_000)) + 19)]
    assert files.task.rows("select d::text, t from staging.thing where n = -1") == [
        ("2024-02-01", 'two\nlines, and "5" ')
    ]


def test_a_value_that_does_not_fit_is_reported_by_its_line_there_too(files: FileTask) -> None:
    above = 'n,d,t\n-1,,"a\nb"\n\n'
    files.has('file: a.csv\ncomment: "#"')
    files.task.make_table("n int, d date, t text")
    files.share.put("a.csv", f"{above}{LONG}#\n99999999999,2024-01-02,x\n{LONG}")
    said = files.fails()
    assert f"a.csv, line {above.count(chr(10)) + 20_000 + 2}" in said
    assert "out of range" in said


def test_bad_values_of_lines_that_are_divided_by_tabs_are_rejected(files: FileTask) -> None:
    files.has("file: a.tsv\non_bad_value: reject")
    files.task.make_table("n int, t text")
    files.share.put("a.tsv", "n\tt\n1\ta, b\n99999999999\tc\n")
    files.run()
    assert files.rows() == [(1, "a, b")]
