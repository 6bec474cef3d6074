"""`do: file`: how a CSV file is written is guessed where that is sure, and asked for where not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.file_task import FileTask


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("1,5;2,5\n3,5;4,5\n", "comma and the semicolon"),
        ("a;b,c\n", "comma and the semicolon"),
        ("x,y|z\nv,w|u\n", "comma and the bar"),
    ],
)
def test_delimiters_that_fit_equally_are_asked_for(
    files: FileTask, content: str, names: str
) -> None:
    files.share.put("a.csv", content)
    message = files.fails("file: a.csv")
    assert f"the {names} divide its lines equally well" in message
    assert "`delimiter`" in message
    files.run("file: a.csv\ndelimiter: ';'")


def test_a_header_decides_between_delimiters(files: FileTask) -> None:
    files.share.put("a.csv", "name;amount\nx;1,5\ny;2,5\n")
    files.run("file: a.csv")
    assert [float(row[1]) for row in files.rows()] == [1.5, 2.5]


@pytest.mark.parametrize(
    ("content", "columns", "count"),
    [
        (",name,amount\n0,x,1\n1,y,2\n", ["column_1", "name", "amount"], 2),  # pandas
        ('"","name","amount"\n"1","x",1\n', ["column_1", "name", "amount"], 1),  # R
        ("id,,age\n1,x,10\n", ["id", "column_2", "age"], 1),
        (",a,b\nk,x,y\nl,z,w\n", ["column_1", "a", "b"], 2),
        ("country,2023,2024\nx,1,2\ny,3,4\n", ["country", "_2023", "_2024"], 2),
        ("country,1960,1970\nx,1.5,\ny,,4\n", ["country", "_1960", "_1970"], 2),
        ("year,2023\n2024,5\n", ["year", "_2023"], 1),
        ("x,1,7\ny,3,4\n", ["column_1", "column_2", "column_3"], 2),
        ("x,,7\ny,3,4\n", ["column_1", "column_2", "column_3"], 2),
    ],
)
def test_headers(files: FileTask, content: str, columns: list[str], count: int) -> None:
    files.share.put("a.csv", content)
    files.run("file: a.csv")
    assert list(files.task.types()) == columns
    assert len(files.rows()) == count
    files.run("file: a.csv", full=True)  # the table is there now
    assert len(files.rows()) == count


@pytest.mark.parametrize(
    "content", ["born,1990,2020\nx,1985,2019\n", "k,1,2,3\nx,5,6,7\n", "country,2023,2024\n"]
)
def test_a_first_line_that_may_be_either_is_asked_for(files: FileTask, content: str) -> None:
    files.share.put("a.csv", content)
    message = files.fails("file: a.csv")
    assert "`header: 1`" in message
    assert content.partition("\n")[0].replace(",", ", ") in message
    files.run("file: a.csv\nheader: none")
    assert len(files.rows()) == content.count("\n")


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_what_excel_writes_first_says_the_delimiter(files: FileTask, first: str) -> None:
    files.share.put("a.csv", f"{first}\nname;a,b\nx;1\ny;2\n")
    files.run("file: a.csv")
    assert files.rows() == [("x", 1), ("y", 2)]
    assert list(files.task.types()) == ["name", "a_b"]
    files.share.put("a.csv", f"{first}\nname;a,b\nx;n/a\n", hours_ago=0.5)
    assert "line 3" in files.fails("file: a.csv")


def test_quotes_that_a_backslash_escapes(files: FileTask) -> None:
    text = 'id,note\n1,"a \\"b\\", c"\n2,"line\nend\\\\"\n3,plain\n4,"x\\","\n'
    files.share.put("a.csv", text)
    expected: list[Any] = [(1, 'a "b", c'), (2, "line\nend\\"), (3, "plain"), (4, 'x",')]
    for options in ("file: a.csv", "file: a.csv\nescape: '\\'"):
        files.run(options)
        assert files.rows() == expected
        files.task.execute("drop table staging.thing")


def test_a_backslash_is_a_character_where_quotes_are_doubled(files: FileTask) -> None:
    files.share.put("a.csv", 'id,path\n1,"C:\\"\n2,"say ""x"", C:\\dir"\n')
    files.run("file: a.csv")
    assert files.rows() == [(1, "C:\\"), (2, 'say "x", C:\\dir')]


def test_a_backslash_that_may_be_either_is_asked_for(files: FileTask) -> None:
    files.share.put("b.csv", 'id,note\n1,"a\\"b\\"c"\n')
    message = files.fails("file: b.csv")
    assert "`escape: none`" in message
    files.run("file: b.csv\nescape: '\\'")
    assert files.rows() == [(1, 'a"b"c')]


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a\x1a\x1a"])
def test_the_mark_of_the_end_that_dos_wrote_is_not_a_row(files: FileTask, end: str) -> None:
    files.share.put("a.csv", f"id,n\n1,x\n2,y{end}")
    files.run("file: a.csv")
    assert files.rows() == [(1, "x"), (2, "y")]


def test_that_mark_within_a_file_is_a_character(files: FileTask) -> None:
    files.share.put("a.csv", "id,n\n1,\x1a\n2,y\n")
    files.run("file: a.csv")
    assert files.rows() == [(1, "\x1a"), (2, "y")]
