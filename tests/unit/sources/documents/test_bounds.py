"""What would take all memory, or never end, is refused; reading ends when its job is to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, count
from pathlib import Path
from typing import Any

import pytest

from dapu.errors import JobError, JobInterrupted
from dapu.sources.documents import bounds
from dapu.sources.documents.record_rows import Batch, DocumentRows, RecordField
from dapu.sources.files import part
from dapu.sources.files.formats.csv_dialect import CsvStyle
from dapu.sources.files.formats.csv_part import open_csv
from dapu.sources.files.formats.json_part import JsonPart, open_json
from dapu.sources.files.formats.xml_part import XmlPart
from dapu.sources.files.places.unpack import Content, contents_of
from dapu.sources.wfs.gml_stream import Cutter


def _content(folder: Path, name: str, text: str, **keys: Any) -> Content:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    (content,) = contents_of(name, path, None, **keys)
    return content


def _json(folder: Path, text: str, records: str | None = None, **keys: Any) -> JsonPart:
    return open_json(_content(folder, "a.json", text, **keys), None, records, None, by_line=False)


def _nested(depth: int) -> str:
    return f"<a><r>{'<b>' * depth}1{'</b>' * depth}</r><r><c>2</c></r></a>"


@pytest.mark.parametrize("records", ["/a/r", "r", "no"])
def test_deep_xml_is_refused(tmp_path: Path, records: str) -> None:
    part_ = XmlPart(_content(tmp_path, "a.xml", _nested(100_000)), records)
    with pytest.raises(JobError, match=r"a\.xml, record 1 .* nested more than 400 deep"):
        part_.columns()
    with pytest.raises(JobError, match="nested more than 400 deep"):
        list(part_.batches([("c",)]))


def test_xml_within_the_bound_is_read(tmp_path: Path) -> None:
    part_ = XmlPart(_content(tmp_path, "a.xml", _nested(390)), "r")
    assert list(part_.columns().values()) == [("b",) * 390, ("c",)]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test is quick to reach."""
    monkeypatch.setattr(bounds, "LONGEST", 1 << 20)
    monkeypatch.setattr(part, "_LONG", 1 << 19)


LONG = "x" * 400_000
MANY_SHORT = [{"id": number, "t": "x" * 1000} for number in range(3_000)]


@pytest.mark.usefixtures("short")
def test_a_record_that_is_too_long_is_refused_and_many_short_ones_are_not(tmp_path: Path) -> None:
    long = {"id": 1, "t": [LONG] * 6}
    rows = _json(tmp_path, json.dumps(MANY_SHORT)).batches(["id"])
    assert sum(len(batch.numbers) for batch in rows) == 3_000
    with pytest.raises(JobError, match=r"a\.json: what begins in line 2 .* is longer than 1 MiB"):
        list(_json(tmp_path, '{"id": 1}\n' + json.dumps(long)).batches(["id"]))
    with pytest.raises(JobError, match="is longer than 1 MiB"):  # the document is one, too
        list(_json(tmp_path, json.dumps({"all": MANY_SHORT}), "all").batches(["id"]))
    with pytest.raises(JobError, match=r"line 1 \(is a quote or a bracket not closed\?\)"):
        list(_json(tmp_path, '[{"id": "' + json.dumps(MANY_SHORT)).batches(["id"]))


@pytest.mark.usefixtures("short")
def test_a_record_of_xml_that_is_too_long_is_refused(tmp_path: Path) -> None:
    around = f"<other>{'x' * 1000}<r2/></other>" * 2_000  # let go as it is read
    record = f"<r><t>{LONG}</t></r>"
    found = XmlPart(_content(tmp_path, "a.xml", f"<a>{around}{record * 4}</a>"), "r")
    numbers = [list(batch.numbers) for batch in found.batches([("t",)])]
    assert [*chain(*numbers)] == [1, 2, 3, 4]
    assert len(numbers) > 1  # so that never all of them are in memory
    long = f"<r>{'<t>x</t>' * 200_000}</r>"
    refused = XmlPart(_content(tmp_path, "a.xml", f"<a>{record}{around}{long}</a>"), "r")
    with pytest.raises(JobError, match=r"a\.xml: record 2 is longer than 1 MiB"):
        refused.columns()


@pytest.mark.usefixtures("short")
def test_an_answer_that_is_too_long_is_refused(tmp_path: Path) -> None:
    body = bounds.Body("page 7")
    body.write(b"x" * (1 << 20))
    with pytest.raises(JobError, match="page 7 is longer than 1 MiB"):
        body.write(b"x")
    cutter = Cutter(tmp_path, 3, lambda head, data, end: None, lambda piece: None)
    cutter.write(b"<c:FeatureCollection xmlns:c='c'><c:member><a/></c:member><c:member><b>")
    with pytest.raises(JobError, match="page 3: feature 2 is longer than 1 MiB"):
        cutter.write(b"x" * (9 << 20))


def test_a_value_that_python_cannot_follow_is_named() -> None:
    value = json.loads("[" * 600 + "]" * 600)
    rows = DocumentRows([RecordField("a", lambda record, _: record, "jsonb")], "remove")
    with pytest.raises(JobError, match="page 1, record 2: its values are nested too deeply"):
        list(rows._lines([Batch([[], value], "page 1, ")]))


MANY = 50_000
LOOKS: dict[str, tuple[str, Callable[[Content], Any]]] = {
    "a.json": (
        '{"id": 12345678}\n' * MANY,
        lambda a: open_json(a, None, None, None, by_line=False),
    ),
    "a.xml": (f"<a>{'<r><id>1</id></r>' * MANY}</a>", lambda a: XmlPart(a, "r")),
    "a.csv": ("id,n\n" + "12345678,1\n" * MANY, lambda a: open_csv(a, CsvStyle(), ())),
}


@pytest.mark.parametrize("name", LOOKS)
def test_looking_through_a_file_ends_when_the_job_is_to_end(tmp_path: Path, name: str) -> None:
    calls = count(1)

    def check() -> None:
        if next(calls) > 4:
            raise JobInterrupted("it was cancelled")

    text, opened = LOOKS[name]
    with pytest.raises(JobInterrupted, match="cancelled"):
        _look(opened(_content(tmp_path, name, text, check=check)))


def _look(found: Any) -> None:
    """What comes before the load: its columns, and their types."""
    list(found.batches(list(found.columns().values())))
