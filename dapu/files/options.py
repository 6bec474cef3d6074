"""What the agents that read files have in common in their options."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dapu.files.kinds import ColumnType
from dapu.loading.options import LoadOptions
from dapu.yamlfile import Strict

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


class ReadingOptions(LoadOptions):
    """The part of an action that says how files become rows."""

    connection: str | None = Field(None, description="A `files` connection; default the route's")
    columns: Columns | None = Field(
        None, description="Which columns are read, and what they are called; default all"
    )
    constant: dict[str, bool | int | float | date | str] = Field(
        {}, description="Columns with one value in all rows"
    )
    hash: list[str] = Field(
        [],
        description="Columns of the table of which only a keyed hash is kept (HMAC-SHA256 with "
        "`hash_key` of warehouse.yaml)",
    )
    decimal: Literal[",", "."] | None = Field(
        None, description="The decimal mark of numbers that are texts"
    )
    dates: Literal["day first", "month first"] | None = Field(
        None, description="The order in dates such as 02/01/2024"
    )
    origin: bool | None = Field(
        None,
        description="Adds the columns _file and _row (and _sheet): where each row comes from; "
        "default for patterns and `load: append`",
    )
    changed: Literal["replace", "append"] | None = Field(
        None,
        description="With `load: append`, a file that was loaded and has changed: its rows are "
        "replaced (the default for patterns), or added (for a single name)",
    )
    query: str | None = Field(
        None, description="A SQL file over what was read, `from {{ rows }}`; its result is loaded"
    )

    def sql_files(self) -> list[str]:
        """The query."""
        return [self.query] if self.query else []

    @property
    def reads_only_news(self) -> bool:
        """See `LoadOptions`: files that did not change are not read."""
        return True

    def wanted_columns(self) -> dict[str, ColumnOptions] | None:
        """`columns`, each with its options."""
        if self.columns is None:
            return None
        return {
            key: ColumnOptions(name=column) if isinstance(column, str) else column
            for key, column in self.columns.items()
        }

    @model_validator(mode="after")
    def _goes_with_files(self) -> ReadingOptions:
        if self.watermark is not None:
            raise ValueError("files have no `watermark`: dapu remembers which of them it has read")
        if self.load == "append" and self.origin is False:
            raise ValueError(
                "`load: append` needs the columns of `origin`, by which the rows of a file that "
                "was changed are found and replaced"
            )
        return self
