"""Which row it was that did not fit: the source is read again, up to that row.

COPY names a row by its number, by which nobody finds it in a query's result. What identifies it
is looked for only after the load has failed, so that a load that goes well pays nothing.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice

from dapu.errors import JobError
from dapu.loading.table.relation import Relation
from dapu.rows.pipe import read_through_pipe
from dapu.rows.refused_value import Find, RowTexts
from dapu.rows.rows import Column, CopyRows, NarrowedRows, Rows

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def key_of(
    given: Sequence[str] | None,
    relation: Relation | None,
    columns: Sequence[Column],
    *,
    or_first: bool = True,
) -> list[str]:
    """The columns by which a person finds a row: the key, or else the first one.

    given: the task's key. relation: the table as it is, which may have a primary key.
    or_first: without a key; false where a row has a place of its own.
    """
    names = [column.name for column in columns]
    for key in (given or (), relation.key if relation else ()):
        if key and all(name in names for name in key):
            return list(key)
    return names[:1] if or_first else []


def row_finder(rows: Rows) -> Find | None:
    """What finds a row by its number; None where the rows cannot be read again."""
    while isinstance(rows, NarrowedRows):
        rows = rows.whole
    if not isinstance(rows, CopyRows) or rows.origin.again is None:
        return None
    again, is_ordered = rows.origin.again, rows.origin.is_ordered

    def find(number: int) -> RowTexts | None:
        with suppress(JobError, csv.Error):
            return _row(again(), number) if is_ordered() else None
        return None

    return find


def _row(rows: CopyRows, number: int) -> RowTexts | None:
    # What is not UTF-8 is looked at as well: it may be why the row does not fit.
    with (
        read_through_pipe(rows.write, rows.stop) as file,
        io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="\n") as lines,
    ):
        values = (
            _csv(lines, number, rows.delimiter) if rows.format == "csv" else _text(lines, number)
        )
    names = [column.name for column in rows.columns]
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else None


def _csv(lines: Iterable[str], number: int, delimiter: str) -> list[str | None]:
    csv.field_size_limit(sys.maxsize)
    found = next(islice(csv.reader(lines, delimiter=delimiter), number - 1, None), [])
    return [text or None for text in found]


def _text(lines: Iterable[str], number: int) -> list[str | None]:
    line = next(islice(lines, number - 1, None), "")
    return [_unescaped(text) for text in line.removesuffix("\n").split("\t")]


def _unescaped(text: str) -> str | None:
    if text == "\\N":
        return None
    return _ESCAPE.sub(lambda found: _CONTROLS.get(found[1], found[1]), text)
