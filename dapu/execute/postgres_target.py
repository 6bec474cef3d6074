"""PostgreSQL as a warehouse of `dapu execute`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import ExecuteAnswer
from dapu.execute.documents import Incoming
from dapu.execute.postgres import PostgresDocuments
from dapu.execute.postgres_views import PostgresViews
from dapu.execute.schema import Schema
from dapu.execute.target import DOCUMENTS, MARKS, MarkStep, moved_meanwhile
from dapu.named_sql import compose, statement
from dapu.secrets import redact
from dapu.statement import TableName
from dapu.warehouse.postgres_session import connect

# What libpq says before it asks any server, of an option that cannot be: a port of letters.
_WRONG_OPTION = re.compile(r"^invalid |for connection option|^could not match \d+ port numbers")


class PostgresTarget:
    """The schema of a PostgreSQL database that comes first in the connection's search_path."""

    def __init__(self, dsn: str) -> None:
        try:
            keywords = {"dsn": as_libpq(dsn), "application_name": "dapu execute"}
            self._session = connect(keywords, {})
        except psycopg2.Error as error:
            reason = " ".join(redact(str(error)).split())
            if isinstance(error, psycopg2.ProgrammingError) or _WRONG_OPTION.search(reason):
                raise ConfigurationError(f"PostgreSQL's DSN cannot be read: {reason}") from None
            raise JobError(f"PostgreSQL does not answer: {reason}") from None
        with self._transaction() as cursor:
            cursor.execute(statement("execute_postgres.current_schema"))
            row = cursor.fetchone()
        if not row or row[0] is None:
            raise JobError("PostgreSQL: no schema of the search_path exists; make it first")
        self._documents = TableName(row[0], DOCUMENTS.lower())
        self._marks = sql.Identifier(row[0], MARKS.lower())

    def prepare(self) -> None:
        """See `ExecuteTarget.prepare`."""
        with self._transaction() as cursor:
            PostgresDocuments(cursor, self._documents).prepare()
            self._run(cursor, "execute_postgres.create_marks")
            self._run(cursor, "execute_postgres.comment_marks")

    def mark(self, source: str) -> str | None:
        """See `ExecuteTarget.mark`."""
        with self._transaction() as cursor:
            self._run(cursor, "execute_postgres.mark", source=source)
            row = cursor.fetchone()
        return row[0] if row else None

    def has_marks(self) -> bool:
        """See `ExecuteTarget.has_marks`."""
        with self._transaction() as cursor:
            self._run(cursor, "execute_postgres.has_marks")
            row = cursor.fetchone()
        return bool(row and row[0])

    def is_empty(self) -> bool:
        """See `ExecuteTarget.is_empty`."""
        with self._transaction() as cursor:
            return PostgresDocuments(cursor, self._documents).is_empty()

    def load(self, answer: ExecuteAnswer, incoming: Incoming, step: MarkStep) -> None:
        """See `ExecuteTarget.load`."""
        with self._transaction() as cursor:
            documents = PostgresDocuments(cursor, self._documents)
            documents.load(incoming, answer.stop, replace=False)
            first = step.before is None
            move = "execute_postgres.first_mark" if first else "execute_postgres.move_mark"
            self._run(cursor, move, source=step.source, before=step.before, after=step.after)
            if cursor.rowcount != 1:
                raise moved_meanwhile(step)

    def create_views(self, schema: Schema) -> list[str]:
        """See `ExecuteTarget.create_views`. Views keep their grants and what depends on them."""
        with self._transaction() as cursor:
            documents = PostgresDocuments(cursor, self._documents)
            documents.take_up_all()
            return list(PostgresViews(cursor, documents).put(schema).values())

    def prune(self) -> int:
        """See `ExecuteTarget.prune`."""
        with self._transaction() as cursor:
            return PostgresDocuments(cursor, self._documents).prune()

    def stop(self) -> None:
        """See `ExecuteTarget.stop`."""
        with suppress(psycopg2.Error):  # it is closed
            self._session.cancel()

    def close(self) -> None:
        """See `ExecuteTarget.close`."""
        self._session.close()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        try:
            with self._session, self._session.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            reason = error.diag.message_primary or str(error)
            detail = f"; {error.diag.message_detail}" if error.diag.message_detail else ""
            raise JobError(f"PostgreSQL says: {redact(reason + detail).strip()}") from error

    def _run(self, cursor: Cursor, name: str, **values: str | None) -> None:
        query = compose(name, marks=self._marks)
        cursor.execute(query, values or None)


def as_libpq(dsn: str) -> str:
    """A DSN as libpq takes it: `search_path`, which other drivers know, is one of the options."""
    try:
        parts = urlsplit(dsn)
    except ValueError:  # libpq will say what is wrong
        return dsn
    if parts.scheme not in ("postgres", "postgresql"):
        return dsn
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = query.pop("search_path", None)
    if path is None:
        return dsn
    query["options"] = f"{query.get('options', '')} -csearch_path={path}".strip()
    return parts._replace(query=urlencode(query, quote_via=quote)).geturl()
