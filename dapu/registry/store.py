"""The registry's place in a database, and how its named statements are run there."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dapu.named_sql import statement

_VALUE = re.compile(r"%\((\w+)\)s")
_prepared: WeakKeyDictionary[PgSession, set[str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Registry:
    """The schema and the table prefix of a registry."""

    schema: str = "meta"
    prefix: str = ""
    _composed: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def table(self, name: str) -> sql.Identifier:
        """The quoted name of one of the registry's tables."""
        return sql.Identifier(self.schema, self.prefix + name)

    def fill(self, text: str, cursor: Cursor) -> str:
        """SQL text with every `{table}` replaced by the quoted name of that table."""
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        filled = sql.SQL(text).format(**{name: self.table(name) for name in names})
        return filled.as_string(cursor)

    def run(self, cursor: Cursor, name: str, /, **values: Any) -> int:
        """Runs the statement `file.name` with bound values; returns the number of rows."""
        cursor.execute(self._text(cursor, name), values)
        return cursor.rowcount

    def rows(self, cursor: Cursor, name: str, /, **values: Any) -> list[tuple[Any, ...]]:
        """The rows that the statement `file.name` returns."""
        cursor.execute(self._text(cursor, name), values)
        return cursor.fetchall()

    def row(self, cursor: Cursor, name: str, /, **values: Any) -> tuple[Any, ...] | None:
        """The first row that the statement `file.name` returns, or None."""
        cursor.execute(self._text(cursor, name), values)
        return cursor.fetchone()

    def prepared(
        self,
        cursor: Cursor,
        name: str,
        /,
        after: Sequence[str] = (),
        first: str = "",
        **values: Any,
    ) -> tuple[Any, ...] | None:
        """Like `row`, for what a session runs again and again: the server plans it once.

        The types of the values must follow from where they stand in the statement.
        after: statements that are sent with it and run before it, in the same transaction.
        first: SQL without values that is sent with them and runs before them.
        """
        ready = _prepared.setdefault(cursor.connection, set())
        before = first.replace("%", "%%")
        before += "".join(f"{self._text(cursor, other)}; " for other in after)
        if name not in ready:
            cursor.execute(before + self._preparation(cursor, name), values)
            ready.add(name)
        try:
            cursor.execute(before + _execution(name), values)
        except psycopg2.errors.InvalidSqlStatementName:  # a task's SQL said `deallocate all`
            ready.clear()
            raise
        return cursor.fetchone()

    def many(self, cursor: Cursor, name: str, values: list[tuple[Any, ...]]) -> None:
        """Runs a statement that has `values %s` for all the given rows."""
        if values:
            execute_values(cursor, self._text(cursor, name), values, page_size=1000)

    def lock_key(self, purpose: str) -> int:
        """The number of an advisory lock of this registry, a signed 64-bit integer."""
        return _lock_key(f"dapu {self.schema}.{self.prefix} {purpose}")

    @property
    def worker_lock_class(self) -> int:
        """The first half of the locks by which workers are known to live, a positive integer."""
        return self.lock_key("workers") & 0x7FFFFFFF

    def _text(self, cursor: Cursor, name: str) -> str:
        if name not in self._composed:
            self._composed[name] = self.fill(statement(name), cursor)
        return self._composed[name]

    def _preparation(self, cursor: Cursor, name: str) -> str:
        text, names = statement(name), _names(name)
        numbered = _VALUE.sub(lambda match: f"${names.index(match[1]) + 1}", text)
        return self.fill(f'prepare "{name}" as {numbered}', cursor)


@cache
def _lock_key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@cache
def _names(name: str) -> list[str]:
    return list(dict.fromkeys(_VALUE.findall(statement(name))))


@cache
def _execution(name: str) -> str:
    return f'execute "{name}" ({", ".join(f"%({value})s" for value in _names(name))})'
