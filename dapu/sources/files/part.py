"""What a reader of a format gives: parts, each a table of raw values with row numbers.

A part is a file, a member of an archive, or a sheet of a workbook. Its values come a batch at a
time, column by column: as Arrow arrays where the format has them, else as lists of Python values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Values = Sequence[Any]
"""A pyarrow.Array, or a list of Python values."""
Handle = TypeVar("Handle")
"""How a part finds a column of its own: a position, a name, a path."""

Record = TypeVar("Record")

BATCH = 20_000  # rows
_LONG = 64 << 20  # bytes of records that are in memory together, unless one alone is longer


@dataclass(frozen=True)
class PartBatch:
    """Some rows of a part.

    numbers: what each row is called in the source, one a row.
    lines: all columns of these rows as lines of CSV, each row one, where COPY reads from them the
    very texts that the columns have.
    """

    numbers: Sequence[int]
    columns: Sequence[Values | None]
    lines: bytes | None = None


class FilePart(Protocol[Handle]):
    """One table in a file."""

    @property
    def file(self) -> str:
        """The name that stands in `_file`."""
        ...

    @property
    def sheet(self) -> str | None:
        """The name that stands in `_sheet`, if there are sheets."""
        ...

    @property
    def copy_delimiter(self) -> str | None:
        """What is between the values of `PartBatch.lines`; None when there are none."""
        ...

    def columns(self) -> dict[str, Handle]:
        """All columns, by a name that a column of a table may have."""
        ...

    def find(self, key: str) -> Handle:
        """The column that a key of `columns:` means.

        Raises JobError when there is none, or when there are several.
        """
        ...

    def kinds(self, handles: Sequence[Handle | None]) -> list[str | None]:
        """The PostgreSQL types of columns, where the format itself says them."""
        ...

    def batches(self, handles: Sequence[Handle | None]) -> Iterator[PartBatch]:
        """The values of these columns; of None there are none.

        Raises JobError that names file and line when the file is broken.
        """
        ...

    def place(self, row: int, handle: Handle | None) -> str:
        """Where a row's value stands, for a person."""
        ...


def batches_of(records: Iterator[Record], position: Callable[[], int]) -> Iterator[list[Record]]:
    """Some records at a time: BATCH of them, or fewer where they are long.

    position: how many bytes or characters were read so far.
    """
    batch, start = [], position()
    for record in records:
        batch.append(record)
        if len(batch) == BATCH or position() - start > _LONG:
            yield batch
            batch, start = [], position()
    if batch:
        yield batch
