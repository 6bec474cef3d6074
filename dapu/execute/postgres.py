"""The documents of Execute in PostgreSQL.

One table as the known client makes it, and beside it a narrow one that knows the latest version
of each document. All works in the caller's transaction.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, BinaryIO

from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.execute.chunking import parse
from dapu.execute.documents import Header, Incoming, Row, next_batch
from dapu.execute.helper_views import shortened
from dapu.loading.table.relation import analyze, describe, is_empty, is_table, make_schema
from dapu.named_sql import compose
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.statement import LONGEST_NAME, TableName

_COLUMNS = ("batch_date", "type", "id", "version", "chunk", "author", "date", "deleted", "data")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]")
_REMEMBERED = 10_000  # rows on the way whose documents can be named in a message


class PostgresDocuments:
    """The documents in one schema. name: the table that has them all."""

    def __init__(self, cursor: Cursor, name: TableName) -> None:
        self._cursor = cursor
        self.name = name
        self.current = self.beside("current")

    def beside(self, what: str) -> TableName:
        """The name of a table or view that stands beside the table, however long its name is."""
        return TableName(self.name.schema, shortened(f"{self.name.table}_{what}", LONGEST_NAME))

    @cached_property
    def _names(self) -> dict[str, Any]:
        return {"documents": self.name.identifier, "current": self.current.identifier}

    def prepare(self) -> None:
        """Makes the tables that are missing, and takes up what others have loaded or deleted."""
        found = self.exists()
        if not found:
            self._create()
        if not self._has_current():
            if found:
                self._run("execute_postgres.index_versions")
            self._run("execute_postgres.drop_current")
            self._run("execute_postgres.create_current")
            self._run("execute_postgres.complete_current")
            self._run("execute_postgres.comment_current")
        folded = self._value("execute_postgres.newest_folded")
        if self._value("execute_postgres.newest_batch") == folded:
            return
        if self._value("execute_postgres.has_lost"):
            self.take_up_all()
        else:
            self._fold(folded)

    def exists(self) -> bool:
        """Whether the table exists. Raises JobError when it is of another kind."""
        found = describe(self._cursor, self.name)
        if found is None:
            return False
        types = {column.name: column.type for column in found.columns}
        missing = [column for column in _COLUMNS if column not in types]
        if not is_table(found) or missing or types["data"] != "jsonb":
            what = f"has no column {missing[0]}" if missing else "has a column data of another type"
            raise JobError(
                f"{self.name} {what if is_table(found) else 'is not a table'}, so that Execute's "
                "documents do not fit; give them a table or a schema of their own"
            )
        return True

    def is_empty(self) -> bool:
        """Whether no document was ever read."""
        return not self.exists() or is_empty(self._cursor, self.name)

    def load(self, incoming: Incoming, stop: Callable[[], None], *, replace: bool) -> int:
        """Takes an answer in; other writers wait from here to the end of the transaction.

        stop: ends the answer, called when the rows cannot be taken.
        replace: a version that exists already is deleted; else its newest batch counts.
        Returns the number of rows. Raises JobError when the answer or a document is faulty.
        """
        self._run("execute_postgres.lock")
        before = self._value("execute_postgres.newest_batch")
        first = before is None
        rows = _CopyText(incoming, next_batch(before))
        columns = [Column(name, "") for name in _COLUMNS]
        copy = CopyRows(columns, "text", rows.write, stop, RowOrigin(rows.locate))
        count = copy.fill(self._cursor, self.name.identifier)
        if count and replace and not first:
            self._run("execute_postgres.delete_replaced", after=before)
        if count:
            self._fold(before)
        if count and first:
            analyze(self._cursor, self.name.identifier)
            analyze(self._cursor, self.current.identifier)
        return count

    def take_up_all(self) -> None:
        """Looks at all documents anew: others may have deleted some, or added old batches."""
        self._run("execute_postgres.lock")
        self._run("execute_postgres.forget_gone")
        self._fold(None)

    def prune(self) -> int:
        """Deletes the rows of superseded batches; returns how many."""
        self._run("execute_postgres.lock")
        self._run("execute_postgres.prune")
        return self._cursor.rowcount

    def _has_current(self) -> bool:
        """Whether the narrow table exists, and has the types of the documents' table."""
        documents = describe(self._cursor, self.name)
        current = describe(self._cursor, self.current)
        if documents is None or current is None:
            return False
        types = {column.name: column.type for column in documents.columns}
        return all(types.get(column.name) == column.type for column in current.columns)

    def _create(self) -> None:
        make_schema(self._cursor, self.name.schema)
        self._run("execute_postgres.create_documents")
        self._run("execute_postgres.index_batches")
        self._run("execute_postgres.comment_documents")
        has_lz4 = self._value("execute_postgres.has_lz4")
        compress = "execute_postgres.compress_fast" if has_lz4 else "execute_postgres.compress_late"
        self._run(compress)

    def _fold(self, after: Any) -> None:
        self._run("execute_postgres.fold", after=after)

    def _run(self, name: str, **values: Any) -> None:
        self._cursor.execute(compose(name, **self._names), values or None)

    def _value(self, name: str) -> Any:
        self._run(name)
        row = self._cursor.fetchone()
        return row[0] if row else None


class _CopyText:
    """The rows as lines of COPY's text format, written in a thread of their own."""

    def __init__(self, incoming: Incoming, first_batch: datetime) -> None:
        self._incoming, self._first_batch = incoming, first_batch
        self._recent: deque[tuple[int, Header]] = deque(maxlen=_REMEMBERED)

    def write(self, file: BinaryIO) -> None:
        """Writes all rows."""
        for number, row in enumerate(self._incoming.rows(self._first_batch), start=1):
            self._recent.append((number, row.header))
            file.write(_beginning(row))
            for piece in row.data:
                file.write(_escaped(piece, row.header))
            file.write(b"\n")

    def locate(self, row: int, column: str) -> str:
        """Which document stands in a row, for a message."""
        found = next((header for number, header in self._recent if number == row), None)
        return f"{found}" if found else f"row {row}, {column}"


def _beginning(row: Row) -> bytes:
    if _FINER.search(row.header.date):
        raise JobError(
            f"{row.header} has $DATE: {row.header.date}, and PostgreSQL keeps no parts of a "
            "microsecond. Nothing of the answer was kept"
        )
    texts = [row.header.type, row.header.id, row.header.date, row.header.author or ""]
    if _SPECIAL.search("".join(texts)):
        texts = [text.translate(_ESCAPES) for text in texts]
    kind, name, date, author = texts
    if row.header.author is None:
        author = "\\N"
    return (
        f"{_as_text(row.batch)}\t{kind}\t{name}\t{row.header.version}\t{row.chunk}\t"
        f"{author}\t{date}\t{row.header.deleted}\t"
    ).encode()


_FINER = re.compile("[.][0-9]{6}[0-9]*[1-9]")
_as_text = lru_cache(maxsize=1)(datetime.isoformat)  # of the batch: one for nearly all rows


def _escaped(piece: bytes, header: Header) -> bytes:
    if b"\\" in piece:
        if b"\\u0000" in piece and _NUL.search(piece):
            raise JobError(
                f"{header} has the character U+0000{_where_nul(piece)}, which PostgreSQL cannot "
                "hold in a text; take it out in Execute. Nothing of the answer was kept"
            )
        piece = piece.replace(b"\\", b"\\\\")
    if b"\r" in piece or b"\t" in piece:  # between values: space that means nothing
        piece = piece.replace(b"\r", b" ").replace(b"\t", b" ")
    return piece


def _where_nul(piece: bytes) -> str:
    try:
        path = _path_to_nul(parse(piece))
    except ValueError:  # a piece of a long document
        return ""
    return f" in {path}" if path else ""


def _path_to_nul(value: Any) -> str | None:
    if isinstance(value, str):
        return "" if "\0" in value else None
    if not isinstance(value, dict | list):
        return None
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value, start=1):
        below = _path_to_nul(inner)
        if below is not None:
            return f"{key}.{below}" if below else str(key)
    return None
