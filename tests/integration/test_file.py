"""`do: file`: CSV, JSON, Parquet and XML become rows."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.file_task import FileTask, Share
from tests.one_task import OneTask


@pytest.fixture
def files(task: OneTask, tmp_path: Path) -> FileTask:
    """A task that reads files."""
    return FileTask(task, Share(tmp_path / "share"), "file")


def test_csv_of_excel_in_europe_is_guessed_and_the_guess_is_told(files: FileTask) -> None:
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


def test_a_table_of_its_own_gives_the_types(files: FileTask) -> None:
    files.share.put("a.csv", "id,amount,at,flag\n 1 ,12.0,2024-01-02 03:04,t\n2,,,\n")
    files.task.execute(
        "create schema staging; create table staging.thing "
        "(id int, amount numeric(10, 2), at timestamptz, flag boolean, more text)"
    )
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
def test_what_a_column_would_round_or_cut_is_told(
    files: FileTask, content: str, options: str, message: str
) -> None:
    files.share.put("a.csv", content)
    files.task.execute(
        "create schema staging; create table staging.thing "
        "(n numeric(6, 2), r real, t time, v varchar(3), x int)"
    )
    assert message in files.fails(f"file: a.csv\n{options}")


def test_what_a_column_holds_whole_is_loaded(files: FileTask) -> None:
    files.share.put("a.csv", 'n,r,t,v\n1.2300,0.1,10:00:00.5,abc\n,,,""\n')
    files.task.execute(
        "create schema staging; create table staging.thing "
        "(n numeric(6, 2), r real, t time, v varchar(3))"
    )
    files.run("file: a.csv")
    assert [str(value) for value in files.rows()[0]] == ["1.23", "0.1", "10:00:00.500000", "abc"]


def test_parquet_and_json_are_not_rounded_either(files: FileTask) -> None:
    files.task.execute(
        "create schema staging; create table staging.thing (n numeric(6, 2), at date)"
    )
    files.share.put("a.ndjson", '{"n": 1.239}\n')
    assert "'1.239' would be rounded in the column n" in files.fails("file: a.ndjson")
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    for name, values in (("n", [1.239]), ("at", [at])):
        parquet.write_table(pa.table({name: values}), files.share.path / "a.parquet")
        files.share.age(files.share.path / "a.parquet")
        assert "would be" in files.fails("file: a.parquet")


@pytest.mark.parametrize("code", ["007", "0x1F", "1_0", "1.000"])
def test_a_code_is_no_number_of_a_table_whose_types_were_found(files: FileTask, code: str) -> None:
    files.share.put("a.csv", "id,c\n1,12\n")
    files.run("file: a.csv\nload: append")
    files.share.put("a.csv", f"id,c\n2,{code}\n")
    assert f"a.csv, line 2: '{code}' is not an integer" in files.fails()


def test_zeros_mean_nothing_where_the_type_is_given(files: FileTask) -> None:
    files.share.put("a.csv", "c\n007\n")
    files.run("file: a.csv\ncolumns: {c: {name: c, type: integer}}")
    assert files.rows() == [(7,)]


def test_a_decimal_point_that_could_be_of_thousands_is_told(files: FileTask) -> None:
    files.share.put("a.csv", "id;n\n1;1.000\n2;2.500\n")
    files.run("file: a.csv")
    assert files.rows("n") == [(Decimal("1.000"),), (Decimal("2.500"),)]
    assert any("a header, decimal point" in event for event in files.task.events())


def test_maps_of_parquet_are_objects(files: FileTask) -> None:
    inner = pa.map_(pa.string(), pa.list_(pa.map_(pa.int32(), pa.float64())))
    table = pa.table(
        {
            "id": [1, 2, 3],
            "m": pa.array([[("k", [[(1, 0.5)]])], None, []], inner),
            "s": pa.array([{"a": [("x", None)]}] * 3, pa.struct({"a": pa.map_("string", "int8")})),
        }
    )
    parquet.write_table(table, files.share.path / "a.parquet")
    files.share.age(files.share.path / "a.parquet")
    files.run("file: a.parquet")
    nested = {"a": {"x": None}}
    assert files.rows() == [
        (1, {"k": [{"1": 0.5}]}, nested),
        (2, None, nested),
        (3, {}, nested),
    ]


def test_a_content_that_comes_again_is_not_added_again(files: FileTask) -> None:
    first, second = "n\n1\n", "n\n20\n"
    for content in (first, second, first, second):
        files.share.put("day.csv", content)
        files.run("file: day.csv\nload: append")
    assert files.rows("n") == [(1,), (20,)]


BROKEN = [
    ("id,n\n1,2\n3,4,5\n", "", "a.csv, line 3: 3 fields where 2 are expected: 3,4,5"),
    ('id,n\n1,"a\nb"\n\n3\n', "", "a.csv, line 5: 1 fields where 2 are expected: 3"),
    ('id,n\n1,"a\nb\n', "", "a.csv ends in the middle of a text: a quote is not closed"),
    ("", "", "a.csv has no line with anything in it"),
    (b"id,n\n1,\xe4\n", "encoding: utf-8", "a.csv, line 2: 0xe4 is no character of utf-8"),
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
def test_a_broken_row_is_told_by_file_and_line(
    files: FileTask, content: str | bytes, options: str, message: str
) -> None:
    files.share.put("a.csv", content)
    assert message in files.fails(f"file: a.csv\n{options}")


def test_a_character_of_another_set_far_down_is_told(files: FileTask) -> None:
    lines = b"id,n\n" + b"1,x\n" * 100_000
    files.share.put("a.csv", lines + b"2,\xe4\n")
    said = files.fails("file: a.csv")
    assert "a.csv, line 100002: 0xe4 is no character of UTF-8; give its `encoding`" in said
    files.run("file: a.csv\nencoding: cp1257")
    assert files.rows("n")[-1] == ("ä",)


def test_many_files_into_one_table(files: FileTask) -> None:
    files.share.put("in/a.csv", "n,t\n1,x\n")
    files.share.put("in/b.csv.gz", gzip.compress(b"t,n\ny,2.5\n"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/c.csv", "n\n3\n")
        archive.writestr("readme", "nothing")
    files.share.put("in/c.zip", packed.getvalue())
    files.run('file: "in/*"')
    assert files.rows() == [
        (Decimal(1), "x", "in/a.csv", 2),
        (Decimal("2.5"), "y", "in/b.csv.gz", 2),
        (Decimal(3), None, "in/c.zip/deep/c.csv", 2),
    ]


def test_each_file_is_appended_once(files: FileTask) -> None:
    files.share.put("a.csv", "n\n1\n")
    files.run('file: "*.csv"\nload: append')
    files.share.put("b.csv", "n\n2\n")
    assert "1 rows" in files.task.run()
    assert "unchanged" in files.task.run()
    files.share.put("a.csv", "n\n10\n", hours_ago=0.5)
    files.task.run()
    assert files.rows("n, _file") == [(2, "b.csv"), (10, "a.csv")]
    seen = files.task.rows(
        "select item, state->>'size', length(state->>'sha256') from meta.seen where item ~ 'csv'"
    )
    assert sorted(seen) == [("a.csv", "5", 64), ("b.csv", "4", 64)]


def test_a_file_of_one_name_that_comes_anew_is_added(files: FileTask) -> None:
    files.share.put("day.csv", "n\n1\n")
    files.run("file: day.csv\nload: append")
    files.share.put("day.csv", "n\n2\n", hours_ago=0.5)
    files.task.run()
    assert files.rows("n") == [(1,), (2,)]
    # A full load cannot know which of the rows are the file's.
    with pytest.raises(AssertionError, match=r"has rows of day\.csv already, and dapu does not"):
        files.task.run(full=True)
    assert "there is no file none.csv" in files.fails("file: none.csv\nload: append")
    assert "unchanged" in files.run('file: "none*.csv"\nload: append')


def test_json_of_records_and_lines(files: FileTask) -> None:
    records = '[{"id": 1, "sum": 1.10, "who": {"name": "Ülo"}},\n {"id": 2, "tags": ["a"]}]'
    files.share.put("a.json", records)
    files.run("file: a.json")
    assert files.task.types() == {"id": "bigint", "sum": "numeric", "who": "jsonb", "tags": "jsonb"}
    assert files.rows("id, sum::text, who, tags") == [
        (1, "1.10", {"name": "Ülo"}, None),
        (2, None, None, ["a"]),
    ]
    files.task.execute("drop table staging.thing")
    files.share.put("a.ndjson.gz", gzip.compress(b'{"id": 1, "n": 1.10}\n\n{"id": 2}\n'))
    files.run("file: a.ndjson.gz\ncolumns: {id: id, n: {name: n, type: text}, '@': doc}")
    assert files.rows("id, n, doc::text") == [
        (1, "1.10", '{"n": 1.10, "id": 1}'),
        (2, None, '{"id": 2}'),
    ]


def test_nested_json_by_path_or_as_a_document(files: FileTask) -> None:
    content = {"data": {"items": [{"id": 1, "who": {"name": "a"}}, {"id": 2, "who": None}]}}
    files.share.put("a.json", json.dumps(content, indent=1))
    files.run("file: a.json\nrecords: data.items\ncolumns: {id: id, who.name: name}")
    assert files.rows() == [(1, "a"), (2, None)]
    files.task.execute("drop table staging.thing")
    files.run("file: a.json\nrecords: data.items\ndocument: doc\norigin: true")
    assert files.rows("doc->>'id', _row") == [("1", 1), ("2", 2)]


def test_a_long_stream_of_json_is_read_in_pieces(files: FileTask) -> None:
    lines = [json.dumps({"id": number, "t": "x" * (number % 700)}) for number in range(3000)]
    files.share.put("a.json", "[" + ",\n".join(lines) + "]")
    files.run("file: a.json")
    assert files.rows("count(*), sum(id), sum(length(t))") == [
        (3000, 3000 * 2999 // 2, sum(number % 700 for number in range(3000)))
    ]


BROKEN_JSON = [
    ('[{"a": 1},\n{"a": ]', "", "a.json, line 2: no JSON: Expecting value"),
    ('[{"a": 1}', "", "a.json, line 1: no JSON"),
    ('{"a": NaN}', "", "it has the number NaN, which JSON has not"),
    ('{"a": 1, "a": 2}', "", "has the key 'a' twice in one object"),
    ("[1, 2]", "", "a.json, record 1 has no keys: give `columns` by JMESPath"),
    ('[{"a": 1}]', "columns: {'a.[': x}", "'a.[' is no JMESPath expression"),
    ('{"a": 1}', "records: items", "a.json has nothing at items"),
    ('[{"a": "x"}]', "columns: {a: {name: a, type: integer}}", "a.json, record 1: 'x' is not an"),
]


@pytest.mark.parametrize(("content", "options", "message"), BROKEN_JSON)
def test_broken_json_is_told(files: FileTask, content: str, options: str, message: str) -> None:
    files.share.put("a.json", content)
    assert message in files.fails(f"file: a.json\n{options}")


def test_parquet_keeps_its_types(files: FileTask) -> None:
    table = pa.table(
        {
            "Id": pa.array([2**64 - 1, 1], pa.uint64()),
            "amount": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "at": pa.array([datetime(2024, 1, 2, 3, 4, 5, 6), None], pa.timestamp("ns")),
            "seen": pa.array([datetime(2024, 1, 2, tzinfo=UTC), None], pa.timestamp("ms", "UTC")),
            "day": pa.array([date(2024, 2, 29), None]),
            "took": pa.array([timedelta(hours=30), None], pa.duration("ms")),
            "raw": pa.array([b"\x00\xff", b""]),
            "tags": pa.array([[{"n": 1.5}], None], pa.list_(pa.struct([("n", pa.float64())]))),
            "real": pa.array([0.1, float("inf")]),
            "word": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    parquet.write_table(table, files.share.path / "a.parquet")
    files.share.age(files.share.path / "a.parquet")
    files.run("file: a.parquet")
    assert files.task.types() == {
        "id": "numeric(20,0)",
        "amount": "numeric(10,2)",
        "at": "timestamp without time zone",
        "seen": "timestamp with time zone",
        "day": "date",
        "took": "interval",
        "raw": "bytea",
        "tags": "jsonb",
        "real": "double precision",
        "word": "text",
    }
    first = files.rows('id, amount, at, seen, day, took, raw, tags, "real", word')[1]
    assert (*first[:6], bytes(first[6]), *first[7:]) == (
        2**64 - 1, Decimal("1.50"), datetime(2024, 1, 2, 3, 4, 5, 6),
        datetime(2024, 1, 2, tzinfo=UTC), date(2024, 2, 29), timedelta(hours=30), b"\x00\xff",
        [{"n": 1.5}], 0.1, "a",
    )  # fmt: skip


def test_broken_parquet_is_told(files: FileTask) -> None:
    table = pa.table({"at": pa.array([1], pa.timestamp("ns"))})
    parquet.write_table(table, files.share.path / "a.parquet")
    files.share.age(files.share.path / "a.parquet")
    said = files.fails("file: a.parquet")
    assert "a.parquet, column at: PostgreSQL keeps no parts of a microsecond" in said
    files.share.put("a.parquet", (files.share.path / "a.parquet").read_bytes()[:-9])
    assert "a.parquet is no Parquet file, or is cut off" in files.fails()


def test_xml_by_the_path_of_its_records(files: FileTask) -> None:
    files.share.put(
        "a.xml",
        """<?xml version="1.0" encoding="utf-8"?>
        <i:invoices xmlns:i="urn:i">
          <i:invoice id="1"><total cur="EUR">10.50</total><day>2024-01-02</day></i:invoice>
          <i:invoice id="2"><total>7</total><who><name>Ülo</name></who></i:invoice>
        </i:invoices>""",
    )
    files.run("file: a.xml\nrecords: /invoices/invoice")
    assert files.task.types() == {
        "id": "bigint",
        "total_cur": "text",
        "total": "numeric",
        "day": "date",
        "who_name": "text",
    }
    assert files.rows() == [
        (1, "EUR", Decimal("10.50"), date(2024, 1, 2), None),
        (2, None, 7, None, "Ülo"),
    ]
    files.task.execute("drop table staging.thing")
    files.run("file: a.xml\nrecords: invoice\ncolumns: {'@id': id, who/name: name}")
    assert files.rows() == [(1, None), (2, "Ülo")]


BROKEN_XML = [
    ("<r><i><n>1</n>", "records: i", "a.xml, line 1: no XML"),
    ("<r><i><n>1</n><n>2</n></i></r>", "records: i", "a.xml, record 1, n: there are 2 of them"),
    ("<r/>", "records: /r/i", "a.xml has no element /r/i"),
    ("<r/>", "", "a.xml is XML: say with `records` what its rows are"),
    ("<r><i><n>x</n></i></r>", "records: i\ncolumns: {n: {name: n, type: decimal}}",
     "a.xml, record 1, n: 'x' is not a decimal"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "options", "message"), BROKEN_XML)
def test_broken_xml_is_told(files: FileTask, content: str, options: str, message: str) -> None:
    files.share.put("a.xml", content)
    assert message in files.fails(f"file: a.xml\n{options}")


def test_broken_archives_are_told(files: FileTask) -> None:
    whole = gzip.compress(b"n\n" + b"1\n" * 10_000)
    files.share.put("a.csv.gz", whole[:-20])
    assert "a.csv.gz is broken: " in files.fails("file: a.csv.gz")
    files.share.put("a.zip", b"PK nothing")
    assert "a.zip is broken: File is not a zip file" in files.fails("file: a.zip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "n\n1\n")
        archive.writestr("b.csv", "n\n2\n")
    files.share.put("a.zip", packed.getvalue())
    assert "a.zip has no member c*; its members are: a.csv, b.csv" in files.fails(
        "file: a.zip\nmember: c*"
    )
    files.run("file: a.zip\nmember: b*\norigin: true")
    assert files.rows() == [(2, "a.zip/b.csv", 2)]
    files.share.put("a.dat", "n\n1\n")
    assert "a.dat: its ending names no format; give `format`" in files.fails("file: a.dat")
    assert "1 rows" in files.run("file: a.dat\nformat: csv")


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


def test_nul_characters_are_told_by_their_line_and_left_out_where_that_is_wanted(
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
