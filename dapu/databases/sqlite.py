"""SQLite as a source: SQLite itself writes the lines that COPY reads.

A SQLite column holds values of any type, whatever it was declared as. So each value is written by
its own type, inside the query: no row becomes Python objects, and no value is guessed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from dapu.databases.sqlite_types import declared_types, survey_types
from dapu.definitions.templates import Statement
from dapu.errors import JobError
from dapu.loading.rows import Column, CopyRows
from dapu.loading.watermark import without_end

_LINES = 5_000  # rows that go to the pipe at once

# One field of a line of CSV. A real number goes as its shortest exact text: SQLite's own text has
# 15 digits, which it is when it reads back as the same number, in the range where SQLite converts
# exactly; else Python writes it.
_FIELD = """case typeof({0})
 when 'null' then ''
 when 'text' then '"' || replace({0}, '"', '""') || '"'
 when 'real' then case
  when abs({0}) between 1e-5 and 1e15 and cast(cast({0} as text) as real) = {0}
  then cast({0} as text) else dapu_real({0}) end
 when 'blob' then '"\\x' || hex({0}) || '"'
 else {0} end"""


class Digest:
    """An aggregate: the sum of the rows' hashes (BLAKE2b, 64 bits), whatever their order."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, *values: Any) -> None:
        """Takes a row."""
        digest = hashlib.blake2b(repr(values).encode("utf-8", "surrogateescape"), digest_size=8)
        self._sum += int.from_bytes(digest.digest(), "big")

    def finalize(self) -> str:
        """The sum, as text since SQLite's integers end at 64 bits."""
        return str(self._sum)


class SqliteSource:
    """A SQLite file, opened for reading only."""

    description = "SQLite, lines written by SQLite"

    def __init__(self, name: str, path: str) -> None:
        self._name = name
        if path != ":memory:" and not Path(path).is_file():
            raise JobError(f"the connection `{name}`: there is no file {path}")
        self._session = sqlite3.connect(
            f"{Path(path).absolute().as_uri()}?mode=ro",
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=60,
        )
        self._session.create_function("dapu_real", 1, repr, deterministic=True)
        self._session.create_aggregate("dapu_digest", -1, Digest)  # type: ignore[arg-type]
        self._session.execute("begin")  # one state of the file for all queries

    def quote(self, identifier: str) -> str:
        """See `Source.quote`."""
        return '"' + identifier.replace('"', '""') + '"'

    def value(self, query: Statement) -> Any:
        """See `Source.value`."""
        row = self._execute(query).fetchone()
        return row[0] if row else None

    def rows(self, query: Statement) -> list[tuple[Any, ...]]:
        """See `Source.rows`."""
        return self._execute(query).fetchall()

    def read(self, query: Statement, into: Mapping[str, str] | None) -> CopyRows:
        """See `Source.read`. Without a target the values are looked through for their types."""
        bare = without_end(query)
        columns = self._columns(bare)
        known = into or {}
        if any(column.name not in known for column in columns):
            columns = survey_types(self, bare, columns)
        columns = [Column(column.name, known.get(column.name, column.type)) for column in columns]
        fields = " || ',' || ".join(_FIELD.format(self.quote(c.name)) for c in columns)
        lines = bare.around(
            Statement((f"select {fields} from (\n",)),  # noqa: S608 - quoted names only
            Statement(("\n)",)),
        )

        def write(file: BinaryIO) -> None:
            self._write_lines(lines, file)

        return CopyRows(columns, "csv", write, self.stop)

    def stop(self) -> None:
        """See `Source.stop`."""
        self._session.interrupt()

    def close(self) -> None:
        """See `Source.close`."""
        self._session.close()

    def _columns(self, query: Statement) -> list[Column]:
        """The columns by their declared types, which a view on the query tells."""
        text = "null".join(query.parts)  # a view takes no parameters, nor do types need them
        self._run(f"create temp view dapu_columns as {text}")
        rows = self._run("select name, type from pragma_table_info('dapu_columns')").fetchall()
        self._run("drop view dapu_columns")
        return declared_types(rows)

    def _write_lines(self, query: Statement, file: BinaryIO) -> None:
        text, values = query.for_driver("qmark", self.quote)
        cursor = self._session.cursor()
        self._session.text_factory = bytes  # text goes on as it is; PostgreSQL judges it
        try:
            cursor.execute(text, values)
            while rows := cursor.fetchmany(_LINES):
                file.write(b"\n".join([row[0] for row in rows]))
                file.write(b"\n")
        except sqlite3.Error as error:
            raise self._failure(error) from error
        finally:
            self._session.text_factory = str

    def _execute(self, query: Statement) -> sqlite3.Cursor:
        text, values = query.for_driver("qmark", self.quote)
        return self._run(text, values)

    def _run(self, text: str, values: Any = ()) -> sqlite3.Cursor:
        try:
            return self._session.execute(text, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> JobError:
        return JobError(f"the source `{self._name}` refuses the query: {error}")
