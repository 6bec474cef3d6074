"""The SQL that an action sends: kept for whoever reads why it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg2

from dapu.registry.failed_at import FailedAt
from dapu.statement import Statement

_DEEPEST = 20  # causes of causes that are looked at


class _Refused(NamedTuple):
    """What PostgreSQL says of a statement. position: of a character of it, from 0."""

    query: str
    position: int | None


@dataclass
class Sent:
    """What was sent last; the files that were rendered for it, the newest last.

    definition: for which part of task.yaml, as keys and positions. first_line: of the file, where
    what was sent is a part of it.
    """

    definition: Sequence[str | int] = ()
    rendered: list[tuple[str, Statement]] = field(default_factory=list)
    file: str | None = None
    last: Statement | str | None = None
    first_line: int | None = None

    def render(self, file: str, statement: Statement) -> None:
        """A file became a statement, which is sent unless another with it in it is."""
        self.rendered.append((file, statement))
        self.send(file, statement)

    def send(
        self, file: str | None, statement: Statement | str, first_line: int | None = None
    ) -> None:
        """A statement is sent: of a file, where there is one."""
        self.file, self.last, self.first_line = file, statement, first_line

    def failed_at(self, error: BaseException) -> FailedAt:
        """The statement that failed, as far as that is known, and its line."""
        return self._failed_sql(_refused(error))._replace(definition=self.definition)

    def line_of(self, error: BaseException) -> int:
        """The line of the file that PostgreSQL names; 1 where it names none."""
        return self._failed_sql(_refused(error)).line or 1

    def _failed_sql(self, refused: _Refused | None) -> FailedAt:
        text = self.last.readable() if isinstance(self.last, Statement) else self.last
        if refused is None:
            return FailedAt((), self.file, self.first_line, text)
        query, position = refused
        if query == text and self.first_line is not None:
            at = self.first_line + query.count("\n", 0, position or 0)
            return FailedAt((), self.file, at, query, _line(query, position))
        for file, statement in reversed(self.rendered):
            place = _place(statement, query)
            if place is not None:
                line = None
                if position is not None and place[0] <= position < place[1]:
                    line = place[2] + query.count("\n", place[0], position)
                return FailedAt((), file, line, query, _line(query, position))
        sql_line = _line(query, position) if query == text else None
        return FailedAt((), self.file, self.first_line, text, sql_line)


def _place(statement: Statement, query: str) -> tuple[int, int, int] | None:
    """Where a query has a statement in it: from and to which character, and its first line."""
    first, *rest = statement.without_end().parts
    bare = first.lstrip()
    begin = query.find(bare)
    end = begin + len(bare)
    for part in rest if begin >= 0 else ():
        found = query.find(part, end)
        if found < 0:
            return None
        end = found + len(part)
    is_there = begin >= 0 and end > begin
    return (begin, end, 1 + first[: len(first) - len(bare)].count("\n")) if is_there else None


def _refused(error: BaseException) -> _Refused | None:
    """What PostgreSQL refused, if that is what an error comes from."""
    cause: BaseException | None = error
    for _ in range(_DEEPEST):  # an error may be its own cause
        if cause is None or isinstance(cause, psycopg2.Error):
            break
        cause = cause.__cause__
    if not isinstance(cause, psycopg2.Error) or cause.cursor is None or not cause.cursor.query:
        return None
    query, place = cause.cursor.query, cause.diag.statement_position
    return _Refused(query.decode("utf-8", "replace"), int(place) - 1 if place else None)


def _line(text: str, position: int | None) -> int | None:
    return None if position is None else 1 + text.count("\n", 0, position)
