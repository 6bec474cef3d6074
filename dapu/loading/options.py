"""How rows are brought into a table: what stands beside `do:` in every action that loads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dapu.definitions.models import ActionOptions, Columns
from dapu.durations import Duration
from dapu.yamlfile import Strict

LoadMode = Literal["replace", "append"]


class WatermarkOptions(Strict):
    """Which column tells how far the source was read."""

    column: str = Field(description="A column of the query's result: number, text, date or time")
    overlap: Duration | float | None = Field(
        None, description="How far before the last value to read again: a duration or a number"
    )
    initial: str | int | float | None = Field(
        None, description="Read from this value on at the first run"
    )


class LoadOptions(ActionOptions):
    """The part of an action that says what becomes of the rows."""

    load: LoadMode = Field("replace", description="What the table holds afterwards")
    key: Columns | None = Field(None, description="Columns that tell rows apart: the primary key")
    watermark: WatermarkOptions | None = Field(
        None, description="Read only what is new since the last run"
    )
