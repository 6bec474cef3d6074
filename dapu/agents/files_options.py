"""What the agents that read files have in common in their options."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from dapu.loading.options import LoadOptions
from dapu.sources.files.column_options import ChosenColumns, Columns, each_column


class ReadingOptions(LoadOptions):
    """The part of an action that says how files become rows."""

    can_hash: ClassVar[bool] = True

    connection: str | None = Field(None, description="A `files` connection; default the route's")
    columns: Columns | None = Field(
        None,
        description="Which columns are read, and what they are called; default all. A list makes "
        "several columns of one",
    )
    constant: dict[str, bool | int | float | date | str] = Field(
        {}, description="Columns with one value in all rows"
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

    @property
    def hashed_on_load(self) -> list[str]:
        """See `LoadOptions`."""
        return []

    @property
    def masked_on_load(self) -> dict[str, str]:
        """See `LoadOptions`."""
        return {}

    def sql_files(self) -> list[str]:
        """The query."""
        return [self.query] if self.query else []

    @property
    def reads_only_news(self) -> bool:
        """See `LoadOptions`: files that did not change are not read."""
        return True

    def chosen_columns(self) -> ChosenColumns:
        """`columns`, `constant`, `hash` and `mask`, as the reader takes them."""
        wanted = None if self.columns is None else list(each_column(self.columns))
        return ChosenColumns(
            wanted,
            self.constant,
            self.hash,
            self.checks_values,
            self.mask,
            may_compute=self.query is not None,
        )

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
