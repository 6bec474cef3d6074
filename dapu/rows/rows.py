"""Rows on their way into the warehouse.

A reader gives rows as one of three: bytes for `COPY`, Arrow record batches, or a query of the
warehouse itself. What a load strategy sees is the same for all: columns, and `fill`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.named_sql import compose, statement
from dapu.rows.csv_line_index import LineIndex
from dapu.rows.pipe import copy_through_pipe
from dapu.rows.refused_value import Locate, explain

if TYPE_CHECKING:
    import pyarrow as pa

    from dapu.rows.arrow_csv import CsvText

CopyFormat = Literal["text", "binary", "csv"]


@dataclass(frozen=True)
class Column:
    """A column's name, and the PostgreSQL type that holds each of its values."""

    name: str
    type: str


class Rows(Protocol):
    """Rows that can be put into a table once."""

    columns: Sequence[Column]

    def fill(self, cursor: Cursor, table: sql.Composable, *, freeze: bool = False) -> int:
        """Puts all rows into a table that has at least these columns; returns how many.

        freeze: the table was made in this transaction, so that its rows need no visibility check.
        Raises JobError when the source fails or a column cannot hold a value.
        """
        ...


def column_list(columns: Iterable[Column]) -> sql.Composed:
    """The quoted names with commas between."""
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)


def column_definitions(columns: Iterable[Column]) -> sql.Composed:
    """The quoted names with their types, for a `create table`."""
    # A column's type is text that PostgreSQL itself or dapu's own type tables gave.
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
        for column in columns
    )


@dataclass(frozen=True)
class RowOrigin:
    """What a source can say of a row once the warehouse has refused it."""

    locate: Locate | None = None
    """Where a row and a column stand: `Budget.xlsx, sheet 'Costs', D17`."""

    row_of_line: Callable[[int], int] = lambda line: line
    """Which row COPY means by a line, where a row may have several."""

    again: Callable[[], CopyRows] | None = None
    """Gives the same rows again, as text or CSV, for who must look into them."""

    is_ordered: Callable[[], bool] = lambda: True
    """Asks whether they come in the same order then."""


@dataclass
class CopyRows:
    """Rows as the bytes that `COPY … FROM` reads."""

    columns: Sequence[Column]
    """The rows' columns, in the order of their values."""

    format: CopyFormat
    """What the bytes are."""

    write: Callable[[BinaryIO], None]
    """Writes all the bytes to the file that it is given; runs in a thread of its own."""

    stop: Callable[[], None] = lambda: None
    """Makes a running `write` end soon; called when the warehouse cannot take more rows."""

    origin: RowOrigin = RowOrigin()
    """Where the rows come from, for the message about a value that does not fit."""

    delimiter: str = ","
    """What is between the values of CSV, a character of one byte."""

    def fill(self, cursor: Cursor, table: sql.Composable, *, freeze: bool = False) -> int:
        """See `Rows.fill`."""
        statement = compose(
            "copy.from_stdin",
            table=table,
            columns=column_list(self.columns),
            options=self._options(freeze),
        )
        text = statement.as_string(cursor)
        named = partial(explain, locate=self.origin.locate, row_of_line=self.origin.row_of_line)
        return copy_through_pipe(cursor, text, self.write, self.stop, named)

    def _options(self, freeze: bool) -> sql.Composed:
        options: list[sql.Composable] = [sql.SQL(f"format {self.format}")]
        if self.delimiter != ",":
            options.append(sql.SQL("delimiter {}").format(sql.Literal(self.delimiter)))
        if freeze:
            options.append(sql.SQL("freeze"))
        return sql.SQL(", ").join(options)


@dataclass
class ArrowRows:
    """Rows as Arrow record batches, whose columns stand in the order of `columns`.

    batches: some of them may be CSV with this delimiter already.
    locate: see `RowOrigin`. stop, delimiter: see `CopyRows`.
    """

    columns: Sequence[Column]
    batches: Iterable[pa.RecordBatch | CsvText]
    locate: Locate | None = None
    stop: Callable[[], None] = lambda: None
    delimiter: str = ","

    def as_copy(self) -> CopyRows:
        """The same rows as bytes."""
        # Arrow is a tenth of a second and 40 MB, which a job that moves bytes or queries is spared.
        from dapu.rows.arrow_csv import write_csv

        lines = LineIndex() if self.locate else None

        def write(file: BinaryIO) -> None:
            write_csv(self.batches, file, lines, self.delimiter)

        origin = RowOrigin(self.locate, lines.row) if lines else RowOrigin()
        return CopyRows(self.columns, "csv", write, self.stop, origin, self.delimiter)

    def fill(self, cursor: Cursor, table: sql.Composable, *, freeze: bool = False) -> int:
        """See `Rows.fill`."""
        return self.as_copy().fill(cursor, table, freeze=freeze)


@dataclass
class QueryRows:
    """The rows of a query of the warehouse itself; they never leave the server."""

    columns: Sequence[Column]
    query: sql.Composable

    def fill(self, cursor: Cursor, table: sql.Composable, *, freeze: bool = False) -> int:  # noqa: ARG002
        """See `Rows.fill`. There is no INSERT that freezes."""
        columns = column_list(self.columns)
        cursor.execute(
            compose("table.insert_query", table=table, columns=columns, query=self.query)
        )
        return cursor.rowcount


@dataclass
class NarrowedRows:
    """Rows of which some columns are left out: they pass through a temporary table."""

    columns: Sequence[Column]
    whole: Rows

    def fill(self, cursor: Cursor, table: sql.Composable, *, freeze: bool = False) -> int:  # noqa: ARG002
        """See `Rows.fill`."""
        whole = _filled(cursor, self.whole, "dapu_whole")
        columns = column_list(self.columns)
        cursor.execute(compose("table.insert_columns", table=table, columns=columns, source=whole))
        count = cursor.rowcount
        cursor.execute(compose("table.drop", table=whole))
        return count


def read_first(cursor: Cursor, rows: Rows) -> QueryRows:
    """The same rows, read now into a temporary table."""
    cursor.execute(statement("copy.drop_read"))
    read = _filled(cursor, rows, "dapu_read")
    columns = column_list(rows.columns)
    return QueryRows(rows.columns, compose("copy.read", columns=columns, read=read))


def _filled(cursor: Cursor, rows: Rows, name: str) -> sql.Identifier:
    """A temporary table with the rows."""
    table = sql.Identifier(name)
    definitions = column_definitions(rows.columns)
    cursor.execute(compose("copy.create_whole", whole=table, columns=definitions))
    rows.fill(cursor, table)
    return table


def without_columns(rows: Rows, names: Iterable[str]) -> Rows:
    """The rows without some columns."""
    left_out = set(names)
    if not left_out:
        return rows
    return NarrowedRows([c for c in rows.columns if c.name not in left_out], rows)
