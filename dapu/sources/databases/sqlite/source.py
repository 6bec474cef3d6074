"""SQLite as a source: SQLite itself writes the lines that COPY reads.

A SQLite column holds values of any type, whatever it was declared as. So each value is written by
its own type, inside the query: no row becomes Python objects, and no value is guessed. The SQLite
is the one inside APSW, which writes lines two to three times as fast as those that come with
Python and Debian (built without the optimizations that it can have), and is the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import apsw

from dapu.errors import JobError
from dapu.rows.csv_line_index import LineIndex
from dapu.rows.exactness import exactness, remarked
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.sources.databases.batch_size import BatchSize
from dapu.sources.databases.fragments import fragment
from dapu.sources.databases.source import NO_SLACK
from dapu.sources.databases.sqlite.line_sql import count_lines, lines
from dapu.sources.databases.sqlite.types import declared_type, survey_types
from dapu.statement import Statement

_LINES = 512  # rows that go to the pipe at once, at most
_BUSY = 60_000  # milliseconds to wait for a program that writes


class Digest:
    """An aggregate: the sum of the rows' hashes (BLAKE2b, 64 bits), whatever their order."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, *hashes: Any) -> None:
        """Takes the hash of a row."""
        self._sum += int.from_bytes(hashes[0], "big")

    def final(self) -> str:
        """The sum, as text since SQLite's integers end at 64 bits."""
        return str(self._sum)

    finalize = final  # as Python's own driver calls it


class SqliteSource:
    """A SQLite file, opened for reading only, in one state for all queries."""

    description = "SQLite, lines written by SQLite"
    time_slack = NO_SLACK
    own_schema = ""
    typed_by_values = True

    def __init__(self, name: str, path: str) -> None:
        self._name = name
        if not Path(path).is_file():
            raise JobError(f"the connection `{name}`: there is no file {path}")
        try:
            # A cached statement keeps memory that makes the rows of the next one a third slower.
            self._session = apsw.Connection(
                path, flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=0
            )
            self._session.set_busy_timeout(_BUSY)
            self._session.create_scalar_function("dapu_real", _real, 1, deterministic=True)
            self._session.create_scalar_function("dapu_exact", _exact, 2, deterministic=True)
            self._session.create_scalar_function("dapu_hash", row_hash, deterministic=True)
            self._session.create_scalar_function(
                "dapu_common_hash", common_hash, deterministic=True
            )
            self._session.create_aggregate_function("dapu_digest", Digest, 1)
            self._session.execute("begin")
            self._session.execute("select count(*) from sqlite_schema")
        except apsw.NotADBError:
            raise JobError(f"the connection `{name}`: {path} is not a SQLite database") from None
        except apsw.Error as error:
            raise JobError(
                f"the connection `{name}`: {path} cannot be read: {_reason(error)}"
            ) from None

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return '"' + identifier.replace('"', '""') + '"'

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        rows = self.rows(query)
        return rows[0][0] if rows else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        text, values = self._bound(query)
        try:
            return list(self._session.execute(text, values))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._failure(error) from error

    def read(self, query: Statement, column_types: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. The values of columns without a target are looked through first."""
        columns = self._columns(query)
        values = [f"c{number}" for number in range(len(columns))]
        start = Statement((fragment("sqlite.query", names=", ".join(values)) + "\n",))
        asked = start.then(query.without_end()).then(Statement(("\n",)))
        known = column_types or {}
        unknown = [at for at, column in enumerate(columns) if column.name not in known]
        surveyed = survey_types(
            [columns[at] for at in unknown],
            [values[at] for at in unknown],
            lambda facts: self._only(asked, facts),
        )
        columns = [Column(column.name, known.get(column.name, column.type)) for column in columns]
        for at, column in zip(unknown, surveyed, strict=True):
            columns[at] = column
        text, bound = self._bound(asked.then(Statement((lines(columns, values, known),))))
        return self._rows(columns, text, bound)

    def columns(self, query: Statement) -> Sequence[Column]:
        """See `Source.columns`. All values are looked through, since only they say the types."""
        return self.read(query, None).columns

    def stop(self) -> None:
        """See `Source.stop`."""
        with suppress(apsw.ConnectionClosedError):
            self._session.interrupt()

    def close(self) -> None:
        """See `Source.close`."""
        self._session.close(force=True)

    def _rows(self, columns: Sequence[Column], text: str, bound: Sequence[Any]) -> CopyRows:
        index = LineIndex()

        def write(file: BinaryIO) -> None:
            self._write(text, bound, file, index)

        def again() -> CopyRows:
            return self._rows(columns, text, bound)

        return CopyRows(
            columns, "csv", write, self.stop, RowOrigin(row_of_line=index.row, again=again)
        )

    def _columns(self, query: Statement) -> list[Column]:
        """The columns by their declared types; the query is prepared and not run."""
        described: list[tuple[Any, ...]] = []

        def look(cursor: apsw.Cursor, _text: str, _values: Any) -> bool:
            described.extend(cursor.get_description())
            return False

        text, values = self._bound(query)
        cursor = self._session.cursor()
        cursor.exec_trace = look
        try:
            cursor.execute(text, values)
        except apsw.ExecTraceAbort:
            pass
        except apsw.Error as error:
            raise self._failure(error) from error
        if not described:
            raise JobError(f"the query of `{self._name}` gives no column")
        return [Column(name, declared_type(declared)) for name, declared in described]

    def _only(self, asked: Statement, rest: str) -> tuple[Any, ...]:
        return self.rows(asked.then(Statement((rest,))))[0]

    def _write(self, text: str, values: Sequence[Any], file: BinaryIO, index: LineIndex) -> None:
        cursor = self._session.cursor()
        try:
            cursor.execute(text, values)
            batch = BatchSize(_LINES)
            while rows := [row[0] for row in islice(cursor, batch.rows)]:
                written = b"\n".join([*rows, b""])
                count_lines(index, rows, written)
                batch.took(len(rows), len(written))
                file.write(written)
        except apsw.Error as error:
            raise self._failure(error) from error
        finally:  # what is left open would be interrupted with each query that follows
            cursor.close(force=True)

    def _bound(self, query: Statement) -> tuple[str, tuple[Any, ...]]:
        text, values = query.for_driver("qmark", self.quote)
        return text, tuple(map(_bindable, values))

    def _failure(self, error: Exception) -> JobError:
        return JobError(f"the source `{self._name}` refuses the query: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, apsw.BusyError):
        return f"another program has locked it for more than {_BUSY / 1000:g} s"
    return str(error)


def row_hash(*values: Any) -> bytes:
    """BLAKE2b of a row or a part of one, 64 bits."""
    return hashlib.blake2b(repr(values).encode("utf-8", "surrogateescape"), digest_size=8).digest()


def common_hash(*values: Any) -> bytes:
    """The 60 bits that PostgreSQL makes of the same row (the statement `common_postgresql`).

    values: first a letter for each value: `p` plain, `b` bytes, `t` text; then the values, with
    texts as bytes and blobs as their hexadecimal digits.
    """
    kinds, *row = values
    text = b"|".join(_WRITE[kind](value) for kind, value in zip(kinds, row, strict=True))
    digits = hashlib.md5(text, usedforsecurity=False).hexdigest()
    return int(digits[:15], 16).to_bytes(8, "big")


def _plain(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, float):
        return repr(value).removesuffix(".0").encode()
    text = value if isinstance(value, bytes) else str(value).encode()
    return _LIKE_NONE if b"|" in text else text


def _bytes(value: Any) -> bytes:
    return b"null" if value is None else str(value).lower().encode()


def _text(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):  # a blob
        return _LIKE_NONE
    text = value if isinstance(value, bytes) else repr(value).encode()
    return b"%d:%b" % (len(text), text)


_LIKE_NONE = b"?"  # PostgreSQL writes no value so: the rows are read, and compared
_WRITE = {"p": _plain, "b": _bytes, "t": _text}


def _real(*values: Any) -> str:
    """The shortest text that reads back as the same number."""
    return repr(values[0])


def _exact(*values: Any) -> str:
    """A value's text, with the reason behind it when a type would change it in silence."""
    value, type_name = values
    text = value if isinstance(value, str) else repr(value)
    exact = exactness(type_name)
    why = exact.reason(text) if exact else None
    return text if why is None else remarked(text, why)


def _bindable(value: Any) -> Any:
    """A value as SQLite knows them; dates and decimals are texts there."""
    return value if isinstance(value, int | float | str | bytes | None) else str(value)
