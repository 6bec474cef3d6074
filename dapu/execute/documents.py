"""The documents of an answer as rows of EXECUTE_DOCUMENTS.

A row is a chunk of a document: nearly always the whole document, its text untouched. Rows of one
answer have one BATCH_DATE, so that (BATCH_DATE, TYPE, ID, VERSION, CHUNK) identifies a row. Where
an answer brings the same version of a document again, a new batch begins a microsecond later:
the newest batch of a version is the one that counts, so that nothing is lost and nothing doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from dapu.errors import FaultyDocument, JobError
from dapu.execute.answer_lines import LongLine, split_lines
from dapu.execute.chunking import SplitDocument, parse

Change = Callable[[bytes], bytes]

_MOST_KNOWN = 100_000  # documents; then a new batch begins, and they may be forgotten
_TICK = timedelta(microseconds=1)
_SHOWN = 80  # characters of a faulty line


class Header(NamedTuple):
    """Which document it is. date: ISO 8601, in UTC."""

    type: str
    id: str
    version: int
    author: str | None
    date: str
    deleted: bool

    def __str__(self) -> str:
        return f"{self.type} {self.id}, version {self.version}"


class Row(NamedTuple):
    """One chunk. data: its JSON text in pieces, to be read before the next row is asked for."""

    batch: datetime
    header: Header
    chunk: int
    data: Iterable[bytes]


class Incoming:
    """The documents of one answer, on their way; read once.

    since: the mark that was asked for, to name the answer in messages.
    types: the document types to keep; None keeps all.
    change: what becomes of each document's text before it is stored.
    documents, repeated, left_out: how many were kept, came again, were of other types.
    """

    def __init__(
        self,
        blocks: Iterator[bytes],
        since: str,
        chunk_size: int,
        types: Collection[str] | None = None,
        change: Change | None = None,
    ) -> None:
        self._blocks, self._since, self._change = blocks, since, change
        self._chunk_size, self._types = chunk_size, types
        self._line = 0
        self._known: set[int] = set()
        self._batch = datetime.min.replace(tzinfo=UTC)
        self.documents = self.repeated = self.left_out = 0

    def rows(self, first_batch: datetime) -> Iterator[Row]:
        """The rows; a row's data is to be read before the next row.

        first_batch: the BATCH_DATE of the first; that of the last is microseconds later at most.
        Raises JobError, which names the line, when a line is not a document.
        """
        self._batch = first_batch
        shortest = 2 * self._chunk_size  # bytes of a line with a list longer than a chunk
        for line in split_lines(self._blocks):
            self._line += 1
            if isinstance(line, LongLine) and self._change is not None:
                line = b"".join(line.blocks())  # noqa: PLW2901 - it is changed as a whole
            if isinstance(line, LongLine):
                yield from self._split(line.blocks())
            elif line and not line.isspace():
                document = self._parse(line)
                if self._change is not None:
                    line = self._change(line)  # noqa: PLW2901
                if len(line) > shortest and _has_long_list(document, self._chunk_size):
                    yield from self._split(iter([line]))
                elif header := self._take(document):
                    yield Row(self._batch, header, 0, (line,))

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            document = parse(line)
        except FaultyDocument as error:
            raise self._fault(f"is not JSON ({error})", line) from None
        if not isinstance(document, dict):
            raise self._fault("is not a JSON object", line)
        return document

    def _split(self, blocks: Iterator[bytes]) -> Iterator[Row]:
        try:
            document = SplitDocument(blocks, self._chunk_size)
        except FaultyDocument as error:
            raise self._fault(f"is not JSON ({error})") from None
        with closing(document):
            header = self._take(document.fields)
            for chunk, data in enumerate(document.chunks() if header else ()):
                assert header is not None
                yield Row(self._batch, header, chunk, data)

    def _take(self, document: Mapping[str, Any]) -> Header | None:
        """The header of a document that is wanted; None for one of another type."""
        try:
            header = _read_header(document)
        except ValueError as error:
            raise self._fault(str(error)) from None
        if self._types is not None and header.type not in self._types:
            self.left_out += 1
            return None
        self.documents += 1
        key = hash(header[:3])  # two that share one begin a batch, which does no harm
        if key in self._known:
            self.repeated += 1
            self._batch += _TICK
        elif len(self._known) >= _MOST_KNOWN:
            self._batch += _TICK
            self._known.clear()
        self._known.add(key)
        return header

    def _fault(self, what: str, line: bytes = b"") -> JobError:
        text = line[:_SHOWN].decode("utf-8", "replace")
        shown = f": {text}{'…' if len(line) > _SHOWN else ''}" if line else ""
        return JobError(
            f"line {self._line} of Execute's answer to since={self._since} {what}; "
            f"nothing of the answer was kept{shown}"
        )


def next_batch(newest: datetime | None) -> datetime:
    """The BATCH_DATE of a new batch: now, but after all others, whatever the clock says."""
    now = datetime.now(UTC)
    if newest is None:
        return now
    if newest.tzinfo is None:
        newest = newest.replace(tzinfo=UTC)
    return max(now, newest + _TICK)


def _has_long_list(document: Mapping[str, Any], chunk_size: int) -> bool:
    """Whether a list that is in no other list has more items than a chunk."""
    for value in document.values():
        kind = type(value)
        if kind is list and len(value) > chunk_size:
            return True
        if kind is dict and _has_long_list(value, chunk_size):
            return True
    return False


def _read_header(document: Mapping[str, Any]) -> Header:
    """Which document it is. Raises ValueError that names the key that is missing or wrong."""
    return Header(
        _text(document, "$TYPE"),
        _text(document, "DOCUMENT_ID"),
        _version(document),
        _author(document),
        _date(document),
        _deleted(document),
    )


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if type(value) is not str or not value:
        raise _wrong(document, key, "a text")
    return value


def _version(document: Mapping[str, Any]) -> int:
    value = document.get("$VERSION")
    if type(value) is not int:
        raise _wrong(document, "$VERSION", "a whole number")
    return value


def _author(document: Mapping[str, Any]) -> str | None:
    value = document.get("$AUTHOR_ID")
    if value is not None and type(value) is not str:
        raise _wrong(document, "$AUTHOR_ID", "a text")
    return value


def _date(document: Mapping[str, Any]) -> str:
    text = document.get("$DATE")
    try:
        date = datetime.fromisoformat(text)  # type: ignore[arg-type]
        utc = date.astimezone(UTC) if date.tzinfo else date
    except (TypeError, ValueError, OverflowError):
        raise _wrong(document, "$DATE", "a time, like 2024-05-06T07:08:09Z") from None
    assert isinstance(text, str)
    if text.endswith("Z"):
        return text
    return f"{utc.replace(tzinfo=None).isoformat()}Z"


def _deleted(document: Mapping[str, Any]) -> bool:
    value = document.get("$DELETED")
    if type(value) is not bool:
        raise _wrong(document, "$DELETED", "true or false")
    return value


def _wrong(document: Mapping[str, Any], key: str, wanted: str) -> ValueError:
    which = " ".join(str(document[k]) for k in ("$TYPE", "DOCUMENT_ID") if k in document)
    of = f" (the document {which[:_SHOWN]})" if which else ""
    if key not in document:
        return ValueError(f"has no {key}{of}")
    return ValueError(f"has {key}: {str(document[key])[:_SHOWN]!r}, which is not {wanted}{of}")
