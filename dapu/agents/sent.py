"""The SQL that an action sends: kept for whoever reads why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.registry.failed_at import FailedAt
from dapu.statement import Statement, without_end


class _Refused(NamedTuple):
    """What PostgreSQL says of a statement. position: of a character of it, from 0."""

    query: str
    position: int | None
    cursor: Cursor


@dataclass
class Sent:
    """What was sent last; the files that were rendered for it, the newest last.

    definition: for which part of task.yaml, as keys and positions.
    """

    definition: Sequence[str | int] = ()
    rendered: list[tuple[str, Statement]] = field(default_factory=list)
    file: str | None = None
    last: Statement | str | None = None

    def render(self, file: str, statement: Statement) -> None:
        """A file became a statement, which is sent unless another with it in it is."""
        self.rendered.append((file, statement))
        self.send(file, statement)

    def send(self, file: str | None, statement: Statement | str) -> None:
        """A statement is sent: of a file, where there is one."""
        self.file, self.last = file, statement

    def failed_at(self, error: BaseException) -> FailedAt:
        """The statement that failed, as far as that is known, and its line."""
        return self._failed_sql(error)._replace(definition=self.definition)

    def _failed_sql(self, error: BaseException) -> FailedAt:
        refused = _refused(error)
        if refused is not None:
            for file, statement in reversed(self.rendered):
                found = _within(file, statement, refused)
                if found is not None:
                    return found
        text = self.last.readable() if isinstance(self.last, Statement) else self.last
        line = None
        if refused is not None and refused.query == text:
            line = _line(text, refused.position)
        return FailedAt(file=self.file, sql=text, sql_line=line)

    def line_of(self, error: BaseException) -> int:
        """The line of the file that PostgreSQL names; 1 where it names none."""
        return self.failed_at(error).line or 1


def _within(file: str, statement: Statement, refused: _Refused) -> FailedAt | None:
    """Where a file's statement failed: it stands in what was sent, or what was sent in it."""
    own = without_end(statement.composed().as_string(refused.cursor)).strip("\n")
    query, position = refused.query, refused.position
    skipped = len(statement.parts[0]) - len(statement.parts[0].lstrip("\n"))
    if own and own in query:  # a query, inside of what dapu makes of it
        begin = query.index(own)
        is_inside = position is not None and begin <= position <= begin + len(own)
        line = skipped + _count(own, position - begin) if is_inside and position is not None else 0
        return FailedAt((), file, line or None, query, _line(query, position))
    if query and query in own:  # a statement of a script
        line = skipped + _count(own, own.index(query) + (position or 0))
        return FailedAt((), file, line, query, _line(query, position))
    return None


def _refused(error: BaseException) -> _Refused | None:
    """What PostgreSQL refused, if that is what an error comes from."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, psycopg2.Error):
        cause = cause.__cause__
    if cause is None or cause.cursor is None or not cause.cursor.query:
        return None
    query, place = cause.cursor.query, cause.diag.statement_position
    position = int(place) - 1 if place else None
    return _Refused(query.decode("utf-8", "replace"), position, cause.cursor)


def _line(text: str, position: int | None) -> int | None:
    return None if position is None else _count(text, position)


def _count(text: str, position: int) -> int:
    return 1 + text.count("\n", 0, position)
