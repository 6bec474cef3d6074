"""Changes values of some columns while rows pass through, in whatever format they travel."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import RawIOBase
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from dapu.errors import JobError
from dapu.rows.python_text import escaped
from dapu.rows.rows import ArrowRows, Column, CopyRows, Rows

if TYPE_CHECKING:
    import pyarrow as pa

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_HEADER, _END = 19, b"\xff\xff"  # of COPY's binary format, without extensions


def _binary_of(text: Callable[[str | None], str | None]) -> Callable[[bytes | None], bytes | None]:
    def binary(value: bytes | None) -> bytes | None:
        changed = text(None if value is None else value.decode())
        return None if changed is None else changed.encode()

    return binary


@dataclass(frozen=True)
class ColumnChange:
    """What becomes of a column's values.

    type: the column's type afterwards. text: of a value as text. binary: of one in COPY's binary
    format; default as of a text.
    """

    type: str
    text: Callable[[str | None], str | None]
    binary: Callable[[bytes | None], bytes | None] | None = None

    @property
    def of_bytes(self) -> Callable[[bytes | None], bytes | None]:
        """`binary`, or what stands for it."""
        return self.binary or _binary_of(self.text)


Changes = Mapping[int, ColumnChange]
"""By the place of the column."""


def with_changes(rows: Rows, changes: Mapping[str, ColumnChange], what: str) -> Rows:
    """The rows with other values in some columns, by name.

    what: the key that asks for it. Raises JobError for rows of the warehouse itself, whose values
    are there already.
    """
    places = {n: changes[c.name] for n, c in enumerate(rows.columns) if c.name in changes}
    columns = [
        Column(column.name, places[place].type) if place in places else column
        for place, column in enumerate(rows.columns)
    ]
    if isinstance(rows, ArrowRows):
        return replace(rows, columns=columns, batches=_changed_batches(rows.batches, places))
    if isinstance(rows, CopyRows):
        again = rows.origin.again
        changed = _changed_copy(rows, columns, places)
        if again is not None:
            changed.origin = replace(
                rows.origin, again=lambda: cast(CopyRows, with_changes(again(), changes, what))
            )
        return changed
    raise JobError(f"`{what}` is for rows that come from a source")


def _changed_batches(batches: Iterable[Any], changes: Changes) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        arrays: list[pa.Array] = list(batch.columns)
        for place, change in changes.items():
            texts = (None if one is None else str(one) for one in arrays[place].to_pylist())
            arrays[place] = pa.array([change.text(text) for text in texts], pa.string())
        yield pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _changed_copy(rows: CopyRows, columns: list[Column], changes: Changes) -> CopyRows:
    change: Change = {"binary": _binary_rows, "text": _text_rows}.get(rows.format) or partial(
        _csv_rows, _csv_value(rows.delimiter)
    )

    def write(file: BinaryIO) -> None:
        with _changing(file, change, changes) as changing:
            rows.write(changing)

    return replace(rows, columns=columns, write=write)


Change = Callable[[bytes, Changes, bool], tuple[bytes, bytes]]
"""Takes bytes, the changes, and whether it is the beginning; gives the changed rows, and what is
left of one that has not ended."""


class _Changing(RawIOBase):
    """A file that changes rows on their way into another."""

    def __init__(self, file: BinaryIO, change: Change, changes: Changes) -> None:
        super().__init__()
        self._file, self._change, self._changes = file, change, changes
        self._left, self._begins = b"", True

    def write(self, data: Any) -> int:
        """See `RawIOBase`."""
        found = self._left + bytes(data)
        changed, self._left = self._change(found, self._changes, self._begins)
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
def _changing(file: BinaryIO, change: Change, changes: Changes) -> Iterator[BinaryIO]:
    changing = _Changing(file, change, changes)
    yield cast(BinaryIO, changing)
    changing.end()


def _text_rows(data: bytes, changes: Changes, _: bool) -> tuple[bytes, bytes]:
    *lines, left = data.split(b"\n")
    changed = []
    for line in lines:
        values = line.split(b"\t")
        for place, change in changes.items():
            values[place] = _changed_field(values[place], change)
        changed.append(b"\t".join(values) + b"\n")
    return b"".join(changed), left


def _csv_value(delimiter: str) -> re.Pattern[bytes]:
    """A value of CSV as it is written, with what ends it."""
    end = re.escape(delimiter.encode())
    return re.compile(rb'("(?:[^"]|"")*"|[^"\r\n' + end + rb"]*)(" + end + rb"|\r?\n)")


def _csv_rows(
    value: re.Pattern[bytes], data: bytes, changes: Changes, _: bool
) -> tuple[bytes, bytes]:
    changed, row, begun = [], list[bytes](), 0
    for place, match in _in_rows(value, data):
        text, end = match[1], match[2]
        if place in changes:
            text = _csv_field(changes[place].text(_bare(text)))
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


def _bare(value: bytes) -> str | None:
    """A value of CSV without its quotes; nothing without quotes is null."""
    if value.startswith(b'"'):
        return value[1:-1].replace(b'""', b'"').decode()
    return value.decode() or None


def _csv_field(text: str | None) -> bytes:
    if text is None:
        return b""
    return text.encode() if text.isalnum() else b'"' + text.replace('"', '""').encode() + b'"'


def _changed_field(value: bytes, change: ColumnChange) -> bytes:
    bare = _ESCAPED.sub(lambda match: _MEANS.get(match[1], match[1]), value)
    changed = change.text(None if value == rb"\N" else bare.decode())
    return rb"\N" if changed is None else escaped(changed).encode()


def _binary_rows(data: bytes, changes: Changes, begins: bool) -> tuple[bytes, bytes]:
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
        for place, change in changes.items():
            values[place] = change.of_bytes(values[place])
        changed.append(struct.pack("!h", len(values)))
        for value in values:
            changed.append(struct.pack("!i", -1 if value is None else len(value)))
            changed.append(value or b"")
    return b"".join(changed), data[at:]


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
