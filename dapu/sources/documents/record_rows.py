"""Records of documents as rows for COPY.

A record is a parsed document; a column takes its part of it. Values go as text, just as they were
written: PostgreSQL judges whether a column holds them. What it would change in silence is marked,
so that it refuses that too.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from dapu.errors import FaultyDocument, FaultyPath, JobError
from dapu.rows.python_text import TypeSurvey, array_text, exact_writer
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.sources.documents.exact_json import check_characters, dump, without_nul

NulPolicy = Literal["fail", "remove", "pass"]
_IN_MEMORY = 16 << 20  # bytes
_BLOCK = 1 << 17
_JSON = ("json", "jsonb")


@dataclass(frozen=True)
class RecordField:
    """A column of the rows.

    take: gives its value out of a record and of what is known beside it.
    type: of PostgreSQL; None when it is to be found by the values.
    """

    name: str
    take: Callable[[Any, Mapping[str, Any]], Any]
    type: str | None


@dataclass(frozen=True)
class Batch:
    """Some records. label: where they stand, such as `page 3, `. beside: known of all of them."""

    records: Sequence[Any]
    label: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)


class DocumentRows:
    """Makes rows of batches that come one after the other; remembers where each row stood.

    nul: what becomes of NUL characters, which PostgreSQL cannot hold.
    """

    def __init__(self, fields: Sequence[RecordField], nul: NulPolicy) -> None:
        self._fields, self._nul = fields, nul
        # A type that is found by the values holds each of them.
        self._write = exact_writer([field.type or "text" for field in fields])
        self._starts: list[int] = []
        self._labels: list[str] = []
        self._row = 1
        self._empty = {field.name for field in fields}

    @property
    def without_values(self) -> list[str]:
        """The columns that had no value in any row: their paths may be wrong."""
        return [field.name for field in self._fields if field.name in self._empty]

    @property
    def count(self) -> int:
        """How many rows there were so far."""
        return self._row - 1

    def read(self, batches: Iterable[Batch], stop: Callable[[], None]) -> CopyRows:
        """The rows; they wait in a file when a type is to be found by the values."""
        if any(field.type is None for field in self._fields):
            return self._surveyed(batches)
        columns = [Column(field.name, field.type or "text") for field in self._fields]

        def write(file: BinaryIO) -> None:
            for _, lines in self._lines(batches):
                file.writelines(lines)

        return CopyRows(columns, "text", write, stop, RowOrigin(self.locate))

    def locate(self, row: int, column: str) -> str:  # noqa: ARG002 - a record has no columns
        """Where a row (from 1) stood: `page 3, record 17`."""
        batch = bisect_right(self._starts, row) - 1
        if batch < 0:
            return f"record {row}"
        return f"{self._labels[batch]}record {row - self._starts[batch] + 1}"

    def _surveyed(self, batches: Iterable[Batch]) -> CopyRows:
        survey = TypeSurvey(len(self._fields))
        # Closed when it has been written on, in another thread.
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        for values, lines in self._lines(batches):
            survey.see(values)
            spool.writelines(lines)
        spool.seek(0)

        def write(file: BinaryIO) -> None:
            with spool:
                while data := spool.read(_BLOCK):
                    file.write(data)

        columns = [
            Column(field.name, field.type or found)
            for field, found in zip(self._fields, survey.types(), strict=True)
        ]
        return CopyRows(columns, "text", write, origin=RowOrigin(self.locate))

    def _lines(self, batches: Iterable[Batch]) -> Iterator[tuple[list[list[Any]], list[bytes]]]:
        """The values of each batch, and the lines that COPY reads."""
        for batch in batches:
            if not batch.records:
                continue
            self._starts.append(self._row)
            self._labels.append(batch.label)
            rows, lines = [], []
            for record in batch.records:
                values = self._values(record, batch.beside)
                rows.append(values)
                try:
                    lines.append(self._line(values))
                except RecursionError:
                    place = self.locate(self._row, "")
                    raise JobError(f"{place}: its values are nested too deeply") from None
                self._row += 1
            self._note_values(rows)
            yield rows, lines

    def _values(self, record: Any, beside: Mapping[str, Any]) -> list[Any]:
        try:
            return [field.take(record, beside) for field in self._fields]
        except FaultyPath as error:
            raise JobError(f"{self.locate(self._row, '')}: {error}") from None

    def _line(self, values: list[Any]) -> bytes:
        texts = []
        for field_, value in zip(self._fields, values, strict=True):
            text = self._text(field_, value)
            if text is not None and "\0" in text and self._nul == "fail":
                raise JobError(
                    f"{self.locate(self._row, '')}: the column {field_.name} has a NUL character, "
                    "which PostgreSQL cannot hold; `nul_characters: remove` leaves it out"
                )
            try:
                check_characters(text or "")
            except FaultyDocument as error:
                raise JobError(f"{self.locate(self._row, '')} {error}") from None
            texts.append(text)
        return self._write(texts)

    def _text(self, field_: RecordField, value: Any) -> str | None:
        if value is None:
            return None
        if self._nul == "remove":
            value = without_nul(value)
        if field_.type in _JSON:
            return dump(value)
        if isinstance(value, list) and field_.type is not None and field_.type.endswith("[]"):
            return array_text(value, field_.type)
        return _text_of(value)

    def _note_values(self, rows: list[list[Any]]) -> None:
        for position, field_ in enumerate(self._fields):
            if field_.name in self._empty and any(row[position] is not None for row in rows):
                self._empty.discard(field_.name)


def _text_of(value: Any) -> str:
    """A value as PostgreSQL reads it from text; documents as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return dump(value)
    return str(value)
