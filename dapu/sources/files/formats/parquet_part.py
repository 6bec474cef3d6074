"""Parquet as a part: values with the types that the file says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from dapu.errors import JobError
from dapu.rows.column_names import column_names, same_text
from dapu.sources.documents.exact_json import dump
from dapu.sources.files.part import BATCH, PartBatch
from dapu.sources.files.places.unpack import Content
from dapu.suggest import nearest

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
                for batch in parquet.ParquetFile(file).iter_batches(BATCH, columns=names):
                    columns = [
                        None if at is None else self._exact(batch.column(wanted.index(at)), at)
                        for at in handles
                    ]
                    yield PartBatch(range(start, start + batch.num_rows), columns)
                    start += batch.num_rows
            except pa.ArrowInvalid as error:
                raise JobError(f"{self.file} is broken, after row {start - 1}: {error}") from error

    def _exact(self, values: pa.Array, at: int) -> pa.Array:
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        kind = values.type
        if pa.types.is_nested(kind):
            texts = [v if v is None else dump(_plain(v, kind)) for v in values.to_pylist()]
            return pa.array(texts, pa.string())
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


def _plain(value: Any, kind: Any) -> Any:
    """A nested value with the types of JSON; a date or time is a text then, and a map an object.

    kind: its Arrow type. Raises JobError when a map has a key twice.
    """
    if value is not None and pa.types.is_map(kind):
        return _map(value, kind)
    match value:
        case dict():
            return {key: _plain(item, kind.field(key).type) for key, item in value.items()}
        case list():
            return [_plain(item, kind.value_type) for item in value]
        case float():
            return Decimal(repr(value))
        case bytes():
            return value.hex()
        case None | bool() | int() | str() | Decimal():
            return value
    return str(value)


def _map(pairs: Any, kind: Any) -> dict[str, Any]:
    keys = [key.hex() if isinstance(key, bytes) else str(key) for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise JobError(f"a map has a key twice: {', '.join(keys)}")
    values = [_plain(item, kind.item_type) for _, item in pairs]
    return dict(zip(keys, values, strict=True))


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
    """Raises JobError when the file is no Parquet."""
    with content.open() as file:
        try:
            return ParquetPart(content, parquet.ParquetFile(file).schema_arrow)
        except pa.ArrowInvalid as error:
            raise JobError(f"{content.name} is no Parquet file, or is cut off: {error}") from error
