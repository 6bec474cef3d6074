"""Parquet: PostgreSQL writes CSV, and pyarrow reads it into exact types, batch by batch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from dapu.errors import JobError
from dapu.exporting import query as kinds
from dapu.exporting.query import Query, ResultColumn

Compression = Literal["snappy", "zstd", "gzip", "none"]

_TYPES = {
    kinds.BOOL: pa.bool_(),
    kinds.BYTEA: pa.binary(),
    kinds.INT2: pa.int16(),
    kinds.INT4: pa.int32(),
    kinds.INT8: pa.int64(),
    kinds.FLOAT4: pa.float32(),
    kinds.FLOAT8: pa.float64(),
    kinds.DATE: pa.date32(),
    kinds.TIME: pa.time64("us"),
    kinds.TIMESTAMP: pa.timestamp("us"),
    kinds.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
}
_SMALL, _LARGE = 38, 76  # the most digits of a decimal of 128 and of 256 bits
_BLOCK = 1 << 20  # bytes of CSV; pyarrow reads 32 such blocks ahead
_GROUP = 1 << 25  # bytes of a row group in memory
_REFUSED = re.compile(r"CSV column #(\d+): Row #(\d+): (.*)", re.DOTALL)
_IS_NUMBER = r"^-?\d+(\.\d+)?$"


@dataclass(frozen=True)
class _Spool:
    """The rows of a query as CSV on this machine. longest: bytes of the longest row."""

    path: Path
    label: str
    fields: Sequence[ResultColumn]
    longest: int

    def batches(self, types: dict[str, pa.DataType]) -> Iterable[pa.RecordBatch]:
        """The rows, of these columns only. Raises JobError when a type cannot hold a value."""
        if self.path.stat().st_size == 0:
            return
        names = [field.name for field in self.fields]
        block = max(_BLOCK, 2 * self.longest)  # one must hold a row
        try:
            yield from csv.open_csv(
                self.path,
                csv.ReadOptions(column_names=names, block_size=block, use_threads=False),
                csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=[""],
                    true_values=["t"],
                    false_values=["f"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._translated(str(error)) from error

    def _translated(self, text: str) -> JobError:
        match = _REFUSED.match(text.removeprefix("In "))
        if match is None:
            return JobError(f"{self.label}: a row does not fit into Parquet: {text}")
        name, row = self.fields[int(match[1])].name, int(match[2])
        return JobError(
            f"{self.label}, row {row:,}, column {name}: {match[3]}; Parquet has no such value: "
            "cast the column to text in the query, or leave the value out"
        )


def write_parquet(query: Query, path: Path, compression: Compression = "snappy") -> int:
    """Writes Parquet; returns the number of rows.

    A numeric without precision becomes a decimal that holds all its values. Raises JobError for a
    value that the column's type cannot hold: infinity, NaN in a decimal, a date BC.
    """
    fields = query.fields()
    path_of_rows = path.with_name("rows.csv")
    with path_of_rows.open("wb") as file:
        measured = _Measured(file)
        count = query.copy(cast(BinaryIO, measured), "format csv")
    spool = _Spool(path_of_rows, query.label, fields, measured.longest)
    fields = _with_digits(spool)
    schema = pa.schema([(field.name, _type(field, query.label)) for field in fields])
    read_as = {field.name: _read_as(field.type) for field in schema}
    codec = "NONE" if compression == "none" else compression
    with parquet.ParquetWriter(path, schema, compression=codec) as writer:
        for group in _groups(spool.batches(read_as)):
            query.check()
            columns = [
                pa.chunked_array([_exact(chunk, kind) for chunk in column.chunks], kind)
                for column, kind in zip(group.columns, schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    spool.path.unlink()
    return count


class _Measured:
    """A file, and the longest row that COPY wrote to it: it writes one at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.longest = file, 0

    def write(self, row: bytes) -> int:
        """Writes a row."""
        self.longest = max(self.longest, len(row))
        return self._file.write(row)


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches, as many together as make a row group."""
    group, size = [], 0
    for batch in batches:
        group.append(batch)
        size += batch.nbytes
        if size >= _GROUP:
            yield pa.Table.from_batches(group)
            group, size = [], 0
    if group:
        yield pa.Table.from_batches(group)


def _type(field: ResultColumn, label: str) -> pa.DataType:
    if field.type != kinds.NUMERIC:
        return _TYPES.get(field.type, pa.string())
    precision, scale = field.precision or 1, field.scale or 0
    if precision > _LARGE:
        raise JobError(
            f"{label}, column {field.name}: its numbers need {precision} digits, and Parquet has "
            f"{_LARGE}; round them in the query, or cast them to text"
        )
    return (
        pa.decimal128(precision, scale) if precision <= _SMALL else pa.decimal256(precision, scale)
    )


def _read_as(kind: pa.DataType) -> pa.DataType:
    """The type in which pyarrow reads a column of CSV on its way to another."""
    return pa.string() if pa.types.is_decimal256(kind) or pa.types.is_binary(kind) else kind


def _exact(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_binary(kind):
        return pa.array(
            [None if v is None else bytes.fromhex(v[2:]) for v in column.to_pylist()], kind
        )
    return column if column.type == kind else pc.cast(column, kind)


def _with_digits(spool: _Spool) -> list[ResultColumn]:
    """The fields, those of numerics without precision with as many digits as their values have."""
    unknown = {
        f.name: pa.string() for f in spool.fields if f.type == kinds.NUMERIC and not f.precision
    }
    if not unknown:
        return list(spool.fields)
    digits = dict.fromkeys(unknown, (1, 0))
    for batch in spool.batches(unknown):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            digits[name] = _most(digits[name], _digits_in(column, name, spool.label))
    return [
        _with(field, digits[field.name]) if field.name in digits else field
        for field in spool.fields
    ]


def _with(field: ResultColumn, digits: tuple[int, int]) -> ResultColumn:
    whole, scale = digits
    return replace(field, precision=max(whole + scale, _SMALL), scale=scale)


def _most(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), max(one[1], other[1])


def _digits_in(column: pa.Array, name: str, label: str) -> tuple[int, int]:
    """The most digits before and after the point."""
    texts = column.drop_null()
    odd = texts.filter(pc.invert(pc.match_substring_regex(texts, _IS_NUMBER)))
    if len(odd):
        raise JobError(
            f"{label}, column {name}: {odd[0]} is not a decimal; cast the column to double "
            "precision or text in the query, or leave the value out"
        )
    whole = pc.utf8_length(pc.replace_substring_regex(texts, r"^-|\..*$", ""))
    scale = pc.utf8_length(pc.replace_substring_regex(texts, r"^[^.]*\.?", ""))
    return pc.max(whole).as_py() or 1, pc.max(scale).as_py() or 0
