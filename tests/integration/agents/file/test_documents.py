"""`do: file` with JSON and XML: records by their path, and where a fault stands."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal

import pytest

from tests.support.file_task import FileTask


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
    ('[{"a": 1}]', "columns: {'a.[': x}", "'a.[' is not a JMESPath expression"),
    ('{"a": 1}', "records: items", "a.json has nothing at items"),
    ('[{"a": "x"}]', "columns: {a: {name: a, type: integer}}", "a.json, record 1: 'x' is not an"),
]


@pytest.mark.parametrize(("content", "options", "message"), BROKEN_JSON)
def test_broken_json_is_reported(files: FileTask, content: str, options: str, message: str) -> None:
    files.share.put("a.json", content)
    assert message in files.fails(f"file: a.json\n{options}")


INTEGER = "columns: {n: {name: n, type: integer}}"
FAULTY_LINES = [
    ('{"n": 1}\n{"n": 2\n{"n": 3}\n', "", "a.ndjson, line 2: no JSON"),
    ('{"n": 1}\n{"n": }\n{"n": 3}\n', "", "a.ndjson, line 2: no JSON: Expecting value"),
    ('{"n": 1}\n{"n": 2}\n{"n": 3}\n{"n": ', "", "a.ndjson, line 4: no JSON"),
    ('{"n": 1}\n{"n": NaN}\n', "", "a.ndjson, line 2: it has the number NaN"),
    ('{"n": 1}\n\n\n{"n": "x"}\n', INTEGER, "a.ndjson, line 4: 'x' is not an integer"),
    ('{"n": 1}\n{"n": "\\ud800"}', "", "a.ndjson, line 2: it has half of a character in a text"),
]


@pytest.mark.parametrize(("content", "options", "message"), FAULTY_LINES)
def test_a_faulty_line_of_ndjson_is_reported(
    files: FileTask, content: str, options: str, message: str
) -> None:
    files.share.put("a.ndjson", content)
    assert message in files.fails(f"file: a.ndjson\n{options}")


def test_lines_and_pairs_that_make_a_character(files: FileTask) -> None:
    files.share.put("a.ndjson", '\n{"t": "\\ud83d\\ude00 \\\\ud800"}\n\n{"t": "b"}\n')
    files.run("file: a.ndjson\norigin: true")
    assert files.rows("t, _row") == [("b", 4), ("\U0001f600 \\ud800", 2)]


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.json", '[{"id": 1, "n": 2}]', "columns: {id: id, nn: n}"),
        ("a.xml", "<r><i><id>1</id><n>2</n></i></r>", "records: i\ncolumns: {id: id, nn: n}"),
    ],
)
def test_a_column_that_no_record_has_is_reported(
    files: FileTask, name: str, content: str, options: str
) -> None:
    files.share.put(name, content)
    files.run(f"file: {name}\n{options}")
    assert "no record has a value for n: are the paths right?" in files.task.events()
    files.run(f"file: {name}\n{options.replace('nn', 'n')}")
    assert sum("no record has" in event for event in files.task.events()) == 1


def test_text_beside_elements_of_xml_is_kept(files: FileTask) -> None:
    files.share.put("a.xml", "<r><i>own <b>\n t<c>1</c>tail\n</b></i><i><b><c>2</c>\n</b></i></r>")
    files.run("file: a.xml\nrecords: i")
    assert files.rows("text, b, b_c") == [("own", "ttail", 1), (None, None, 2)]


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
def test_broken_xml_is_reported(files: FileTask, content: str, options: str, message: str) -> None:
    files.share.put("a.xml", content)
    assert message in files.fails(f"file: a.xml\n{options}")


def test_keys_of_other_scripts_keep_their_letters(files: FileTask) -> None:
    files.share.put("a.ndjson", '{"имя": "Анна", "возраст": 7}\n')
    files.run("file: a.ndjson\nload: append")
    files.share.put("a.ndjson", '{"возраст": 8, "имя": "Олег"}\n')
    files.run("file: a.ndjson\nload: append")
    assert files.rows("имя, возраст") == [("Анна", 7), ("Олег", 8)]


def test_keys_of_one_name_are_to_be_named(files: FileTask) -> None:
    files.share.put("a.ndjson", '{"A": 1, "a": 2}\n')
    message = files.fails("file: a.ndjson")
    assert "'A' and 'a'" in message
    assert "`columns`" in message
    files.run("file: a.ndjson\ncolumns: {A: big, a: small}")
    assert files.rows("big, small") == [(1, 2)]
