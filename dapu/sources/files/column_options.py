"""Which columns are read from files, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from dapu.sources.files.values.kinds import ColumnType
from dapu.warehouse.yamlfile import Strict

ORIGIN = ("_file", "_sheet", "_row")


class ColumnOptions(Strict):
    """One column: what it is called in the table, and how it is read."""

    name: str = Field(min_length=1, description="Its name in the table")
    type: ColumnType | None = Field(
        None, description="Default: the table's; for a new table the one that holds all values"
    )
    format: str | list[str] | None = Field(
        None,
        description="How its dates are written, as strftime has it: `%d.%m.%y`; several may be "
        "given",
    )

    @property
    def formats(self) -> tuple[str, ...]:
        """`format` as several."""
        if self.format is None:
            return ()
        return (self.format,) if isinstance(self.format, str) else tuple(self.format)


OneColumn = str | ColumnOptions
Chosen = dict[str, OneColumn | Annotated[list[OneColumn], Field(min_length=1)]]


def each_column(columns: Chosen) -> Iterator[tuple[str, ColumnOptions]]:
    """Each column of the table with its key in the file; a key may stand for several."""
    for key, given in columns.items():
        for column in given if isinstance(given, list) else [given]:
            yield key, ColumnOptions(name=column) if isinstance(column, str) else column


def _some(columns: Chosen) -> Chosen:
    if not columns:
        raise ValueError("names no column; leave it out to read all")
    names = [column.name for _, column in each_column(columns)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two columns would be called {twice[0]}")
    return columns


def _as_texts(columns: Any) -> Any:
    """A header may be a year, which YAML takes for a number."""
    if not isinstance(columns, dict):
        return columns
    return {str(key) if type(key) is int else key: column for key, column in columns.items()}


Columns = Annotated[Chosen, BeforeValidator(_as_texts), AfterValidator(_some)]


@dataclass(frozen=True)
class ChosenColumns:
    """Which columns are taken out of files, and what is added to them.

    wanted: each with its key in the file; None for all.
    constant: columns with one value in all rows.
    hash: columns of which only a keyed hash is kept.
    values_are_checked: the loader looks at each value, as a policy for bad ones needs it.
    mask: columns of which only a part is kept, and which.
    may_compute: what `hash` and `mask` name may also be computed of what is read.
    """

    wanted: Sequence[tuple[str, ColumnOptions]] | None
    constant: Mapping[str, bool | int | float | date | str]
    hash: Sequence[str]
    values_are_checked: bool
    mask: Mapping[str, str] = field(default_factory=dict)
    may_compute: bool = False
