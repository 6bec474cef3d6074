"""What may be said to `export` and `filecopy`, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from tests.support.read_definitions import Read, told

EXPORTS = [
    ("file: ../a.csv", "is below the connection's folder"),
    ("file: /etc/a.csv", "is below the connection's folder"),
    ("file: a/", "names a folder, not a file"),
    ("file: a.doc", "the ending of a.doc is none of .xlsx, .csv, .tsv, .ndjson, .jsonl,"),
    ("file: 'a {{ toady }}.csv'", "undefined name `toady`; did you mean `today`?"),
    ("file: 'a {{ today.csv'", "template: "),
    ("file: a.csv\nconnection: nowhere", "there is no connection `nowhere`"),
    ("file: a.csv\ndelimiter: '\"'", "is one ASCII character, and no quote or line end"),
    ("file: a.parquet\ndelimiter: ';'", "`delimiter` is for csv; the file is parquet"),
    ("file: a.ndjson\nheader: false", "`header` is for xlsx, csv and tsv; the file is ndjson"),
    ("file: a.xlsx.gz", "xlsx with gzip; it can have: no other, it is packed already"),
    ("file: a.csv\ncompression: zstd", "csv with zstd; it can have: gzip, none"),
    ("file: a.csv\nsheets: {A: query.sql}", "`sheets` are for a workbook; a csv file has one"),
    ("file: a.xlsx\nsheets: {A: none.sql}", "there is no file none.sql in this task's folder"),
    ("file: a.xlsx\nsheets: {A: query.sql, a: query.sql}", "two sheets are called 'a'"),
    ("file: a.xlsx\nsheets: {'a/b': query.sql}", "the sheet 'a/b' has a '/' in its name"),
    ("file: a.xlsx\nsheets: {'[a': query.sql}", "the sheet '[a' has a '[' in its name"),
    (f"file: a.xlsx\nsheets: {{{'x' * 32}: query.sql}}", "has a name of 32 characters; Excel"),
    ("file: a.xlsx\nsheets: {history: query.sql}", "Excel keeps the name History for itself"),
    ('file: a.xlsx\nsheets: {"\'a": query.sql}', "must not begin or end with an apostrophe"),
]
COPIES = [
    ("file: ../a.csv\nto: main", "is below the connection's folder"),
    ("file: a.csv\nto: main\nfolder: ../x", "is below the connection's folder"),
    ("file: a.csv\nto: main\nfolder: '{{ toady }}'", "undefined name `toady`"),
    ("file: a.csv\nto: nowhere", "there is no connection `nowhere`"),
]


def refused(folder: Path, action: str) -> str:
    task = f"actions:\n- {indent(action, '  ').strip()}\n"
    files = {"routes/r/s/t/task.yaml": task, "routes/r/s/t/query.sql": "select 1 as n"}
    [fault] = told(Read(folder)(files), folder)
    assert fault.startswith("routes/r/s/t/task.yaml:")
    return fault


@pytest.mark.parametrize(("options", "message"), EXPORTS)
def test_a_faulty_export_is_refused(tmp_path: Path, options: str, message: str) -> None:
    query = "" if "sheets:" in options else "\nquery: query.sql"
    assert message in refused(tmp_path, f"do: export\n{options}{query}")


def test_an_export_has_one_query_or_several_sheets(tmp_path: Path) -> None:
    both = "do: export\nfile: a.xlsx\nquery: query.sql\nsheets: {A: query.sql}"
    assert "give `query`, or `sheets` for a workbook of several" in refused(tmp_path, both)


@pytest.mark.parametrize(("options", "message"), COPIES)
def test_a_faulty_copy_is_refused(tmp_path: Path, options: str, message: str) -> None:
    assert message in refused(tmp_path, f"do: filecopy\n{options}")
