"""Columns of a table that get another type, since the source's is another one now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.options import SchemaChange
from dapu.loading.table.relation import Relation, TargetColumn, has_values, seems_empty, shown
from dapu.loading.table.views import drop_readers, readers
from dapu.named_sql import compose, statement
from dapu.rows.rows import Column
from dapu.rows.types import grown, holds, is_text
from dapu.statement import TableName


@dataclass(frozen=True)
class Change:
    """A column that gets another type."""

    name: str

    before: str
    """The type that it has."""

    type: str
    """The type that it gets."""

    is_empty: bool = False
    """None of the table's rows has a value there."""

    def on(self, table: sql.Composable) -> sql.Composed:
        """The statement that changes a table."""
        pieces = {"column": sql.Identifier(self.name), "type": sql.SQL(self.type)}
        return compose(self._statement, table=table, **pieces)

    @property
    def _statement(self) -> str:
        if self.is_empty:
            return "table.retype_empty"
        if self.before == "boolean" and self.type != "text":
            return "table.retype_boolean"
        if self.before in ("real", "double precision") and self.type.startswith("numeric"):
            return "table.retype_float"  # PostgreSQL's own cast keeps 6 or 15 digits only
        return "table.retype"

    def __str__(self) -> str:
        if self.is_empty:
            return f"the column {self.name}, which had no value, is {self.type} now"
        return f"the column {self.name} is widened from {self.before} to {self.type}"


@dataclass(frozen=True)
class Retyping:
    """A table whose columns are compared with those of rows."""

    cursor: Cursor
    name: TableName
    relation: Relation
    policy: SchemaChange

    fail_on_bad_value: bool
    """Whether a value that does not fit fails the load, so that a column may have to become text;
    else its row or value is left out."""

    refused_values: Mapping[str, JobError]
    """By column, what was said of a value that the table refused: the column's type is the one that
    holds all values now."""

    def changes(self, columns: Sequence[Column]) -> list[Change]:
        """The columns that must hold more, with the types that do.

        Raises JobError where a column's type and the source's have no common kind.
        """
        known = {column.name: column for column in self.relation.columns}
        pairs = [(known[column.name], column) for column in columns if column.name in known]
        return [change for pair in pairs if (change := self._change(*pair)) is not None]

    def _change(self, here: TargetColumn, column: Column) -> Change | None:
        refused = self.refused_values.get(here.name)
        if holds(here.type, column.type):
            if refused is not None:  # the type is right, and the value is not
                raise refused
            return self._late(here, column)
        # Another type would take away what a domain refuses.
        least = None if here.domain else grown(here.type, column.type)
        if least is not None:
            return Change(here.name, here.type, least)
        if not self.fail_on_bad_value:
            return None
        if self._is_empty(here):
            return Change(here.name, here.type, column.type, is_empty=True)
        if refused is not None or here.domain or not is_text(column.type):
            raise self._unlike(here, column, refused)
        return Change(here.name, here.type, "text")

    def _late(self, here: TargetColumn, column: Column) -> Change | None:
        """A column became text because nothing was known of it, and now its values come."""
        if here.type != "text" or is_text(column.type) or self.policy.retyped == "fail":
            return None
        if not self._is_empty(here):
            return None
        return Change(here.name, here.type, column.type, is_empty=True)

    def _is_empty(self, here: TargetColumn) -> bool:
        if here.domain is not None:
            return False
        seems = here.name in seems_empty(self.cursor, self.relation.oid)
        return seems and not has_values(self.cursor, self.name, here.name)

    def _unlike(self, here: Column, column: Column, refused: JobError | None) -> JobError:
        change = Change(here.name, here.type, column.type)
        what = (
            f"{self.name}.{here.name} is {here.type} and the query gives {column.type}, which "
            "would lose something there; cast the column in the query"
        )
        if refused is not None:
            what = f"{refused}; fix the value, set `on_bad_value`"
        alter = shown(self.cursor, [change.on(sql.SQL(str(self.name)))])
        return JobError(
            f"{what}, or let the column hold it, by hand or in the next step in ver/: {alter}",
            refused.data if refused else None,
        )

    def make(self, changes: Sequence[Change]) -> list[str]:
        """Makes the changes; views that read the columns are dropped for that, and made again."""
        if not changes:
            return []
        by_person = [change.on(sql.SQL(str(self.name))) for change in changes]
        if self.policy.retyped == "fail":
            refused = next(
                (self.refused_values[c.name] for c in changes if c.name in self.refused_values),
                None,
            )
            what = refused or "a column of the source has another type"
            text = advice(self.cursor, str(what), by_person)
            raise JobError(text, refused.data if refused else None)
        oid, names = self.relation.oid, [change.name for change in changes]
        self.cursor.execute(statement("table.all_float_digits"))
        self.cursor.execute("savepoint dapu_column")
        try:
            made = self._alter(changes, names)
        except (psycopg2.Error, JobError) as error:
            self.cursor.execute("rollback to savepoint dapu_column")
            views = [view for _, view, _ in readers(self.cursor, oid, names)]
            must = " and ".join(f"{self.name}.{one.name} must become {one.type}" for one in changes)
            drops = [compose("table.drop_view", view=sql.SQL(str(one))) for one in reversed(views)]
            by_hand = _by_hand(shown(self.cursor, by_person), shown(self.cursor, drops))
            raise JobError(f"{must}, and cannot: {_reason(error)}. {by_hand}") from error
        self.cursor.execute("release savepoint dapu_column")
        again = [f"views that read it made again: {', '.join(made)}"] if made else []
        return [*map(str, changes), *again]

    def _alter(self, changes: Sequence[Change], columns: Sequence[str]) -> list[str]:
        views = drop_readers(self.cursor, self.relation.oid, columns)
        for change in changes:
            self.cursor.execute(change.on(self.name.identifier))
        for view in views:
            view.make(self.cursor)
        return [str(view.name) for view in views]


def advice(cursor: Cursor, what: str, statements: Iterable[sql.Composable]) -> str:
    """What is to be done by hand."""
    return f"{what}; put this into the next step in ver/: {shown(cursor, statements)}"


def _reason(error: Exception) -> str:
    if not isinstance(error, psycopg2.Error):
        return str(error)
    said = (error.diag.message_primary or str(error), error.diag.message_detail)
    return "; ".join(filter(None, said)).rstrip(".")


def _by_hand(alters: str, drops: str) -> str:
    """The statements that do it. drops: those for the views that stand in the way."""
    if not drops:
        return f"Change what hinders it, then: {alters}"
    return f"By hand, in one transaction: {drops} {alters} and make the views again"
