"""Columns of which only a keyed hash is kept: their values never reach the warehouse."""

from __future__ import annotations

import hmac
import re
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from dapu.errors import JobError
from dapu.rows.rows import ArrowRows, Column, CopyRows, Rows

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS = re.compile(r"(text|character varying|character|varchar|char|citext|name)\b[^\[]*")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_HEADER, _END = 19, b"\xff\xff"  # of COPY's binary format, without extensions


def hashed_text(key: bytes, text: str | None) -> str | None:
    """HMAC-SHA256 (hex, RFC 2104) of a text without the spaces at its ends; None of none."""
    bare = (text or "").strip()
    return hmac.digest(key, bare.encode(), "sha256").hex() if bare else None


def with_hashes(rows: Rows, names: Collection[str], key: bytes | None) -> Rows:
    """The rows with hashes in some columns, which become texts.

    Raises JobError without a key, for a column that is not there or is not a text, and for rows of
    the warehouse itself, whose values are there already.
    """
    if not names:
        return rows
    if key is None:
        raise JobError(
            "`hash` needs a secret: set `hash_key: ${DAPU_HASH_KEY}` in warehouse.yaml, and "
            "DAPU_HASH_KEY in the environment, at least 16 characters long"
        )
    places = [_place(rows.columns, name) for name in names]
    columns = [
        Column(column.name, "text") if place in places else column
        for place, column in enumerate(rows.columns)
    ]
    if isinstance(rows, ArrowRows):
        return replace(rows, columns=columns, batches=_hashed_batches(rows.batches, places, key))
    if isinstance(rows, CopyRows):
        return _hashed_copy(rows, columns, places, key)
    raise JobError("`hash` is for rows that come from a source")


def _place(columns: Iterable[Column], name: str) -> int:
    names = []
    for place, column in enumerate(columns):
        if column.name == name:
            if not _TEXTS.fullmatch(column.type):
                raise JobError(
                    f"the column {name} is {column.type}, and a hash is made of a text: give it as "
                    "text, in the query or by the column's type"
                )
            return place
        names.append(column.name)
    raise JobError(f"`hash` names {name}, which is none of: {', '.join(names)}")


def _hashed_batches(batches: Iterable[Any], places: list[int], key: bytes) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        arrays: list[pa.Array] = list(batch.columns)
        for place in places:
            texts = [hashed_text(key, text) for text in arrays[place].to_pylist()]
            arrays[place] = pa.array(texts, pa.string())
        yield pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _hashed_copy(rows: CopyRows, columns: list[Column], places: list[int], key: bytes) -> CopyRows:
    change: Change = {"binary": _binary_rows, "text": _text_rows}.get(rows.format) or partial(
        _csv_rows, _csv_value(rows.delimiter)
    )

    def write(file: BinaryIO) -> None:
        with _changing(file, change, places, key) as changing:
            rows.write(changing)

    again = rows.origin.again
    origin = rows.origin
    if again is not None:
        names = [columns[place].name for place in places]
        origin = replace(origin, again=lambda: cast(CopyRows, with_hashes(again(), names, key)))
    return replace(rows, columns=columns, write=write, origin=origin)


Change = Callable[[bytes, list[int], bytes, bool], tuple[bytes, bytes]]
"""Takes bytes, the columns, the key, and whether it is the beginning; gives the changed rows, and
what is left of one that has not ended."""


class _Changing(RawIOBase):
    """A file that changes rows on their way into another."""

    def __init__(self, file: BinaryIO, change: Change, places: list[int], key: bytes) -> None:
        super().__init__()
        self._file, self._change, self._places, self._key = file, change, places, key
        self._left, self._begins = b"", True

    def write(self, data: Any) -> int:
        """See `RawIOBase`."""
        found = self._left + bytes(data)
        changed, self._left = self._change(found, self._places, self._key, self._begins)
        self._begins = self._begins and len(self._left) == len(found)
        self._file.write(changed)
        return len(data)

    def writable(self) -> bool:
        """See `RawIOBase`."""
        return True

    def end(self) -> None:
        """Writes what is left: a last line without its end."""
        self._file.write(self._left)


@contextmanager
def _changing(file: BinaryIO, change: Change, places: list[int], key: bytes) -> Iterator[BinaryIO]:
    changing = _Changing(file, change, places, key)
    yield cast(BinaryIO, changing)
    changing.end()


def _text_rows(data: bytes, places: list[int], key: bytes, _: bool) -> tuple[bytes, bytes]:
    *lines, left = data.split(b"\n")
    changed = []
    for line in lines:
        values = line.split(b"\t")
        for place in places:
            values[place] = _hashed_field(values[place], key)
        changed.append(b"\t".join(values) + b"\n")
    return b"".join(changed), left


def _csv_value(delimiter: str) -> re.Pattern[bytes]:
    """A value of CSV as it is written, with what ends it."""
    end = re.escape(delimiter.encode())
    return re.compile(rb'("(?:[^"]|"")*"|[^"\r\n' + end + rb"]*)(" + end + rb"|\r?\n)")


def _csv_rows(
    value: re.Pattern[bytes], data: bytes, places: list[int], key: bytes, _: bool
) -> tuple[bytes, bytes]:
    changed, row, begun = [], list[bytes](), 0
    for place, match in _in_rows(value, data):
        text, end = match[1], match[2]
        if place in places:
            bare = text[1:-1].replace(b'""', b'"') if text.startswith(b'"') else text
            text = (hashed_text(key, bare.decode()) or "").encode()
        row += [text, end]
        if end.endswith(b"\n"):
            changed += row
            row, begun = [], match.end()
    return b"".join(changed), data[begun:]


def _in_rows(value: re.Pattern[bytes], data: bytes) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Each value that has ended, with its place in its row."""
    at = place = 0
    while (match := value.match(data, at)) is not None:
        yield place, match
        at, place = match.end(), 0 if match[2].endswith(b"\n") else place + 1


def _hashed_field(value: bytes, key: bytes) -> bytes:
    if value == rb"\N":
        return value
    bare = _ESCAPED.sub(lambda match: _MEANS.get(match[1], match[1]), value)
    found = hashed_text(key, bare.decode())
    return rb"\N" if found is None else found.encode()


def _binary_rows(data: bytes, places: list[int], key: bytes, begins: bool) -> tuple[bytes, bytes]:
    """See COPY's binary format in PostgreSQL's documentation."""
    changed, at = [], 0
    if begins:
        if len(data) < _HEADER:
            return b"", data
        changed.append(data[:_HEADER])
        at = _HEADER
    while (row := _binary_row(data, at)) is not None:
        values, at = row
        if values is None:
            changed.append(_END)
            continue
        for place in places:
            values[place] = _hashed_bytes(values[place], key)
        changed.append(struct.pack("!h", len(values)))
        for value in values:
            changed.append(struct.pack("!i", -1 if value is None else len(value)))
            changed.append(value or b"")
    return b"".join(changed), data[at:]


def _hashed_bytes(value: bytes | None, key: bytes) -> bytes | None:
    found = hashed_text(key, None if value is None else value.decode())
    return None if found is None else found.encode()


def _binary_row(data: bytes, at: int) -> tuple[list[bytes | None] | None, int] | None:
    """A row's values (None at the end) and where the next begins; None while it arrives."""
    if len(data) < at + 2:
        return None
    (count,) = struct.unpack_from("!h", data, at)
    at += 2
    if count < 0:
        return None, at
    values: list[bytes | None] = []
    for _ in range(count):
        if len(data) < at + 4:
            return None
        (size,) = struct.unpack_from("!i", data, at)
        at += 4
        if len(data) < at + max(size, 0):
            return None
        values.append(None if size < 0 else data[at : at + size])
        at += max(size, 0)
    return values, at
