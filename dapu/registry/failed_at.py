"""Where something failed: the place in the definition, and the SQL as it was sent.

It is one of the details of the event that says what went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_KEY = "failed_at"
_LONGEST = 16_000  # characters of SQL; an event's details are cut at a few more
_AROUND = 60  # lines before the faulty one, of SQL that is longer


class FailedAt(NamedTuple):
    """Where it failed.

    definition: keys and positions in task.yaml, as `actions`, `0`; empty where it is not known.
    file, line: in the task's folder, from 1. sql: as the database had it; sql_line: of it, from 1.
    """

    definition: Sequence[str | int] = ()
    file: str | None = None
    line: int | None = None
    sql: str | None = None
    sql_line: int | None = None

    def data(self) -> dict[str, Any]:
        """As an event keeps it among its details: what is known of it."""
        known = self._replace(definition=list(self.definition), **_cut(self.sql, self.sql_line))
        return {_KEY: {name: value for name, value in known._asdict().items() if value}}


def failed_at(data: Mapping[str, Any] | None) -> FailedAt | None:
    """What an event's details say; None where they do not."""
    known = (data or {}).get(_KEY)
    if not isinstance(known, Mapping):
        return None
    return FailedAt(**{name: known[name] for name in FailedAt._fields if name in known})


def other_details(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """The details of an event but for this."""
    return {name: value for name, value in (data or {}).items() if name != _KEY}


def _cut(sql: str | None, line: int | None) -> dict[str, Any]:
    """SQL that is not too long, with the faulty line in it."""
    if sql is None or len(sql) <= _LONGEST:
        return {"sql": sql, "sql_line": line}
    first = max((line or 1) - _AROUND, 1)
    lines = sql.splitlines(keepends=True)[first - 1 :]
    before = f"-- … {first - 1:,} lines\n" if first > 1 else ""
    text = before + "".join(lines)
    after = f"\n-- … of {len(sql):,} characters" if len(text) > _LONGEST else ""
    marked = line - first + 1 + bool(before) if line else None
    return {"sql": text[:_LONGEST] + after, "sql_line": marked}
