"""JSON and NDJSON as parts, read a record at a time.

A file is an array of records, or one record after the other (which NDJSON is). Numbers keep their
digits: they are read as decimals, never as binary floats.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from dapu.errors import FaultyDocument, FaultyPath, JobError
from dapu.rows.column_names import column_name, column_names
from dapu.sources.documents.bounds import check_length
from dapu.sources.documents.exact_json import check_characters, decoder, dump
from dapu.sources.documents.paths import Path
from dapu.sources.files.part import PartBatch, batches_of
from dapu.sources.files.places.unpack import Content

_CHUNK = 1 << 18  # characters
_SPACE = re.compile(r"[ \t\r\n]*")
DOCUMENT = "@"
"""The whole record: the expression of JMESPath that means it."""


@dataclass(frozen=True)
class Key:
    """A key of the records themselves, whatever characters it has."""

    name: str


@dataclass
class JsonPart:
    """One file of JSON.

    records: JMESPath to the records within a document; None when it is them.
    document: the column that gets the whole record, and no other is there; None for all keys.
    by_line: a record is one line, so that rows are called by their lines.
    has_records, found: what was read so far: whether anything, and the columns with a value.
    """

    content: Content
    encoding: str
    records: str | None
    document: str | None
    by_line: bool = False
    sheet: None = None
    copy_delimiter: None = None
    has_records: bool = field(default=False, init=False)
    found: set[Any] = field(default_factory=set, init=False)
    _keys: dict[str, Key | str] | None = field(default=None, init=False)
    _read: int = field(default=0, init=False)  # characters

    @property
    def file(self) -> str:
        """Its name."""
        return self.content.name

    def columns(self) -> dict[str, Key | str]:
        """The keys of all records, which are all looked at once; or the document."""
        if self.document is not None:
            return {self.document: DOCUMENT}
        if self._keys is None:
            keys: dict[str, None] = {}
            for number, record in self._all_records():
                if not isinstance(record, dict):
                    raise JobError(
                        f"{self.place(number, None)} has no keys: give `columns` by JMESPath, "
                        "`records`, or `document`"
                    )
                keys.update(dict.fromkeys(record))
            self._check_names(keys)
            self._keys = dict(zip(column_names(keys), map(Key, keys), strict=True))
        return self._keys

    def _check_names(self, keys: Iterable[str]) -> None:
        """Raises JobError for keys of one name: keys have no order, by which one gets a number."""
        of_names: dict[str, str] = {}
        for key in keys:
            other = of_names.setdefault(column_name(key), key)
            if other != key:
                raise JobError(
                    f"{self.file}: the keys {other!r} and {key!r} would be one column "
                    f"{column_name(key)!r}; give them names with `columns`"
                )

    def find(self, key: str) -> str:
        """An expression of JMESPath; what it does not find is null."""
        _compiled(key)
        return key

    def kinds(self, handles: Sequence[Key | str | None]) -> list[str | None]:
        """A document is JSON; other values have types of their own."""
        return ["jsonb" if handle == DOCUMENT else None for handle in handles]

    def place(self, row: int, handle: Key | str | None) -> str:  # noqa: ARG002 - a record says enough
        """The file and the record, or its line."""
        return f"{self.file}, {'line' if self.by_line else 'record'} {row}"

    def batches(self, handles: Sequence[Key | str | None]) -> Iterator[PartBatch]:
        """The values of records, as Python has them."""
        getters = [None if handle is None else _getter(handle) for handle in handles]
        for rows in batches_of(self._all_records(), lambda: self._read):
            numbers = [number for number, _ in rows]
            try:
                columns = [get and [get(record) for _, record in rows] for get in getters]
            except FaultyPath as error:
                raise JobError(f"{self.place(numbers[0], None)} or soon after: {error}") from None
            self.has_records = True
            self.found.update(
                handle
                for handle, values in zip(handles, columns, strict=True)
                if values and handle not in self.found and any(v is not None for v in values)
            )
            yield PartBatch(numbers, columns)

    def _all_records(self) -> Iterator[tuple[int, Any]]:
        """The records, each with what it is called."""
        with self.content.open() as file:
            text = self._counted(_text(self.file, file, self.encoding))
            stream = _JsonStream(self.file, text, by_line=self.by_line)
            for number, (line, record) in enumerate(self._records_of(stream), start=1):
                yield line if self.by_line else number, record

    def _counted(self, pieces: Iterator[str]) -> Iterator[str]:
        for piece in pieces:
            self._read += len(piece)
            yield piece

    def _records_of(self, stream: _JsonStream) -> Iterator[tuple[int, Any]]:
        if self.records is None:
            yield from stream.records()
            return
        expression = _compiled(self.records)
        for line, document in stream.documents():
            found = expression.of(document)
            if found is None:
                where = f"{self.file}, line {line}" if self.by_line else self.file
                raise JobError(f"{where} has nothing at {self.records}")
            for record in found if isinstance(found, list) else [found]:
                yield line, record


def _compiled(expression: str) -> Path:
    try:
        return Path(expression)
    except FaultyPath as error:
        raise JobError(str(error)) from None


def _getter(handle: Key | str) -> Callable[[Any], Any]:
    if isinstance(handle, Key):
        name = handle.name
        return lambda record: record.get(name)
    return (lambda record: record) if handle == DOCUMENT else _compiled(handle).of


def _text(name: str, file: BinaryIO, encoding: str) -> Iterator[str]:
    """The file's text in pieces."""
    reader = io.TextIOWrapper(file, encoding, newline="")
    try:
        while text := reader.read(_CHUNK):
            yield text
    except UnicodeDecodeError as error:
        raise JobError(f"{name} is not {encoding}: {error.reason}; give its `encoding`") from None


class _JsonStream:
    """JSON values out of pieces of text, each with the line where it begins.

    by_line: what is wrong with a value is wrong in that line, wherever the parser gets stuck.
    """

    def __init__(self, name: str, pieces: Iterator[str], *, by_line: bool) -> None:
        self._name, self._pieces, self._by_line = name, pieces, by_line
        self._text, self._at, self._line = "", 0, 1
        self._ended = False

    def documents(self) -> Iterator[tuple[int, Any]]:
        """The values at the top."""
        while self._next_character():
            yield self._line, self._value()

    def records(self) -> Iterator[tuple[int, Any]]:
        """The elements of an array at the top, or the values there if they are not arrays."""
        while (character := self._next_character()) is not None:
            if character == "[":
                self._at += 1
                yield from self._elements()
            else:
                yield self._line, self._value()

    def _elements(self) -> Iterator[tuple[int, Any]]:
        first = True
        while (character := self._next_character()) != "]":
            if not first:
                if character != ",":
                    raise self._broken("there is no comma between two records")
                self._at += 1
                self._next_character()
            yield self._line, self._value()
            first = False
        self._at += 1

    def _next_character(self) -> str | None:
        """The next character that is not a space; None at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._skip(space.end() - self._at if space else 0)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return None

    def _value(self) -> Any:
        while True:
            try:
                value, end = decoder().raw_decode(self._text, self._at)
                self._check_characters(value, end)
            except FaultyDocument as error:
                where = "line" if self._by_line else "after line"
                raise JobError(f"{self._name}, {where} {self._line}: it {error}") from None
            except RecursionError:
                raise self._broken("it is nested too deeply") from None
            except json.JSONDecodeError as error:
                broken = self._broken(error.msg, error.pos)
                if not self._more():
                    raise broken from None
                continue
            # A number at the end of the piece may go on in the next.
            if end < len(self._text) or not self._more():
                self._skip(end - self._at)
                return value

    def _check_characters(self, value: Any, end: int) -> None:
        """Looks at a value only where it is written as one with halves of characters would be."""
        if any(self._text.find(escape, self._at, end) >= 0 for escape in ("\\ud", "\\uD")):
            check_characters(dump(value))

    def _skip(self, count: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _more(self) -> bool:
        """Takes as much text again as is there: a long value is looked at a few times only."""
        if self._ended:
            return False
        rest, pieces, size = self._text[self._at :], [], 0
        what = f"what begins in line {self._line} (is a quote or a bracket not closed?)"
        check_length(len(rest), f"{self._name}: {what}")
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece)
            if size >= len(rest):
                break
        self._ended = not pieces
        self._text, self._at = "".join([rest, *pieces]), 0
        return bool(pieces)

    def _broken(self, why: str, position: int = 0) -> JobError:
        """position: where in the text the parser got stuck."""
        line = self._line
        if not self._by_line:
            line += self._text.count("\n", self._at, position)
        return JobError(f"{self._name}, line {line}: no JSON: {why}")


def open_json(
    content: Content,
    encoding: str | None,
    records: str | None,
    document: str | None,
    *,
    by_line: bool,
) -> JsonPart:
    """A file of JSON, or of NDJSON, which is by line.

    UTF-8, -16 and -32 are distinguished by its first bytes.
    """
    with content.open() as file:
        found = encoding or json.detect_encoding(file.read(4))
    return JsonPart(content, found, records, document, by_line)
