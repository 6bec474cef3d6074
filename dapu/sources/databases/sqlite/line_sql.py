"""The SQL by which SQLite writes a row as a line of CSV, and the lines that rows take."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dapu.rows.csv_line_index import LineIndex
from dapu.rows.exactness import FINEST, Exactness, Length, exactness
from dapu.rows.rows import Column
from dapu.rows.types import is_integer
from dapu.sources.databases.expected_type import base, size
from dapu.sources.databases.fragments import fragment

_AT_ONCE = 50  # fields that one call joins
_REALS = {"numeric", "real", "double precision"}
_GREATEST = {"real": 2**24, "double precision": 2**53}
"""Up to where each whole number is one of a type."""

_PLAIN = {
    "date": "sqlite.plain_date",
    "timestamp without time zone": "sqlite.plain_moment",
    "timestamp with time zone": "sqlite.plain_zoned",
    "time without time zone": "sqlite.plain_time",
    "character varying": "sqlite.plain_text",
}
"""Which texts of a type are quickly known to arrive as they are."""


@dataclass(frozen=True)
class _Field:
    """A column. kind: its type without brackets. value: its name in SQL.

    exact: what its type would change in silence, when the values are not known to fit.
    """

    type: str
    kind: str
    value: str
    exact: Exactness | None

    @property
    def shown(self) -> str:
        """A text; one that would be changed has the reason behind it."""
        if self.exact is None:
            return self.value
        return fragment("sqlite.shown", value=self.value, plain=self.plain, type=self.type)

    @property
    def plain(self) -> str:
        """Whether a text is quickly known to arrive as it is."""
        form = _PLAIN.get(self.kind, "sqlite.plain_never")
        longest = self.exact.longest if isinstance(self.exact, Length) else self._longest_time()
        return fragment(form, value=self.value, longest=str(longest))

    def _longest_time(self) -> int:
        digits = size(self.type)
        return len("2024-01-01 10:00:00.") + (digits[0] if digits else FINEST)

    @property
    def numbers(self) -> list[str]:
        """How numbers are written: real ones and whole ones."""
        if self.exact is None:
            return ["sqlite.real_number", "sqlite.integer"]
        digits = size(self.type)
        hundredths = self.kind == "double precision" or (digits and digits[1] >= 2)
        real = "sqlite.real_number" if hundredths else "sqlite.real_exact"
        return [real, "sqlite.integer" if self.kind == "numeric" else "sqlite.integer_exact"]

    def written(self, cases: Sequence[str]) -> str:
        """The value, whatever its kind."""
        is_safe = self.exact is None or self.kind == "double precision"
        real = "sqlite.real" if is_safe else "sqlite.exact"
        pieces = {
            "value": self.value,
            "type": self.type,
            "shown": self.shown,
            "real": fragment(real, value=self.value, type=self.type),
            "greatest": str(_GREATEST.get(self.kind, 0)),
        }
        written = " ".join(fragment(case, **pieces) for case in cases)
        return fragment("sqlite.field", value=self.value, cases=written)


def lines(columns: Sequence[Column], values: Sequence[str], unsure: Collection[str] = ()) -> str:
    """What stands after a query so that it gives lines, without their ends.

    columns: with the types that the values are to be read as. values: their names in SQL.
    unsure: columns whose types do not come from the values.
    """
    given = [
        _Field(c.type, base(c.type), value, exactness(c.type) if c.name in unsure else None)
        for c, value in zip(columns, values, strict=True)
    ]
    fields = [_field(one) for one in given]
    if len(fields) <= _AT_ONCE:
        joined = fragment("sqlite.joined", fields=", ".join(fields))
        return fragment("sqlite.lines", line=_usual_or(joined, given))
    while len(fields) > 1:
        groups = (fields[at : at + _AT_ONCE] for at in range(0, len(fields), _AT_ONCE))
        fields = [fragment("sqlite.joined", fields=", ".join(group)) for group in groups]
    return fragment("sqlite.lines", line=fields[0])


def _usual_or(joined: str, fields: Sequence[_Field]) -> str:
    """The line; that of a row whose values are all of the expected kind is put together faster."""
    conditions: list[str] = []
    parts = ["''"]
    texts: list[str] = []
    for number, field in enumerate(fields):
        form, written = _expected(field)
        conditions.append(fragment(form, value=field.value))
        quote = ""
        if form == "sqlite.is_text":
            quote = '"'
            texts.append(field.value)
            if field.exact is not None:
                conditions.append(field.plain)
        comma = "," if number else ""
        parts[-1] = f"{parts[-1][:-1]}{comma}{quote}'"  # constants side by side are one
        parts += [written, f"'{quote}'"]
    if texts:
        conditions.append(fragment("sqlite.no_quote", values=", ".join(texts)))
    condition, line = " and ".join(conditions), ", ".join(parts)
    return fragment("sqlite.usual", condition=condition, line=line, other=joined)


def _expected(field: _Field) -> tuple[str, str]:
    """What is asked of a value (its statement), and how it is written then."""
    if field.kind == "bytea":
        return "sqlite.is_any", _field(field)
    if field.kind in _REALS:
        return "sqlite.is_number", field.written(field.numbers)
    if is_integer(field.kind) or field.kind == "boolean":
        return "sqlite.is_integer", field.value
    return "sqlite.is_text", field.value


def _field(field: _Field) -> str:
    if field.kind == "bytea":
        return fragment("sqlite.any_as_bytes", value=field.value)
    cases = ["sqlite.null", "sqlite.integer", "sqlite.text", "sqlite.real_text", "sqlite.blob"]
    if field.kind in _REALS:
        cases = [*field.numbers, "sqlite.null", "sqlite.text", "sqlite.blob"]
    elif is_integer(field.kind):
        cases = ["sqlite.integer", "sqlite.null", "sqlite.real_whole", "sqlite.text", "sqlite.blob"]
    elif field.kind != "boolean":
        cases = ["sqlite.text", "sqlite.null", "sqlite.integer", "sqlite.real_text", "sqlite.blob"]
    return field.written(cases)


def count_lines(index: LineIndex, rows: Sequence[bytes], written: bytes) -> None:
    """Takes rows into account; written: the same rows, each with a line end."""
    if index.rows and written.count(b"\n") == len(rows):
        index.add(len(rows))
        return
    for row in rows:
        index.add_row(row.count(b"\n" if index.rows else b"\r"))  # see `dapu.rows.csv_line_index`
