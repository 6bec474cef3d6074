"""The documents of an answer: which they are, and what is said of a line that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dapu.errors import JobError
from dapu.execute import answer_lines, documents
from dapu.execute.documents import Header, Incoming, next_batch

BATCH = datetime(2024, 5, 6, tzinfo=UTC)
AFE = {
    "$TYPE": "AFE",
    "DOCUMENT_ID": "1",
    "$VERSION": 3,
    "$AUTHOR_ID": "ann",
    "$DATE": "2024-01-02T03:04:05.678Z",
    "$DELETED": False,
}


def line(**changes: Any) -> bytes:
    document = AFE | changes
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()


def read(body: bytes, block: int = 10_000, **more: Any) -> tuple[list[tuple[Any, ...]], Incoming]:
    blocks = (body[start : start + block] for start in range(0, len(body), block))
    incoming = Incoming(blocks, "2024-01-01", chunk_size=more.pop("chunk_size", 100), **more)
    rows = [(row.batch - BATCH, *row[1:3], b"".join(row.data)) for row in incoming.rows(BATCH)]
    return rows, incoming


def headers(body: bytes, **more: Any) -> list[Header]:
    return [row[1] for row in read(body, **more)[0]]


def test_a_document_goes_on_as_it_came() -> None:
    text = line(N=1) + b" "
    rows, incoming = read(text + b"\n")
    header = Header("AFE", "1", 3, "ann", "2024-01-02T03:04:05.678Z", False)
    assert rows == [(timedelta(0), header, 0, text)]
    assert incoming.documents == 1


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_lines_end_as_they_like(end: bytes, block: int) -> None:
    body = b"\r\n\n".join(line(DOCUMENT_ID=f"{i}") for i in range(5)) + end
    assert [header.id for header in headers(body, block=block)] == list("01234")


@pytest.mark.parametrize("block", [3, 64, 10_000])
def test_long_lines_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(answer_lines, "LONGEST", 50)
    body = b"\n".join(
        [line(DOCUMENT_ID="a"), line(DOCUMENT_ID="b", L=list(range(300))), line(DOCUMENT_ID="c")]
    )
    rows, incoming = read(body, block=block)
    assert [(row[1].id, row[2]) for row in rows] == [
        ("a", 0), ("b", 0), ("b", 1), ("b", 2), ("b", 3), ("c", 0),
    ]  # fmt: skip
    assert incoming.documents == 3


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.1234567Z", "2024-01-02T03:04:05.1234567Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ("2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
        ("2024-01-02", "2024-01-02T00:00:00Z"),
    ],
)
def test_times_are_utc(given: str, stored: str) -> None:
    assert headers(line(**{"$DATE": given}))[0].date == stored


def test_an_author_may_be_missing() -> None:
    body = line(**{"$AUTHOR_ID": ...}) + b"\n" + line(DOCUMENT_ID="2", **{"$AUTHOR_ID": None})
    assert [header.author for header in headers(body)] == [None, None]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"{oh", "line 2 of Execute's answer to since=2024-01-01 is not JSON (key must be a"),
        (b"[1]", "is not a JSON object; nothing of the answer was kept: [1]"),
        (line()[:-3], "is not JSON (EOF"),
        (b'{"A": 1, "A": 2}', 'is not JSON (Detected duplicate key "A"'),
        (b'{"A": "\xff"}', "is not JSON (invalid unicode"),
        (line(**{"$TYPE": ...}), "has no $TYPE (the document 1)"),
        (line(DOCUMENT_ID=...), "has no DOCUMENT_ID (the document AFE)"),
        (line(**{"$VERSION": "3"}), "has $VERSION: '3', which is not a whole number"),
        (line(**{"$VERSION": True}), "has $VERSION: 'True'"),
        (line(**{"$DATE": "yesterday"}), "has $DATE: 'yesterday', which is not a time"),
        (line(**{"$DELETED": 0}), "has $DELETED: '0', which is not true or false (the "),
        (line(**{"$AUTHOR_ID": 7}), "has $AUTHOR_ID: '7'"),
        (line(**{"$DATE": "0001-01-01T00:00:00+05:00"}), "which is not a time"),
        (line(DOCUMENT_ID=""), "has DOCUMENT_ID: ''"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_a_document_is_reported(bad: bytes, message: str) -> None:
    with pytest.raises(JobError) as raised:
        read(line(DOCUMENT_ID="good") + b"\n" + bad + b"\n")
    assert message in str(raised.value)
    assert "line 2 " in str(raised.value)


def test_a_bad_long_line_is_reported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_lines, "LONGEST", 20)
    with pytest.raises(JobError, match=r"line 1 .* is not JSON .*does not end.*; nothing"):
        read(line(L=[{"A": 1}])[:-3], block=16)


def test_a_document_that_comes_twice_begins_a_batch() -> None:
    body = b"\n".join([line(), line(DOCUMENT_ID="2"), line(X=1), line(DOCUMENT_ID="2", X=1)])
    rows, incoming = read(body)
    assert [(row[0].microseconds, row[1].id) for row in rows] == [
        (0, "1"), (0, "2"), (1, "1"), (2, "2"),
    ]  # fmt: skip
    assert incoming.repeated == 2


def test_what_is_known_of_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_MOST_KNOWN", 2)
    body = b"\n".join(line(DOCUMENT_ID=f"{i}") for i in range(5))
    rows, incoming = read(body)
    assert [row[0].microseconds for row in rows] == [0, 0, 1, 1, 2]
    assert incoming.repeated == 0


def test_other_types_are_left_out() -> None:
    body = b"\n".join([line(), line(**{"$TYPE": "RTX"}), line(**{"$TYPE": "RTX"}, L=[1] * 500)])
    rows, incoming = read(body, types=["AFE"])
    assert [row[1].type for row in rows] == ["AFE"]
    assert (incoming.documents, incoming.left_out) == (1, 2)


def test_batches_come_one_after_the_other() -> None:
    future = datetime.now(UTC) + timedelta(days=400)
    assert next_batch(future) == future + timedelta(microseconds=1)
    assert next_batch(future.replace(tzinfo=None)) == future + timedelta(microseconds=1)
    before = datetime.now(UTC)
    assert before <= next_batch(datetime(2020, 1, 1, tzinfo=UTC)) <= datetime.now(UTC)


def test_a_stream_is_read_once() -> None:
    def blocks() -> Iterator[bytes]:
        yield line()
        raise JobError("the answer was cut short")

    with pytest.raises(JobError, match="cut short"):
        list(Incoming(blocks(), "x", 10).rows(BATCH))
