"""`do: file` with many files, archives, and files that come again."""

from __future__ import annotations

import gzip
import io
import zipfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.file_task import FileTask


def test_a_content_that_comes_again_is_not_added_again(files: FileTask) -> None:
    first, second = "n\n1\n", "n\n20\n"
    for content in (first, second, first, second):
        files.share.put("day.csv", content)
        files.run("file: day.csv\nload: append")
    assert files.rows("n") == [(1,), (20,)]


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
    assert "1 row" in files.task.run()
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


def test_broken_archives_are_reported(files: FileTask) -> None:
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
    assert "1 row" in files.run("file: a.dat\nformat: csv")


_COLUMNS = {
    "csv": "id,n\n7,x\n",
    "ndjson": '{"id": 7, "n": "x"}\n',
    "xml": "<a><r><id>7</id><n>x</n></r></a>",
}


@pytest.mark.parametrize("kind", ["csv", "ndjson", "xml", "parquet"])
def test_one_column_of_a_file_makes_several(files: FileTask, kind: str) -> None:
    if kind == "parquet":
        path = files.share.path / "a.parquet"
        pq.write_table(pa.table({"id": [7], "n": ["x"]}), path)
        files.share.age(path)
    else:
        files.share.put(f"a.{kind}", _COLUMNS[kind])
    more = "\nrecords: r" if kind == "xml" else ""
    files.run(f"file: a.{kind}\ncolumns: {{id: [one, two], n: n}}{more}")
    assert files.rows("one::text, two::text, n") == [("7", "7", "x")]
