"""`do: calendar`: one row a day, for reports that must show days on which nothing happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Literal

import pyarrow as pa
from pydantic import Field

from dapu import ArrowRows, Column, Context, JobError, LoadOptions, Rows, SourceAgent


class CalendarOptions(LoadOptions):
    """What may stand beside `do: calendar`, besides `load` and what belongs to it."""

    do: Literal["calendar"]
    first: date = Field(description="The first day")
    last: date = Field(description="The last day")


class CalendarAgent(SourceAgent[CalendarOptions]):
    """Gives one row a day."""

    name = "calendar"
    options = CalendarOptions

    @contextmanager
    def read(self, context: Context, options: CalendarOptions) -> Iterator[Rows | None]:
        """The days from first to last, both included."""
        if options.last < options.first:
            raise JobError(f"last ({options.last}) is before first ({options.first})")
        context.note(f"gives the days from {options.first} to {options.last}")
        yield ArrowRows([Column("day", "date"), Column("weekday", "text")], batches(options))


def batches(options: CalendarOptions) -> Iterator[pa.RecordBatch]:
    """A year at a time, so that memory stays flat whatever is asked for."""
    for start in range(0, (options.last - options.first).days + 1, 366):
        days = [options.first + timedelta(n) for n in range(start, start + 366)]
        days = [day for day in days if day <= options.last]
        yield pa.record_batch({"day": days, "weekday": [f"{day:%A}" for day in days]})
