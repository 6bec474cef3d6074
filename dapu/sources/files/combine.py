"""Parts become rows for the loader: columns chosen, values converted, their places kept.

The columns of all parts together are the columns of the rows. A column's type is the one that is
given, else the table's, else the one that holds all values.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dapu.errors import JobError
from dapu.rows.arrow_csv import CsvText
from dapu.rows.exactness import REMARK, exactness
from dapu.rows.hashed_columns import hashed_text, needed_key
from dapu.rows.masked_columns import masked_text
from dapu.rows.rows import ArrowRows, Column
from dapu.rows.types import widened
from dapu.sources.files.column_options import ORIGIN, ChosenColumns, ColumnOptions
from dapu.sources.files.converter import Change, Converter
from dapu.sources.files.part import FilePart, PartBatch
from dapu.sources.files.values.convert_texts import TextStyle
from dapu.sources.files.values.infer_kind import KindSurvey
from dapu.sources.files.values.kinds import Kind, kind_of, type_of

_CALLED: dict[Kind | None, str] = {
    "integer": "an integer",
    "decimal": "a decimal",
    "boolean": "a boolean",
    "date": "a date",
    "timestamp": "a timestamp",
    "zoned": "a timestamp",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_WITH_YEARS = ("date", "timestamp")


@dataclass
class _Planned:
    """A column of the rows. handles: how each part finds it; None where a part has it not."""

    name: str
    options: ColumnOptions | None
    handles: list[Any]
    kind: Kind | None = None
    type: str = ""
    change: Change | None = None  # what is kept of each value, as a text
    ready: bool = False  # its values have a type of their own already


@dataclass
class Gathering:
    """Rows out of parts.

    target: the types of the table's columns by name; empty when there is no table yet.
    style: how texts are written, for each part.
    of_cells: the values of parts have types of their own.
    has_steps: the table's types were chosen by a person.
    origin: whether the rows say where they come from.
    hash_key: the secret for hashed columns.
    kinds: what the columns hold, once `rows` has been asked for.
    """

    parts: Sequence[FilePart[Any]]
    chosen: ChosenColumns
    target: Mapping[str, str]
    styles: Sequence[TextStyle]
    of_cells: bool
    has_steps: bool
    origin: bool
    hash_key: bytes | None
    kinds: dict[str, Kind] = field(default_factory=dict)
    _places: list[tuple[int, Sequence[int]]] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _rows: int = 0

    def rows(self) -> ArrowRows:
        """The rows, read as they are taken. Raises JobError when a column is missing or twice."""
        planned = self._plan()
        self._find_types(planned)
        self.kinds = {column.name: column.kind or "text" for column in planned}
        columns = [Column(column.name, column.type) for column in planned]
        columns += self._more_columns()
        if not columns:
            raise JobError(f"{self._files()}: there are no columns")
        _check_once(columns)

        def locate(row: int, name: str) -> str:
            return self._locate(planned, row, name)

        delimiter = next((part.copy_delimiter for part in self.parts if part.copy_delimiter), ",")
        batches = self._batches(planned, columns, delimiter)
        return ArrowRows(columns, batches, locate, delimiter=delimiter)

    def _files(self) -> str:
        return ", ".join(dict.fromkeys(part.file for part in self.parts))

    def _plan(self) -> list[_Planned]:
        wanted = self.chosen.wanted
        if wanted is not None:
            planned = [
                _Planned(column.name, column, [part.find(key) for part in self.parts])
                for key, column in wanted
            ]
        else:
            of_parts = [part.columns() for part in self.parts]
            names = dict.fromkeys(name for columns in of_parts for name in columns)
            planned = [_Planned(n, None, [columns.get(n) for columns in of_parts]) for n in names]
        self._mark_changed(planned)
        return planned

    def _mark_changed(self, planned: Sequence[_Planned]) -> None:
        names = [column.name for column in planned]
        for what, hidden in (("hash", self.chosen.hash), ("mask", self.chosen.mask)):
            for name in hidden:
                if name not in names and not self.chosen.may_compute:
                    raise JobError(f"`{what}` names {name}, which is none of: {', '.join(names)}")
        for column in planned:
            if column.name in self.chosen.hash:
                column.change = partial(hashed_text, needed_key(self.hash_key))
            elif mask := self.chosen.mask.get(column.name):
                column.change = masked_text(mask)
                if mask == "year":
                    continue
            else:
                continue
            column.kind, column.type = "text", "text"

    def _find_types(self, planned: Sequence[_Planned]) -> None:
        for column in planned:
            own = self._type_of_format(column)
            if column.kind is None:
                column.kind, column.type = _given_type(column, own, self.target.get(column.name))
                column.ready = own is not None and own != "jsonb"
        unknown = [column for column in planned if column.kind is None]
        if unknown:
            self._survey(unknown)
        for column in planned:
            if self.chosen.mask.get(column.name) == "year" and column.kind not in _WITH_YEARS:
                raise JobError(
                    f"the column {column.name} is {column.type}, and `year` is of a date or a "
                    "timestamp: give it a `type` in `columns`"
                )

    def _type_of_format(self, column: _Planned) -> str | None:
        """The type that the parts' format says, the one that holds those of all."""
        types = {
            part.kinds([handle])[0]
            for part, handle in zip(self.parts, column.handles, strict=True)
            if handle is not None
        }
        known = [name for name in types if name is not None]
        return reduce(widened, known) if known and len(known) == len(types) else None

    def _survey(self, unknown: Sequence[_Planned]) -> None:
        surveys = [[] for _ in unknown]  # type: list[list[KindSurvey]]
        for position, part in enumerate(self.parts):
            for survey in surveys:
                survey.append(KindSurvey(self.styles[position], of_cells=self.of_cells))
            batches = part.batches([column.handles[position] for column in unknown])
            _see_all([survey[-1] for survey in surveys], batches)
        for column, of_parts in zip(unknown, surveys, strict=True):
            column.kind = KindSurvey.of_all(of_parts)
            column.type = type_of(column.kind)

    def _more_columns(self) -> list[Column]:
        """Constants, and where each row comes from."""
        columns = [
            Column(name, self.target.get(name) or _constant_type(value))
            for name, value in self.chosen.constant.items()
        ]
        for column, value in zip(columns, self.chosen.constant.values(), strict=True):
            _check_constant(column, _constant_text(value))
        if self.origin:
            columns += [Column(name, type_name) for name, type_name in self._origin_types()]
        return columns

    def _origin_types(self) -> Iterator[tuple[str, str]]:
        file, sheet, row = ORIGIN
        yield file, self.target.get(file, "text")
        if any(part.sheet is not None for part in self.parts):
            yield sheet, self.target.get(sheet, "text")
        yield row, self.target.get(row, "bigint")

    def _batches(
        self, planned: Sequence[_Planned], columns: Sequence[Column], delimiter: str
    ) -> Iterator[pa.RecordBatch | CsvText]:
        names = [column.name for column in columns]
        for position, part in enumerate(self.parts):
            converters = [self._converter(column, self.styles[position]) for column in planned]
            handles = [column.handles[position] for column in planned]
            # All columns in the order of the file, and nothing else.
            is_whole = len(columns) == len(handles) and part.copy_delimiter == delimiter
            is_whole = is_whole and handles == list(part.columns().values())
            for batch in part.batches(handles):
                self._starts.append(self._rows)
                self._places.append((position, batch.numbers))
                self._rows += len(batch.numbers)
                if (
                    is_whole
                    and batch.lines is not None
                    and all(
                        converter.is_ready(values)
                        for converter, values in zip(converters, batch.columns, strict=True)
                    )
                ):
                    yield CsvText(batch.lines, len(batch.numbers))
                    continue
                arrays = [
                    _nulls(batch) if values is None else convert(values)
                    for convert, values in zip(converters, batch.columns, strict=True)
                ]
                self._check_texts(part, batch, planned, arrays)
                arrays += self._more_values(part, batch, len(columns) - len(arrays))
                yield pa.RecordBatch.from_arrays(arrays, names=names)

    def _check_texts(
        self,
        part: FilePart[Any],
        batch: PartBatch,
        planned: Sequence[_Planned],
        arrays: Sequence[pa.Array],
    ) -> None:
        """A column of texts takes a remark too, where no policy looks at its values."""
        if part.sheet is None or self.chosen.values_are_checked:
            return
        for column, array in zip(planned, arrays, strict=True):
            if column.kind != "text" or not pa.types.is_string(array.type):
                continue
            row = pc.index(pc.match_substring(array, REMARK), True).as_py()
            if row >= 0:
                text = array[row].as_py().replace(REMARK, "")
                handle = column.handles[self.parts.index(part)]
                where = part.place(batch.numbers[row], handle)
                raise JobError(f"{where}: {text}, for the column {column.name}")

    def _more_values(self, part: FilePart[Any], batch: PartBatch, count: int) -> list[pa.Array]:
        size = len(batch.numbers)
        arrays = [pa.repeat(_constant_text(value), size) for value in self.chosen.constant.values()]
        if self.origin:
            arrays.append(pa.repeat(part.file, size))
            if count - len(arrays) == 2:
                arrays.append(pa.repeat(pa.scalar(part.sheet, pa.string()), size))
            arrays.append(pa.array(batch.numbers, pa.int64()))
        return arrays

    def _converter(self, column: _Planned, style: TextStyle) -> Converter:
        given = column.options
        padded = self.has_steps or (given is not None and given.type is not None)
        return Converter(
            column.kind or "text",
            column.type,
            replace(style, formats=given.formats if given else (), padded=padded),
            column.change,
            is_typed=column.ready,
        )

    def _locate(self, planned: Sequence[_Planned], row: int, name: str) -> str:
        at = bisect_right(self._starts, row - 1) - 1
        position, numbers = self._places[at]
        handles = {column.name: column.handles[position] for column in planned}
        return self.parts[position].place(numbers[row - 1 - self._starts[at]], handles.get(name))


def in_plain_words(error: JobError, kinds: Mapping[str, Kind]) -> JobError:
    """`Budget 2026.xlsx, sheet 'Costs', D17: 'n/a' is not a decimal`, where that is what it is.

    kinds: what the columns hold.
    """
    column, where, value = (error.data.get(key) for key in ("column", "where", "value"))
    kind = kinds.get(column or "")
    if not (where and value and kind in _CALLED and "input syntax" in str(error)):
        return error
    text, _, why = value.strip('"').partition(" (")
    if why.startswith("would be "):
        message = f"{where}: {text!r} {why.rstrip(')')} in the column {column}"
        return JobError(message, error.data)
    reason = f" ({why}" if why else ""
    message = f"{where}: {text!r} is not {_CALLED[kind]}{reason}, for the column {column}"
    return JobError(message, error.data)


def _given_type(column: _Planned, own: str | None, target: str | None) -> tuple[Kind | None, str]:
    """The kind and type that are known without a look at the values."""
    declared = column.options.type if column.options else None
    if declared is not None:
        fits = target is not None and _same_kind(kind_of(target), declared)
        return (kind_of(target), target) if fits and target else (declared, type_of(declared))
    if target is not None:
        return kind_of(target), target
    return (kind_of(own), own) if own is not None else (None, "")


def _same_kind(kind: Kind, declared: str) -> bool:
    return kind == declared or (kind == "zoned" and declared == "timestamp")


def _see_all(surveys: Sequence[KindSurvey], batches: Iterable[PartBatch]) -> None:
    """Each column's survey sees its values, in a thread beside the one that reads them."""

    def see(batch: PartBatch) -> None:
        for survey, values in zip(surveys, batch.columns, strict=True):
            if values is not None:
                survey.see(values)

    with ThreadPoolExecutor(1, "dapu-survey") as thread:
        before = None
        for batch in batches:
            if before is not None:  # no more than one waits
                before.result()
            before = thread.submit(see, batch)
        if before is not None:
            before.result()


def _nulls(batch: PartBatch) -> pa.Array:
    return pa.nulls(len(batch.numbers), pa.string())


def _constant_type(value: Any) -> str:
    if isinstance(value, str):
        return "date" if _DATE.fullmatch(value) else "text"
    if isinstance(value, bool):
        return "boolean"
    return {int: "bigint", float: "numeric"}.get(type(value), "date")


def _constant_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_constant(column: Column, text: str) -> None:
    exact = exactness(column.type)
    why = exact.reason(text) if exact else None
    if why:
        raise JobError(f"`constant` {column.name}: {text!r} {why} in its column, a {column.type}")


def _check_once(columns: Sequence[Column]) -> None:
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise JobError(f"there would be two columns {name}; give one another name in `columns`")
