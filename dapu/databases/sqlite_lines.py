"""The SQL by which SQLite writes a row as a line of CSV, and which rows have several lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from dapu.databases.fragments import fragment
from dapu.databases.told import base
from dapu.loading.rows import Column

_AT_ONCE = 50  # fields that one call joins
_WHOLE = {"smallint", "integer", "bigint"}
_REALS = {"numeric", "real", "double precision"}


def lines(columns: Sequence[Column], values: Sequence[str]) -> str:
    """What stands after a query so that it gives lines, without their ends.

    columns: with the types that the values are to be read as. values: their names in SQL.
    """
    kinds = [base(column.type) for column in columns]
    fields = [_field(kind, value) for kind, value in zip(kinds, values, strict=True)]
    if len(fields) <= _AT_ONCE:
        joined = fragment("sqlite.joined", fields=", ".join(fields))
        return fragment("sqlite.lines", line=_usual_or(joined, kinds, values))
    while len(fields) > 1:
        groups = (fields[at : at + _AT_ONCE] for at in range(0, len(fields), _AT_ONCE))
        fields = [fragment("sqlite.joined", fields=", ".join(group)) for group in groups]
    return fragment("sqlite.lines", line=fields[0])


def _usual_or(joined: str, kinds: Sequence[str], values: Sequence[str]) -> str:
    """The line; that of a row whose values are all of the expected kind is put together faster."""
    conditions: list[str] = []
    parts = ["''"]
    texts: list[str] = []
    for number, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        form, written = _expected(kind, value)
        conditions.append(fragment(f"sqlite.is_{form}", value=value))
        quote = ""
        if form == "text":
            quote = '"'
            texts.append(value)
        comma = "," if number else ""
        parts[-1] = f"{parts[-1][:-1]}{comma}{quote}'"  # constants side by side are one
        parts += [written, f"'{quote}'"]
    if texts:
        conditions.append(fragment("sqlite.no_quote", values=", ".join(texts)))
    condition, line = " and ".join(conditions), ", ".join(parts)
    return fragment("sqlite.usual", condition=condition, line=line, other=joined)


def _expected(kind: str, value: str) -> tuple[str, str]:
    """What is asked of a value (`sqlite.is_…`), and how it is written then."""
    if kind == "bytea":
        return "any", _field(kind, value)
    if kind in _REALS:
        return "number", _cases(value, ["real_number", "integer"])
    if kind in _WHOLE or kind == "boolean":
        return "integer", value
    return "text", value


def _field(kind: str, value: str) -> str:
    if kind == "bytea":
        return fragment("sqlite.any_as_bytes", value=value)
    cases = ["null", "integer", "text", "real_text", "blob"]
    if kind in _REALS:
        cases = ["real_number", "integer", "null", "text", "blob"]
    elif kind in _WHOLE:
        cases = ["integer", "null", "real_whole", "text", "blob"]
    elif kind != "boolean":
        cases = ["text", "null", "integer", "real_text", "blob"]
    return _cases(value, cases)


def _cases(value: str, cases: Sequence[str]) -> str:
    written = " ".join(fragment(f"sqlite.{case}", value=value) for case in cases)
    return fragment("sqlite.field", value=value, cases=written)


class LongRows:
    """Which row COPY means by a line, where texts have line ends of their own."""

    def __init__(self) -> None:
        self._rows = 0
        self._lines = 0
        self._ends: list[tuple[int, int]] = []  # the last line of a long row, and the row

    def add(self, rows: Sequence[bytes], written: bytes) -> None:
        """Takes rows into account; written: the same rows, each with a line end."""
        if self._rows and written.count(b"\n") == len(rows):
            self._rows += len(rows)
            self._lines += len(rows)
            return
        for row in rows:
            self._rows += 1
            # PostgreSQL learns from the first row's end that a line feed ends a line, and counts
            # carriage returns until then (CopyReadLineText in copyfromparse.c).
            count = 1 + row.count(b"\n" if self._rows > 1 else b"\r")
            self._lines += count
            if count > 1:
                self._ends.append((self._lines, self._rows))

    def row(self, line: int) -> int:
        """The row, from 1, that a line from 1 belongs to."""
        before = bisect_right(self._ends, line, key=lambda end: end[0])
        if not before:
            return line
        last_line, row = self._ends[before - 1]
        return row + line - last_line
