"""What a database says of a value that it cannot take, told with column, row and value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from dapu.definitions.templates import TableName
from dapu.errors import DapuError, JobError
from dapu.loading.exact import REMARK

_CONTEXT = re.compile(r"COPY ([^,]+), line (\d+)(?:, column ([^:]+))?(?:: (.*))?", re.DOTALL)


Locate = Callable[[int, str], str]
"""Where in its source a row (from 1) and a column stand."""


class BadValue(JobError):
    """A row that a table cannot take.

    tell: gives the message for the table's name.
    """

    def __init__(self, tell: Callable[[str], str], data: dict[str, Any]) -> None:
        super().__init__(tell(data["table"]), data)
        self._tell = tell

    def of_table(self, name: str) -> BadValue:
        """The same, told of the table that the rows are for: they may pass through another."""
        return BadValue(self._tell, self.data | {"table": name})


def _advice(error: psycopg2.Error) -> str | None:
    """What to do, where a key cannot be one."""
    if isinstance(error, psycopg2.errors.UniqueViolation):
        return "give a `key` that tells rows apart, or leave one of such rows out of the query"
    if isinstance(error, psycopg2.errors.NotNullViolation):
        return "each row needs a value there; leave such rows out of the query, or change the key"
    return None


@contextmanager
def telling_of(name: TableName) -> Iterator[None]:
    """What a table cannot take is told as a JobError of that table: rows pass through others."""
    try:
        yield
    except BadValue as error:
        raise error.of_table(str(name)) from error
    except (psycopg2.DataError, psycopg2.IntegrityError) as error:
        raise explain(error) from error


def explain(error: psycopg2.Error, locate: Locate | None = None) -> DapuError:
    """A BadValue that names table, row, column and value where the server tells them."""
    reason = (error.diag.message_primary or str(error)).strip().replace(REMARK, "")
    detail = (error.diag.message_detail or "").rstrip(".")
    place = _CONTEXT.search((error.diag.context or "").replace(REMARK, ""))
    if place is None or isinstance(error, psycopg2.errors.UniqueViolation):
        return JobError("; ".join(filter(None, (reason, detail, _advice(error)))))
    table, row, column, value = place.groups()
    column = column or error.diag.column_name
    data: dict[str, Any] = {"table": table, "row": int(row), "column": column, "value": value}
    whole = f"; the row is {value}" if value is not None else ""
    where = data["where"] = locate(int(row), column or "") if locate else f"row {row}"
    if column is None:
        hint = " (`nul_characters: remove` leaves it out)" if reason.endswith(": 0x00") else ""
        why = f"{reason}{hint}{whole}"
        return BadValue(lambda table: f"{where} does not fit into {table}: {why}", data)
    if isinstance(error, psycopg2.errors.NotNullViolation):
        what = f"{where} has no value for the column {column} of"
        return BadValue(lambda table: f"{what} {table}, which is `not null`{whole}", data)
    if (error.diag.message_detail or "").startswith("\\u0000 cannot"):
        reason += " (`nul_characters: remove` leaves \\u0000 out)"
    shown = "" if value is None else f" {value.strip()}"
    why = f"cannot hold{shown} ({where}): {reason}"
    return BadValue(lambda table: f"the column {column} of {table} {why}", data)
