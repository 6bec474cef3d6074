"""What a reader of a format gives: parts, each a table of raw values with row numbers.

A part is a file, a member of an archive, or a sheet of a workbook. Its values come a batch at a
time, column by column: as Arrow arrays where the format has them, else as lists of Python values.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from dapu.definitions.templates import LONGEST_NAME

Values = Sequence[Any]
"""A pyarrow.Array, or a list of Python values."""
Handle = TypeVar("Handle")
"""How a part finds a column of its own: a position, a name, a path."""

BATCH = 20_000  # rows

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


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


class Part(Protocol[Handle]):
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


def column_names(headers: Iterable[str]) -> list[str]:
    """Names for columns from the texts above them: lower case, ASCII, each once.

    A text without any letter or digit gives `column_N`, N from 1.
    """
    names: list[str] = []
    taken: set[str] = set()
    for position, header in enumerate(headers, start=1):
        base = column_name(header) or f"column_{position}"
        name, number = base, 1
        while name in taken:
            number += 1
            end = f"_{number}"
            name = base[: LONGEST_NAME - len(end)] + end
        taken.add(name)
        names.append(name)
    return names


def column_name(text: str) -> str:
    """`Käive (EUR)` is `kaive_eur`; empty when no letter or digit is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = _NOT_IN_NAMES.sub("_", plain).strip("_")[:LONGEST_NAME].strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def same_text(text: str) -> str:
    """A text as people compare it: without case, and with single spaces."""
    return " ".join(text.split()).casefold()
