"""`do: file` with CSV: how it is written is guessed or said, and each row arrives or is told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.support.file_task import FileTask


def test_csv_of_excel_in_europe_is_guessed_and_the_guess_is_reported(files: FileTask) -> None:
    files.share.put(
        "costs.csv",
        'Konto;Käive;Kuupäev;Märkus\r\n007;1.234,50;31.01.2026;"a;\r\n""b"""\r\n'
        "8;-3,5;1.2.2026;\r\n".encode("cp1252"),
    )
    files.run("file: costs.csv")
    assert files.task.types() == {
        "konto": "text",
        "kaive": "numeric",
        "kuupaev": "date",
        "markus": "text",
    }
    assert files.rows() == [
        ("007", Decimal("1234.50"), date(2026, 1, 31), 'a;\r\n"b"'),
        ("8", Decimal("-3.5"), date(2026, 2, 1), None),
    ]
    told = "guessed: encoding cp1252, delimiter semicolon, a header, decimal comma"
    assert any(told in event for event in files.task.events())


def test_an_empty_text_and_no_value_stay_apart(files: FileTask) -> None:
    files.share.put("a.csv", 'n,t\n1,""\n2,\n"",x\n')
    files.run("file: a.csv")
    assert files.rows() == [(1, ""), (2, None), (None, "x")]


def test_values_are_not_changed_by_their_looks(files: FileTask) -> None:
    texts = ["NULL", "NA", "nan", "1e5", "0x1F", "\\N", "\\.", " x ", "2024-13-01", '5" pipe']
    lines = "".join(f"{number},{text}\n" for number, text in enumerate(texts))
    files.share.put("a.csv", f"n,t\n{lines}")
    files.run("file: a.csv")
    assert [text for _, text in files.rows()] == texts


def test_comments_blank_lines_and_what_stands_above_the_header(files: FileTask) -> None:
    files.share.put("a.csv", 'Report\n\nid|t\n1|x\n#c\n\n2|"y\n\n#z"\n3|w\n')
    files.run('file: a.csv\nheader: 3\ncomment: "#"\ndelimiter: "|"\norigin: true')
    assert files.rows() == [(1, "x", "a.csv", 4), (2, "y\n\n#z", "a.csv", 7), (3, "w", "a.csv", 10)]


def test_columns_by_number_where_there_is_no_header(files: FileTask) -> None:
    files.share.put("a.tsv", "1\t'x\ty'\t2\n2\tz\t3\n")
    files.run("""
        file: a.tsv
        header: none
        quote: "'"
        columns: {1: id, 2: {name: note, type: text}}
        constant: {source: a}
    """)
    assert files.rows() == [(1, "x\ty", "a"), (2, "z", "a")]


BROKEN = [
    ("id,n\n1,2\n3,4,5\n", "", "a.csv, line 3: 3 fields where 2 are expected: 3,4,5"),
    ('id,n\n1,"a\nb"\n\n3\n', "", "a.csv, line 5: 1 fields where 2 are expected: 3"),
    ('id,n\n1,"a\nb\n', "", "a.csv ends in the middle of a text: a quote is not closed"),
    ("", "", "a.csv has no line with anything in it"),
    (b"id,n\n1,\xe4\n", "encoding: utf-8", "a.csv, line 2: 0xe4 is not a character of utf-8"),
    (
        "id;n\n7;Õ\n".encode("utf-16-le"),
        "",
        "a.csv has NUL characters; is it CSV, and its `encoding` utf-16-le?",
    ),
    (
        "id;n\n1;ä\n7;Šokolaad\n".encode("cp1257"),
        "",
        "a.csv, line 3: this is not UTF-8, and may be 'Ðokolaad' in cp1252, 'Šokolaad' in cp1257",
    ),
    ("id;n\n1;Привет\n".encode("cp1251"), "", "a.csv, line 2: this is not UTF-8"),
    (b"id;n\n" + b"1;\xe4\n" * 300_000 + b"2;\xd0\n", "", "line 300002: this is not UTF-8"),
    ("id;n\n7;Õ\n".encode("utf-16-be"), "", "its `encoding` utf-16-be?"),
    (b"id,n\n1,\xe4\n", "encoding: utf8mb4", "the encoding utf8mb4 of a.csv is unknown"),
    ("id,n\n1,2\n", "columns: {nn: x}", "a.csv has no column 'nn'"),
    ("id,id\n1,2\n", "columns: {id: x}", "a.csv has 2 columns 'id'; call them id and id_2"),
    (
        'id,n\n"a\nb",1\n\nc,x\n',
        "columns: {id: id, n: {name: n, type: integer}}",
        "a.csv, line 5: 'x' is not an integer, for the column n",
    ),
]


@pytest.mark.parametrize(("content", "options", "message"), BROKEN)
def test_a_broken_row_is_reported_by_file_and_line(
    files: FileTask, content: str | bytes, options: str, message: str
) -> None:
    files.share.put("a.csv", content)
    assert message in files.fails(f"file: a.csv\n{options}")


def test_a_character_of_another_set_far_down_is_reported(files: FileTask) -> None:
    lines = b"id,n\n" + b"1,x\n" * 100_000
    files.share.put("a.csv", lines + b"2,\xe4\n")
    said = files.fails("file: a.csv")
    assert "a.csv, line 100002: 0xe4 is not a character of UTF-8; give its `encoding`" in said
    files.run("file: a.csv\nencoding: cp1257")
    assert files.rows("n")[-1] == ("ä",)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("n,t\r1,x\r2,y\r", [(1, "x"), (2, "y")]),  # as Macintoshes wrote
        ('"n\r(x)",t\r\n1,x\r\n2,y\r\n', [(1, "x"), (2, "y")]),
        ("n,t,\n1,x,\n2,y,\n", [(1, "x", None), (2, "y", None)]),
    ],
)
def test_no_row_is_lost_to_odd_lines(
    files: FileTask, content: str, rows: list[tuple[object, ...]]
) -> None:
    files.share.put("a.csv", content)
    files.run("file: a.csv")
    assert files.rows() == rows


def test_nul_characters_are_reported_by_their_line_and_left_out_where_that_is_wanted(
    files: FileTask,
) -> None:
    files.share.put("a.csv", "n,t\n1,some text\n2,x\0y\n3,z\n")
    assert "a.csv, line 3 does not fit" in files.fails("file: a.csv")
    files.run("file: a.csv\nnul_characters: remove")
    assert files.rows() == [(1, "some text"), (2, "xy"), (3, "z")]


@pytest.mark.parametrize("delimiter", ["§", '\\"', "\\n"])
def test_a_delimiter_that_cannot_be_one_is_refused(files: FileTask, delimiter: str) -> None:
    files.has('file: a.csv\ndelimiter: "' + delimiter + '"')
    assert "a delimiter is an ASCII character" in files.task.is_refused()


def test_a_row_of_too_many_fields_that_is_not_utf8_is_reported_by_its_line(
    files: FileTask, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, content in (
        ("this.csv", b"a,b\n1,2\n\xd1,3,4\n"),
        ("one.csv", b"a,b\n\xd1,2\n3,4,5\n"),
    ):
        files.share.put(name, content)
        said = files.fails(f"file: {name}\nencoding: utf-8\ndelimiter: ','\nheader: 1")
        assert f"{name}, line " in said
    assert "Traceback" not in capfd.readouterr().err
