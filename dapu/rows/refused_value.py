"""What a database says of a value that it cannot take: with column, row, key and value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg2

from dapu.errors import DapuError, JobError
from dapu.rows.display import names_a_row, readable
from dapu.rows.exactness import REMARK
from dapu.statement import TableName
from dapu.text import shortened

# A column's name may have colons of its own.
_CONTEXT = re.compile(
    r"COPY ([^,]+), line (\d+)(?:, column (.+?(?=: \"|: null input|$)))?(?:: (.*))?", re.DOTALL
)
# Classes of errors of the server's own limits. It says them when it writes several rows at once:
# the line that it names may be of none of them.
_OF_NO_ROW = {
    "53": "the warehouse's server is short of disk or memory; no row is at fault",
    "54": "leave columns out, or load each record as one document (`jsonb`), which may be longer",
    "58": "the warehouse's server cannot read or write its files; no row is at fault",
}
_UNREADABLE = re.compile("[\0\udc80-\udcff]")
_NULL = "null input"
_LONGEST = 300  # characters of what the server says, which has the value in it


RowTexts = Mapping[str, str | None]
"""The texts of a row's values by column; surrogates stand for bytes that are not UTF-8."""

Locate = Callable[[int, str], str]
"""Where in its source a row (from 1) and a column stand."""

Find = Callable[[int], RowTexts | None]
"""Gives a row (from 1) again; None when it does not come again."""


@dataclass(frozen=True)
class RefusedValue:
    """What the server says of a row that a table cannot take.

    row: its number from 1. where: the place in its source, for people. value: as it is shown.
    line: the beginning of the row, where the server says that. is_missing: for want of a value.
    """

    table: str
    row: int
    where: str
    column: str | None
    value: str | None
    reason: str
    line: str | None = None
    is_missing: bool = False

    def __str__(self) -> str:
        whole = f"; the row is {self.line}" if self.line is not None else ""
        if self.column is None:
            return f"{self.where} does not fit into {self.table}: {self.reason}{whole}"
        if self.is_missing:
            what = f"{self.where} has no value for the column {self.column} of {self.table}"
            return f"{what}, which is `not null`{whole}"
        shown = "" if self.value is None else f" {self.value}"
        return (
            f"the column {self.column} of {self.table} cannot hold{shown} ({self.where}): "
            f"{self.reason}"
        )

    def of_record(self, record: RowTexts, key: Sequence[str]) -> RefusedValue:
        """The same, with what the row has in its key; itself where it is another row."""
        column = self.column or next(
            (name for name, text in record.items() if _UNREADABLE.search(text or "")), None
        )
        text = record.get(column or "")
        if column is None or self.is_missing:
            value = self.value
        elif self.value is None:
            value = readable(text)
        elif _is_same(self.value, text):
            value = self.value
        else:
            return self
        where = self.where + names_a_row(record, key, but=column)
        return replace(self, column=column, value=value, where=where)


def _is_same(shown: str, text: str | None) -> bool:
    """Whether a value is the one that the server showed, which it cuts when it is long."""
    if text is None or shown == _NULL:
        return text is None and shown in (_NULL, '""')
    bare = shown.removeprefix('"').removesuffix('"')
    text = text.replace(REMARK, "")
    return text == bare or (bare.endswith("...") and text.startswith(bare[:-3]))


class BadValue(JobError):
    """A row that a table cannot take."""

    def __init__(self, refused: RefusedValue) -> None:
        kept = ("table", "row", "where", "column", "value")
        super().__init__(str(refused), {name: getattr(refused, name) for name in kept})
        self.refused = refused


def _advice(error: psycopg2.Error) -> str | None:
    """What to do, where a key cannot be one."""
    if isinstance(error, psycopg2.errors.UniqueViolation):
        return "give a `key` that identifies a row, or leave one of such rows out of the query"
    if isinstance(error, psycopg2.errors.NotNullViolation):
        return "each row needs a value there; leave such rows out of the query, or change the key"
    return None


@contextmanager
def naming_refused_values(
    name: TableName, find: Find | None = None, key: Sequence[str] = ()
) -> Iterator[None]:
    """Turns an error about a value into a BadValue of that table: rows pass through others.

    find, key: what gives a row again, and the columns by which a person finds it.
    """
    try:
        yield
    except BadValue as error:
        if error.refused.table == str(name):  # by an earlier try
            raise
        refused = replace(error.refused, table=str(name))
        record = find(refused.row) if find else None
        raise BadValue(refused.of_record(record, key) if record else refused) from error
    except (psycopg2.DataError, psycopg2.IntegrityError) as error:
        raise explain(error) from error


def explain(
    error: psycopg2.Error,
    locate: Locate | None = None,
    row_of_line: Callable[[int], int] = lambda line: line,
) -> DapuError:
    """A BadValue that names table, row, column and value where the server says them.

    locate, row_of_line: see `RowOrigin`.
    """
    said = shortened((error.diag.message_primary or str(error)).strip(), _LONGEST)
    reason = said.replace(REMARK, "")
    detail = (error.diag.message_detail or "").rstrip(".")
    place = _CONTEXT.search((error.diag.context or "").replace(REMARK, ""))
    if place is None or isinstance(error, psycopg2.errors.UniqueViolation):
        return JobError("; ".join(filter(None, (reason, detail, _advice(error)))))
    table, line, named, shown = place.groups()
    if (advice := _OF_NO_ROW.get((error.pgcode or "")[:2])) is not None:
        return JobError(f"{reason}; {advice}")
    column = named or error.diag.column_name
    row = row_of_line(int(line))
    if reason.endswith(": 0x00"):
        reason += " (`nul_characters: remove` leaves it out)"
    if detail.startswith("\\u0000 cannot"):
        reason += " (`nul_characters: remove` leaves \\u0000 out)"
    if named and (shown or "").strip().startswith('"0000-00-00'):
        reason += " (`zero_dates: null` puts null in its place)"
    return BadValue(
        RefusedValue(
            table,
            row,
            locate(row, column or "") if locate else f"row {row}",
            column,
            shown.strip() if named and shown else None,
            reason,
            None if named else shown,
            isinstance(error, psycopg2.errors.NotNullViolation),
        )
    )
