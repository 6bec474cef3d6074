"""Parquet as a part: values with the types that the file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from dapu.errors import FaultyDocument, JobError
from dapu.limited_process import LimitedProcess, ProcessDied, most_memory
from dapu.rows.column_names import column_names, same_text
from dapu.sources.documents.exact_json import dump
from dapu.sources.files.formats.nested import json_values
from dapu.sources.files.part import BATCH, PartBatch
from dapu.sources.files.places.unpack import Content
from dapu.suggest import nearest

# What Arrow raises for a file that is broken: a name in it may not even be text.
_BROKEN = (pa.ArrowException, MemoryError, OSError, ValueError)
_TYPES = {
    pa.types.is_boolean: "boolean",
    pa.types.is_int8: "smallint",
    pa.types.is_int16: "smallint",
    pa.types.is_uint8: "smallint",
    pa.types.is_int32: "integer",
    pa.types.is_uint16: "integer",
    pa.types.is_int64: "bigint",
    pa.types.is_uint32: "bigint",
    pa.types.is_uint64: "numeric(20,0)",
    pa.types.is_float16: "real",
    pa.types.is_float32: "real",
    pa.types.is_float64: "double precision",
    pa.types.is_date: "date",
    pa.types.is_time: "time without time zone",
    pa.types.is_duration: "interval",
    pa.types.is_binary: "bytea",
    pa.types.is_large_binary: "bytea",
    pa.types.is_fixed_size_binary: "bytea",
    pa.types.is_nested: "jsonb",
}

_AT_ONCE = 64 << 20  # bytes of a batch, about
_MEMORY, _SECONDS = 1 << 30, 20  # of the process that adds up sizes
_LONGEST = 1 << 30  # bytes; https://www.postgresql.org/docs/current/limits.html, "field size"


@dataclass
class ParquetPart:
    """One Parquet file."""

    content: Content
    schema: pa.Schema
    sheet: None = None
    copy_delimiter: None = None
    _names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._names = column_names(self.schema.names)

    @property
    def file(self) -> str:
        """Its name."""
        return self.content.name

    def columns(self) -> dict[str, int]:
        """All columns by name."""
        return {name: position for position, name in enumerate(self._names)}

    def find(self, key: str) -> int:
        """A column by its name, with or without its case."""
        names: list[str] = self.schema.names
        if key in names:
            return names.index(key)
        same = [at for at, name in enumerate(names) if same_text(name) == same_text(key)]
        if len(same) == 1:
            return same[0]
        raise JobError(f"{self.file} has no column {key!r}{nearest(key, names)}")

    def kinds(self, handles: Sequence[int | None]) -> list[str | None]:
        """The types that hold what the file's types hold."""
        return [None if at is None else _type(self.schema.field(at).type) for at in handles]

    def place(self, row: int, handle: int | None) -> str:  # noqa: ARG002 - a row says enough
        """The file and the row."""
        return f"{self.file}, row {row}"

    def batches(self, handles: Sequence[int | None]) -> Iterator[PartBatch]:
        """The values, in types whose text is exact. Raises JobError when the file is broken."""
        wanted = sorted({at for at in handles if at is not None})
        names = [self.schema.names[at] for at in wanted]
        start = 1
        with self.content.open() as file:
            try:
                read = parquet.ParquetFile(file)
                rows = self._rows_at_once(read.metadata, wanted)
                for batch in read.iter_batches(rows, columns=names):
                    columns = [
                        None if at is None else self._exact(batch.column(wanted.index(at)), at)
                        for at in handles
                    ]
                    yield PartBatch(range(start, start + batch.num_rows), columns)
                    start += batch.num_rows
            except _BROKEN as error:
                if _is_of_place(error):
                    raise
                raise JobError(f"{self.file} is broken, after row {start - 1}: {error}") from error

    def _rows_at_once(self, groups: parquet.FileMetaData, wanted: Sequence[int]) -> int:
        """How many rows have room in memory, by the sizes that the file says."""
        if all(x.total_byte_size * BATCH <= _AT_ONCE * x.num_rows for x in _row_groups(groups)):
            return BATCH
        rows = BATCH
        for rows_there, sizes in self._sizes(groups):
            count = max(rows_there, 1)
            for at in wanted:
                if sizes.get(at, 0) > _LONGEST * count:
                    raise JobError(
                        f"{self.file}, column {self.schema.names[at]} has values of "
                        f"{sizes[at] // count:,} bytes on average; PostgreSQL takes none "
                        "of more than 1 GB"
                    )
            row = sum(sizes.get(at, 0) for at in wanted) // count
            rows = min(rows, max(_AT_ONCE // max(row, 1), 1))
        return rows

    def _sizes(self, groups: parquet.FileMetaData) -> list[tuple[int, dict[int, int]]]:
        """Of each row group its rows, and the sizes of its columns, by their position.

        Arrow ends the process at a list of columns that contradicts itself; here that is a child.
        """
        try:
            with LimitedProcess(f"{__name__}:sizes", most_memory(_MEMORY), _SECONDS) as process:
                named: list[tuple[int, dict[str, int]]] = process.ask(groups)
        except ProcessDied as died:
            raise JobError(
                f"{self.file} is broken: its list of columns cannot be read: {died}"
            ) from died
        positions = {name: at for at, name in enumerate(self.schema.names)}
        return [
            (rows, {positions[name]: size for name, size in of.items() if name in positions})
            for rows, of in named
        ]

    def _exact(self, values: pa.Array, at: int) -> pa.Array:
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        kind = values.type
        if pa.types.is_nested(kind):
            return self._documents(values, at)
        if pa.types.is_fixed_size_binary(kind):
            return pc.cast(values, pa.binary())
        try:
            exact = pc.cast(values, _in_microseconds(kind))
        except pa.ArrowInvalid as error:
            raise JobError(
                f"{self.file}, column {self.schema.names[at]}: PostgreSQL keeps no parts of a "
                f"microsecond: {error}"
            ) from error
        if pa.types.is_duration(kind):
            counts = pc.cast(exact, pa.int64()).to_pylist()
            return pa.array([n if n is None else f"{n} microseconds" for n in counts], pa.string())
        return exact

    def _documents(self, values: pa.Array, at: int) -> pa.Array:
        try:
            texts = [None if v is None else dump(v) for v in json_values(values)]
        except FaultyDocument as error:
            raise JobError(f"{self.file}, column {self.schema.names[at]} {error}") from None
        return pa.array(texts, pa.string())


def sizes(groups: parquet.FileMetaData) -> list[tuple[int, dict[str, int]]]:
    """Of each row group its rows, and the unpacked bytes of its columns, by name."""
    return [(group.num_rows, _sizes_of(group)) for group in _row_groups(groups)]


def _sizes_of(group: parquet.RowGroupMetaData) -> dict[str, int]:
    found = Counter[str]()
    for chunk in map(group.column, range(group.num_columns)):
        found[chunk.path_in_schema.partition(".")[0]] += chunk.total_uncompressed_size
    return found


def _row_groups(groups: parquet.FileMetaData) -> list[parquet.RowGroupMetaData]:
    return [groups.row_group(number) for number in range(groups.num_row_groups)]


def _is_of_place(error: Exception) -> bool:
    """Whether the place fails: Arrow's own errors are of its classes, or have no number."""
    return isinstance(error, OSError) and error.errno is not None


def _in_microseconds(kind: Any) -> Any:
    """The type for times in PostgreSQL's own resolution; others as they are."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_float16(kind):
        return pa.float32()
    return kind


def _type(kind: Any) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})" if kind.scale >= 0 else "numeric"
    if pa.types.is_timestamp(kind):
        return f"timestamp {'with' if kind.tz else 'without'} time zone"
    return next((name for matches, name in _TYPES.items() if matches(kind)), "text")


def open_parquet(content: Content) -> ParquetPart:
    """Raises JobError when the file is not Parquet."""
    with content.open() as file:
        try:
            return ParquetPart(content, parquet.ParquetFile(file).schema_arrow)
        except _BROKEN as error:
            if _is_of_place(error):
                raise
            raise JobError(
                f"{content.name} is not a Parquet file, or is cut off: {error}"
            ) from error
