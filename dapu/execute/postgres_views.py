"""Helper views in PostgreSQL, kept as the schema is, with what depends on them.

PostgreSQL lets a view have more columns at its end and nothing else. So new fields come last, and
a view of which a field was removed, or has another type now, is made anew; where something
depends on it, it keeps the columns that it has, gets the new ones, and the caller gets a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.execute.helper_views import HelperView, Kind, plan_views
from dapu.execute.postgres import PostgresDocuments
from dapu.execute.schema import Schema
from dapu.execute.target import MARKS
from dapu.loading.table.relation import VIEW, Relation, describe
from dapu.loading.table.views import make_anew, put_view
from dapu.named_sql import compose, statement
from dapu.statement import LONGEST_NAME, TableName

_TYPES: dict[Kind, str] = {
    "text": "text",
    "integer": "numeric",  # of any size, as those in JSON
    "decimal": "numeric",
    "boolean": "boolean",
    "time": "timestamp with time zone",
    "local_time": "timestamp without time zone",
    "json": "jsonb",
}
_KINDS = {type_name: kind for kind, type_name in _TYPES.items()}
_OF_DOCUMENT = ("deleted", "author", "version", "date")
_KEY = re.compile(r"->>? '((?:[^']|'')*)'::text")  # as PostgreSQL shows it in a view


class _Column(NamedTuple):
    name: str
    type: str
    value: sql.Composable


class PostgresViews:
    """The helper views of documents, in the schema of their table."""

    def __init__(self, cursor: Cursor, documents: PostgresDocuments) -> None:
        self._cursor = cursor
        self._documents = documents
        self._tables = {
            "documents": documents.name.identifier,
            "current": documents.current.identifier,
        }
        all_versions, latest = documents.beside("latest_all_versions"), documents.beside("latest")
        self._latest = {
            "execute_postgres_views.latest_all_versions": all_versions.table,
            "execute_postgres_views.latest": latest.table,
        }

    def put(self, schema: Schema) -> dict[str, str]:
        """Makes and changes views as the schema says; returns those that are not so, and why.

        Raises JobError when something else has the name of a view.
        """
        for query_name, name in self._latest.items():
            self._check_ours(self._named(name), "batch_date")
            query = compose(query_name, **self._tables)
            put_view(self._cursor, self._named(name), query)
        problems = {view.name.lower(): self._put(view) for view in self._plan(schema)}
        return {name: problem for name, problem in problems.items() if problem}

    def missing(self, schema: Schema) -> bool:
        """Whether a view that the schema gives does not exist."""
        names = [*self._latest.values(), *(view.name.lower() for view in self._plan(schema))]
        return any(describe(self._cursor, self._named(name)) is None for name in names)

    def _plan(self, schema: Schema) -> list[HelperView]:
        documents = self._documents
        tables = [documents.name.table, documents.current.table, MARKS]
        return plan_views(schema, [*tables, *self._latest.values()], LONGEST_NAME)

    def _put(self, view: HelperView) -> str | None:
        name = self._named(view.name.lower())
        present = self._check_ours(name, "document_id")
        columns = list(self._columns(view))
        if present is None or (changed := _changed_columns(present, columns)) is None:
            put_view(self._cursor, name, self._query(view, _as_present(present, columns)))
            return None
        why_not = make_anew(self._cursor, name, present.oid, self._query(view, columns))
        if why_not is None:
            return None
        stays = self._extend(view, name, present, columns)
        return f"the view {name} {stays}, though {changed}: {why_not}"

    def _extend(
        self, view: HelperView, name: TableName, present: Relation, columns: Sequence[_Column]
    ) -> str:
        """Lets a view keep its columns, and have new ones; returns how it is then."""
        kept = list(self._kept(view, present, columns))
        if len(kept) < len(present.columns):
            return "stays as it is"
        old = {column.name for column in present.columns}
        kept += [column for column in columns if column.name not in old]
        self._cursor.execute(statement("execute_postgres_views.before_extending"))
        try:
            put_view(self._cursor, name, self._query(view, kept))
        except (psycopg2.ProgrammingError, JobError):  # another program's, of types unlike ours
            self._cursor.execute(statement("execute_postgres_views.undo_extending"))
            return "stays as it is"
        return "keeps its columns"

    def _kept(
        self, view: HelperView, present: Relation, columns: Sequence[_Column]
    ) -> Iterator[_Column]:
        """The columns that a view has, of the types that it has; not one that cannot be known."""
        self._cursor.execute(statement("table.view_definition"), {"oid": present.oid})
        row = self._cursor.fetchone()
        wanted = {column.name: column for column in columns}
        for old in present.columns:
            new = wanted.get(old.name)
            path = _path_in(row[0] if row else "", old.name)
            if new and new.type == old.type:
                yield new
            elif path:
                value = _part(self._item(len(view.lists)), path, _KINDS.get(old.type, "text"))
                yield _Column(old.name, old.type, _cast(value, old.type))
            elif new:
                yield _Column(old.name, old.type, _cast(new.value, old.type))

    def _check_ours(self, name: TableName, first_column: str) -> Relation | None:
        """The view of that name that may be replaced, or None when the name is free."""
        present = describe(self._cursor, name)
        if present is None:
            return None
        first = present.columns[0].name if present.columns else None
        if present.kind == VIEW and first == first_column and self._reads_documents(present):
            return present
        kind = "view that shows something else" if present.kind == VIEW else "table"
        raise JobError(
            f"{name} is to be a view of Execute's documents, and there is a {kind} of that name; "
            f"drop or rename it, or give {self._documents.name} a schema of its own"
        )

    def _reads_documents(self, view: Relation) -> bool:
        table = describe(self._cursor, self._documents.name)
        values = {"view": view.oid, "table": table.oid if table else 0}
        self._cursor.execute(statement("execute_postgres_views.reads"), values)
        row = self._cursor.fetchone()
        return bool(row and row[0])

    def _columns(self, view: HelperView) -> Iterator[_Column]:
        current = describe(self._cursor, self._documents.current)
        types = {column.name: column.type for column in current.columns} if current else {}
        yield _Column("document_id", types["id"], sql.SQL("c.id"))
        for position, name in enumerate(view.item_ids, start=1):
            item = sql.SQL("{}.item").format(_alias(position))
            yield _Column(name.lower(), "text", _part(item, ("LISTITEM_ID",), "text"))
        for name in _OF_DOCUMENT if view.whole else ():
            yield _Column(f"_{name}", types[name], sql.SQL("c.{}").format(sql.Identifier(name)))
        record = _part(self._item(len(view.lists)), view.record, None)
        for column in view.columns:
            value = _part(record, column.path, column.kind)
            yield _Column(column.name.lower(), _TYPES[column.kind], value)

    def _query(self, view: HelperView, columns: Sequence[_Column]) -> sql.Composed:
        shown = sql.SQL(",\n    ").join(
            sql.SQL("{} as {}").format(column.value, sql.Identifier(column.name))
            for column in columns
        )
        values: dict[str, Any] = self._tables | {"columns": shown, "type": sql.Literal(view.type)}
        if not view.lists:
            return compose("execute_postgres_views.of_documents", **values)
        lists = sql.SQL("\n").join(
            compose(
                "execute_postgres_views.items",
                list=_part(self._item(position), path, None),
                alias=_alias(position + 1),
            )
            for position, path in enumerate(view.lists)
        )
        return compose("execute_postgres_views.of_lists", lists=lists, **values)

    def _item(self, lists: int) -> sql.Composable:
        """What a path starts from: the document, or the item of the innermost list."""
        return sql.SQL("{}.item").format(_alias(lists)) if lists else sql.SQL("d.data")

    def _named(self, view: str) -> TableName:
        return TableName(self._documents.name.schema, view)


def _changed_columns(present: Relation, columns: Sequence[_Column]) -> str | None:
    """Why a view cannot just get more columns, or None when it can."""
    wanted = {column.name: column.type for column in columns}
    for old in present.columns:
        if old.name not in wanted:
            return f"it is to have no column {old.name} any more"
        if old.type != wanted[old.name]:
            return f"its column {old.name}, which is {old.type}, is to be {wanted[old.name]}"
    return None


def _path_in(definition: str, column: str) -> tuple[str, ...]:
    """The keys that lead to a column's value in a view's definition; none where it has others."""
    names = (column, '"{}"'.format(column.replace('"', '""')))
    ends = tuple(f" AS {name}{comma}" for name in names for comma in ("", ","))
    line = next((line for line in definition.splitlines() if line.endswith(ends)), "")
    keys = _KEY.findall(line)
    return tuple(key.replace("''", "'") for key in keys) if len(keys) == line.count("->") else ()


def _as_present(present: Relation | None, columns: Sequence[_Column]) -> list[_Column]:
    """The columns in the order in which the view has them; new ones last."""
    old = [column.name for column in present.columns] if present else []
    return sorted(columns, key=lambda c: old.index(c.name) if c.name in old else len(old))


def _alias(position: int) -> sql.Identifier:
    return sql.Identifier(f"l{position}")


def _part(start: sql.Composable, path: Sequence[str], kind: Kind | None) -> sql.Composable:
    """The value at the end of a path; as JSON when no kind is given."""
    if not path:
        return start
    value = start
    for key in path[:-1]:
        value = sql.SQL("{} -> {}").format(value, sql.Literal(key))
    arrow = sql.SQL("->" if kind in (None, "json") else "->>")
    value = sql.SQL("{} {} {}").format(value, arrow, sql.Literal(path[-1]))
    if kind in (None, "json", "text"):
        return value
    if kind == "time":
        value = compose("execute_postgres_views.zoned", text=value)
    return _cast(sql.SQL("nullif({}, '')").format(value), _TYPES[kind])


def _cast(value: sql.Composable, type_name: str) -> sql.Composed:
    return sql.SQL("({})::{}").format(value, sql.SQL(type_name))
