"""Which columns are read from files, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def _some(columns: dict[str, str | ColumnOptions]) -> dict[str, str | ColumnOptions]:
    if not columns:
        raise ValueError("names no column; leave it out to read all")
    names = [column if isinstance(column, str) else column.name for column in columns.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two columns would be called {twice[0]}")
    return columns


def _as_texts(columns: Any) -> Any:
    """A header may be a year, which YAML takes for a number."""
    if not isinstance(columns, dict):
        return columns
    return {str(key) if type(key) is int else key: column for key, column in columns.items()}


Columns = Annotated[
    dict[str, str | ColumnOptions], BeforeValidator(_as_texts), AfterValidator(_some)
]


@dataclass(frozen=True)
class ChosenColumns:
    """Which columns are taken out of files, and what is added to them.

    wanted: by their key in the file; None for all.
    constant: columns with one value in all rows.
    hash: columns of which only a keyed hash is kept.
    values_are_checked: the loader looks at each value, as a policy for bad ones needs it.
    """

    wanted: Mapping[str, ColumnOptions] | None
    constant: Mapping[str, bool | int | float | date | str]
    hash: Sequence[str]
    values_are_checked: bool
