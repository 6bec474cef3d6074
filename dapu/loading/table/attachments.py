"""What belongs to a table beside its columns and rows, and giving it to one that is built aside."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.loading.table.search_path import SearchPath
from dapu.named_sql import compose, statement
from dapu.statement import TableName


@dataclass(frozen=True)
class Aside:
    """The new table, not yet in its place."""

    target: TableName
    oid: int  # of the table that is there now
    schema: str  # where the new table is
    options: tuple[str, ...]  # how it is stored

    @property
    def table(self) -> sql.Identifier:
        """The quoted name of the new table."""
        return sql.Identifier(self.schema, self.target.table)


@dataclass(frozen=True)
class Attachments:
    """What a table has, mostly as the statements that make it for the new table.

    options: how it is stored. constraints: their names and definitions. statistics: the extended
    ones, each with what puts it in the old one's place once that is dropped. details: see
    `swap.details`.
    """

    options: tuple[str, ...]
    constraints: tuple[tuple[str, str], ...]
    indexes: tuple[str, ...]
    statistics: tuple[tuple[str, tuple[str, ...]], ...]
    details: tuple[str, ...]

    def make(self, cursor: Cursor, aside: Aside) -> None:
        """Gives them to the new table, but for the options, which it got before its rows."""
        path = SearchPath(cursor)
        path.set(aside.schema, aside.target.schema)
        for name, definition in self.constraints:
            pieces = {"name": sql.Identifier(name), "definition": sql.SQL(definition)}
            cursor.execute(compose("attachments.add_constraint", table=aside.table, **pieces))
        for definition in self.indexes:
            cursor.execute(definition)
        path.restore()
        for create, _ in self.statistics:
            cursor.execute(create)
        for detail in self.details:
            cursor.execute(detail)

    def put_statistics(self, cursor: Cursor) -> None:
        """Gives the new table's statistics the place of the old ones, whose names are free now."""
        for _, commands in self.statistics:
            for command in commands:
                cursor.execute(command)

    def texts(self) -> set[str]:
        """A line for each thing, for comparing and for people."""
        return {
            *(f"the option {option}" for option in self.options),
            *(f"the constraint {name} {definition}" for name, definition in self.constraints),
            *self.indexes,
            *("; ".join((create, *commands)) for create, commands in self.statistics),
            *self.details,
        }


def options_of(cursor: Cursor, oid: int) -> tuple[str, ...]:
    """How a table is stored, and its long values."""
    cursor.execute(statement("attachments.options"), {"oid": oid})
    row = cursor.fetchone()
    return tuple(row[0]) if row is not None else ()


def attachments_of(cursor: Cursor, aside: Aside, *near: str) -> Attachments:
    """What the table has that the new one replaces.

    near: schemas whose tables are named without them, beside the target's own.
    """
    values: dict[str, object] = {"oid": aside.oid, "schema": aside.schema}
    path = SearchPath(cursor)
    # What PostgreSQL shows names the target without its schema, and then means the new table.
    path.set(aside.target.schema, *near)
    cursor.execute(statement("attachments.constraints"), values)
    constraints = cursor.fetchall()
    cursor.execute(statement("attachments.indexes"), values)
    indexes = [row[0] for row in cursor.fetchall()]
    path.restore()
    cursor.execute(statement("attachments.statistics"), values)
    statistics = [(create, tuple(commands)) for create, commands in cursor.fetchall()]
    cursor.execute(statement("attachments.details"), values)
    details = [row[0] for row in cursor.fetchall()]
    options = options_of(cursor, aside.oid)
    return Attachments(
        options, tuple(constraints), tuple(indexes), tuple(statistics), tuple(details)
    )
