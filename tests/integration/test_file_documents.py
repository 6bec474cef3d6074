"""`do: file` with JSON and XML: where a fault stands, and what the columns do not find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.file_task import FileTask, Share
from tests.one_task import OneTask


@pytest.fixture
def files(task: OneTask, tmp_path: Path) -> FileTask:
    """A task that reads files."""
    return FileTask(task, Share(tmp_path / "share"), "file")


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
def test_a_faulty_line_of_ndjson_is_told(
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
def test_a_column_that_no_record_has_is_told(
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
