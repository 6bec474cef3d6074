"""What a database says of a value that it cannot take, told with column, row and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg2

from dapu.errors import DapuError, JobError

_CONTEXT = re.compile(r"COPY ([^,]+), line (\d+)(?:, column ([^:]+))?(?:: (.*))?", re.DOTALL)


Locate = Callable[[int, str], str]
"""Where in its source a row (from 1) and a column stand."""


def explain(error: psycopg2.Error, locate: Locate | None = None) -> DapuError:
    """A JobError that names table, row, column and value where the server tells them."""
    reason = (error.diag.message_primary or str(error)).strip()
    detail = error.diag.message_detail
    place = _CONTEXT.search(error.diag.context or "")
    if place is None:
        return JobError(f"{reason}; {detail}" if detail else reason)
    table, row, column, value = place.groups()
    column = column or error.diag.column_name
    data: dict[str, Any] = {"table": table, "row": int(row), "column": column, "value": value}
    if column is None:
        return JobError(f"row {row} does not fit into {table}: {reason}; the row is {value}", data)
    where = data["where"] = locate(int(row), column) if locate else f"row {row}"
    if isinstance(error, psycopg2.errors.NotNullViolation):
        what = f"{where} has no value for the column {column} of {table}"
        return JobError(f"{what}, which is `not null`; the row is {value}", data)
    shown = "" if value is None else f" {value.strip()}"
    return JobError(f"the column {column} of {table} cannot hold{shown} ({where}): {reason}", data)
