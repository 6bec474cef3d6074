"""Arrow record batches as the CSV that PostgreSQL's COPY reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dapu.errors import JobError
from dapu.rows.csv_line_index import LineIndex

# Arrow's own allocator keeps a multiple of what batches need.
pa.set_memory_pool(pa.system_memory_pool())

# COPY's CSV takes an empty field without quotes as NULL, and `""` as the empty string: pyarrow
# writes just so when strings are quoted always.
_QUOTING = "needed"


@dataclass(frozen=True)
class CsvText:
    """Rows that are CSV already, each of them one line."""

    text: bytes
    rows: int


def write_csv(
    batches: Iterable[pa.RecordBatch | CsvText],
    file: BinaryIO,
    lines: LineIndex | None = None,
    delimiter: str = ",",
) -> None:
    """Writes all batches, and counts their lines. Raises JobError for a type without exact text."""
    options = csv.WriteOptions(include_header=False, quoting_style=_QUOTING, delimiter=delimiter)
    for batch in batches:
        if isinstance(batch, CsvText):
            file.write(batch.text)
            if lines is not None:
                lines.add(batch.rows)
            continue
        if lines is not None:
            _count_lines(lines, batch)
        columns = [_writable(batch.column(i), field) for i, field in enumerate(batch.schema)]
        table = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        csv.write_csv(table, file, options)


def _count_lines(lines: LineIndex, batch: pa.RecordBatch) -> None:
    """Takes the lines into account that a batch becomes."""
    texts = [column for column in batch.columns if _is_text(column)]
    is_first = not lines.rows and batch.num_rows
    if not is_first and not any(b"\n" in text_bytes(column) for column in texts):
        lines.add(batch.num_rows)
        return
    line_ends = [0] * batch.num_rows
    for column in texts:
        for row, count in enumerate(pc.count_substring(column, "\n").to_pylist()):
            line_ends[row] += count or 0
    if is_first:  # see `dapu.rows.csv_line_index`
        first = [text_bytes(column[:1]) for column in texts]
        line_ends[0] = sum(text.count(b"\r") for text in first)
    for count in line_ends:
        lines.add_row(count)


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def text_bytes(values: pa.Array) -> bytes:
    """The bytes of all texts of an array, one after the other."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return b""
    numbers = memoryview(offsets).cast("B")
    places = numbers.cast("q") if pa.types.is_large_string(values.type) else numbers.cast("i")
    first, last = places[values.offset], places[values.offset + len(values)]
    return bytes(memoryview(data)[first:last])


def _writable(column: pa.Array, field: pa.Field) -> pa.Array:
    """The column in a type that the CSV writer writes exactly."""
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        values = [None if value is None else "\\x" + value.hex() for value in column.to_pylist()]
        return pa.array(values, pa.large_string())
    if pa.types.is_decimal(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_dictionary(kind):
        return _writable(column.dictionary_decode(), field)
    if pa.types.is_nested(kind):
        raise JobError(f"the column {field.name} has the Arrow type {kind}; give it as JSON text")
    return column
