"""Where a job failed, as a terminal shows it: the place, and the SQL as it was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dapu.cli.console import say

if TYPE_CHECKING:
    from dapu.registry.failed_at import FailedAt


def show_failed_at(data: Mapping[str, Any] | None) -> None:
    """Prints what an event's details say of it, if they do."""
    from dapu.registry.failed_at import failed_at

    where = failed_at(data)
    for line in _lines(where) if where else ():
        say(line)


def _lines(where: FailedAt) -> Iterator[str]:
    """The SQL with its lines numbered, and a mark before the one that is meant."""
    if where.file and where.line:
        yield f"Failed at {where.file}:{where.line}."
    if where.sql:
        yield f"SQL as it was sent{f', of {where.file}' if where.file else ''}:"
        for number, line in enumerate(where.sql.rstrip().split("\n"), start=1):
            mark = ">" if number == where.sql_line else " "
            yield f"{mark} {number:>3}  {line}".rstrip()
