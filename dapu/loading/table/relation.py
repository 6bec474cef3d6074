"""The task's table: what it is now, and making it from a source's columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.named_sql import compose, statement
from dapu.rows.column_names import SYSTEM_COLUMNS
from dapu.rows.rows import Column, column_definitions
from dapu.statement import LONGEST_NAME, TableName
from dapu.suggest import nearest

VIEW, TABLE, PARTITIONED = "v", "r", "p"


@dataclass(frozen=True)
class TargetColumn(Column):
    """A column of a table that exists; the type of one with a domain is the type below it."""

    required: bool
    computed: bool
    has_default: bool
    domain: str | None


@dataclass(frozen=True)
class Relation:
    """A table or view of the warehouse as it is now.

    kind: pg_class.relkind. key: the columns of its primary key.
    """

    oid: int
    kind: str
    columns: tuple[TargetColumn, ...]
    key: tuple[str, ...]


def describe(cursor: Cursor, name: TableName) -> Relation | None:
    """The table or view of that name, or None."""
    cursor.execute(statement("table.describe"), {"schema": name.schema, "table": name.table})
    found = cursor.fetchone()
    if found is None:
        return None
    return Relation(found[0], found[1], columns_of(cursor, found[0]), tuple(found[2]))


def is_table(relation: Relation) -> bool:
    """Whether rows can be put there: an ordinary or a partitioned table."""
    return relation.kind in (TABLE, PARTITIONED)


def columns_of(cursor: Cursor, oid: int) -> tuple[TargetColumn, ...]:
    """The columns of a table or view."""
    cursor.execute(statement("table.columns"), {"oid": oid})
    return tuple(TargetColumn(*row) for row in cursor.fetchall())


def columns_of_query(cursor: Cursor, query: sql.Composable) -> list[TargetColumn]:
    """The query's columns with their exact types, which a view on it has."""
    view = sql.Identifier("pg_temp", "dapu_columns")
    cursor.execute(compose("table.create_view", view=view, query=query))
    columns = list(columns_of(cursor, oid_of(cursor, view)))
    cursor.execute(compose("table.drop_view", view=view))
    return columns


def oid_of(cursor: Cursor, table: sql.Identifier) -> int:
    """The oid of a table or view that exists."""
    cursor.execute(statement("table.oid"), {"name": table.as_string(cursor)})
    row = cursor.fetchone()
    return row[0] if row else 0


def create(cursor: Cursor, name: TableName, columns: Sequence[Column]) -> None:
    """Makes the table, and its schema if that is missing."""
    check_names(name, columns)
    make_schema(cursor, name.schema)
    definitions = column_definitions(columns)
    cursor.execute(compose("table.create", table=name.identifier, columns=definitions))


def make_schema(cursor: Cursor, name: str) -> None:
    """Makes a schema when it is missing. Only then does it take the right to make one.

    Another session may be making it: then this one waits until that has committed or given up.
    """
    cursor.execute(statement("server.schema_exists"), {"name": name})
    if cursor.fetchone() == (True,):
        return
    cursor.execute("savepoint dapu_schema")
    while True:  # the server takes a moment to see what another session has just made
        try:
            cursor.execute(compose("server.create_schema", schema=sql.Identifier(name)))
            break
        except (psycopg2.errors.UniqueViolation, psycopg2.errors.DuplicateSchema):
            cursor.execute("rollback to savepoint dapu_schema")
    cursor.execute("release savepoint dapu_schema")


def add_key(cursor: Cursor, table: sql.Composable, key: Sequence[str]) -> None:
    """Makes columns the primary key of a table.

    Raises JobError for a type whose values have no order.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, key))
    try:
        cursor.execute(compose("table.create_key", table=table, columns=columns))
    except psycopg2.errors.UndefinedObject as error:
        raise JobError(
            f"({', '.join(key)}) cannot be a key: {error.diag.message_primary}; let the query give "
            "it as text, or take another column"
        ) from error


def analyze(cursor: Cursor, table: sql.Composable) -> None:
    """Gathers statistics of a new table, so that the next query on it is planned well.

    Where autovacuum will soon do it again, a fifth of the rows it looks at are enough until then,
    and fewer for many columns: the full sample takes as long as a tenth of a load of a million rows
    of 16 columns, and longer than the whole load of 100,000 rows of 300.
    """
    cursor.execute(statement("table.smaller_sample"), {"table": table.as_string(cursor)})
    usual = cursor.fetchone()
    cursor.execute(compose("table.analyze", table=table))
    if usual is not None:
        cursor.execute(statement("table.usual_sample"), {"target": usual[0]})


def is_empty(cursor: Cursor, name: TableName) -> bool:
    """Whether a table has no row."""
    cursor.execute(compose("table.is_empty", table=name.identifier))
    row = cursor.fetchone()
    return bool(row and row[0])


def seems_empty(cursor: Cursor, oid: int) -> set[str]:
    """The columns in which the last look at the table found no value."""
    cursor.execute(statement("table.seems_empty"), {"oid": oid})
    return {row[0] for row in cursor.fetchall()}


def has_values(cursor: Cursor, name: TableName, column: str) -> bool:
    """Whether any row has a value in a column."""
    pieces = {"table": name.identifier, "column": sql.Identifier(column)}
    cursor.execute(compose("table.has_values", **pieces))
    return cursor.fetchone() == (True,)


def check_names(name: TableName, columns: Sequence[Column], reserved: Collection[str] = ()) -> None:
    """Raises JobError when PostgreSQL could not distinguish columns, or would cut their names.

    reserved: names of columns that no query may give.
    """
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise JobError(f"the query for {name} gives two columns `{column.name}`; rename one")
        if column.name in reserved:
            raise JobError(
                f"the query for {name} gives a column `{column.name}`, which this way of loading "
                "fills itself; give it another name in the query"
            )
        if column.name in SYSTEM_COLUMNS:
            raise JobError(
                f"the query for {name} gives a column `{column.name}`, which each table of "
                f"PostgreSQL has already; call it `{column.name}_`"
            )
        if len(column.name.encode()) > LONGEST_NAME:
            raise JobError(
                f"the column `{column.name}` for {name} has a name of more than {LONGEST_NAME} "
                "bytes, which PostgreSQL would cut; give it a shorter one"
            )
        seen.add(column.name)


def adding(table: sql.Composable, column: Column) -> sql.Composed:
    """The statement that gives a table a column."""
    pieces = {"column": sql.Identifier(column.name), "type": sql.SQL(column.type)}
    return compose("table.add_column", table=table, **pieces)


def shown(cursor: Cursor, statements: Iterable[sql.Composable]) -> str:
    """Statements as a person puts them."""
    return " ".join(one.as_string(cursor).strip().rstrip(";") + ";" for one in statements)


def check_fit(
    cursor: Cursor,
    name: TableName,
    target: Relation,
    columns: Sequence[Column],
    loader_columns: Sequence[Column] = (),
) -> None:
    """Raises JobError when the rows' columns cannot go into the table.

    loader_columns: columns that the load strategy fills itself, and that must be there too.
    """
    if not is_table(target):
        raise JobError(f"{name} is not a table; drop it, or give the task another name")
    known = {column.name: column for column in target.columns}
    for column in columns:
        if column.name not in known:
            raise JobError(_missing_column(cursor, name, column, list(known)))
        if known[column.name].computed:
            raise JobError(f"{name}.{column.name} is computed; leave it out of the query")
    missing = [column for column in loader_columns if column.name not in known]
    if missing:
        raise JobError(_missing_loader_columns(cursor, name, missing))
    _check_required(name, target, {column.name for column in (*columns, *loader_columns)})


def _check_required(name: TableName, target: Relation, given: set[str]) -> None:
    for column in target.columns:
        if column.required and column.name not in given and not column.computed:
            raise JobError(
                f"the query gives no column {column.name}, which must have a value in {name}"
            )


def _missing_column(cursor: Cursor, name: TableName, column: Column, known: list[str]) -> str:
    add = shown(cursor, [adding(sql.SQL(str(name)), column)])
    return (
        f"{name} has no column {column.name}, which the query gives{nearest(column.name, known)} "
        f"Leave it out of the query, or add it in the next step in ver/: {add}"
    )


def _missing_loader_columns(cursor: Cursor, name: TableName, columns: Sequence[Column]) -> str:
    names = ", ".join(column.name for column in columns)
    add = shown(cursor, [adding(sql.SQL(str(name)), column) for column in columns])
    what = "no column" if len(columns) == 1 else "no columns"
    return f"{name} has {what} {names}, which this way of loading fills; add what is missing: {add}"
