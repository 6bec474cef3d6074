"""What a test gives: rows of tables of the warehouse, and a source to read of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json
from pydantic import SecretStr

from dapu.agents.database import DatabaseOptions
from dapu.definitions.case_file import Given, GivenTable, Round, Row
from dapu.errors import ConfigurationError
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe, make_schema
from dapu.named_sql import compose, statement
from dapu.statement import TableName
from dapu.suggest import nearest
from dapu.trial.open_trial import Trial
from dapu.warehouse.connection_kinds import PgConnection, UrlConnection
from dapu.warehouse.connections import Connections

_NAME = "given"  # of the connection, and of the table whose rows the query returns
_QUERY = "given.sql"
_TYPES = {bool: "boolean", int: "integer", float: "numeric", str: "text"}
_WIDER = ("integer", "bigint", "numeric")  # each holds those before it
_MOST_OF_INTEGER = 2**31 - 1


def put_rows(cursor: Cursor, trial: Trial, given: Given) -> None:
    """Adds the rows of tables of the warehouse.

    A table that is not there is made, with columns of the values' types; the task's own must be
    there. Raises ConfigurationError for a column that a table has not.
    """
    tables = {table_named(name): rows for name, rows in given.tables.items()}
    for table, rows in [*tables.items(), (trial.table, given.table)]:
        relation = describe(cursor, table)
        if relation is None and rows:
            if table == trial.table:
                raise ConfigurationError(
                    f"`given.table`: the table {table} is not there before a first run: make it "
                    "with a step in ver/, or have a run before (`then`)"
                )
            _make(cursor, table, rows)
            relation = describe(cursor, table)
        known = [column.name for column in relation.columns] if relation else []
        for columns, group in _by_columns(table, rows, known):
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            text = compose("case.insert", table=table.identifier, columns=names)
            cursor.execute(text, {"rows": as_json(group)})


def table_named(name: str) -> TableName:
    """Raises ConfigurationError for a name without a schema."""
    schema, dot, table = name.partition(".")
    if not dot or "." in table:
        raise ConfigurationError(f"`{name}` is not the name of a table: write schema.table")
    return TableName(schema, table)


def _by_columns(
    table: TableName, rows: Sequence[Row], known: Sequence[str]
) -> Iterator[tuple[list[str], list[Row]]]:
    """Rows that name the same columns together; those that are not named keep their defaults."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        for name in row:
            check_column(table, name, known)
        groups.setdefault(tuple(sorted(row)), []).append(row)
    for columns, group in groups.items():
        yield list(columns), group


def check_column(table: TableName, name: str, known: Sequence[str]) -> None:
    """Raises ConfigurationError for a column that is not among the known ones."""
    if name not in known:
        raise ConfigurationError(f"{table} has no column `{name}`{nearest(name, known)}")


def _make(cursor: Cursor, table: TableName, rows: Sequence[Row]) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in _column_types(rows).items()
    )
    make_schema(cursor, table.schema)
    cursor.execute(compose("case.make_table", table=table.identifier, columns=columns))


def _column_types(rows: Sequence[Row]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            kinds = found.setdefault(name, set())
            if value is not None:
                kinds.add(_type_of(value))
    return {name: _widest(kinds) for name, kinds in found.items()}


def _widest(kinds: set[str]) -> str:
    if kinds and kinds <= set(_WIDER):
        return max(kinds, key=_WIDER.index)
    return kinds.pop() if len(kinds) == 1 else "text"


def _type_of(value: Any) -> str:
    if type(value) is int and abs(value) > _MOST_OF_INTEGER:
        return "bigint"
    return _TYPES.get(type(value), "jsonb")


def as_json(rows: Sequence[Row]) -> Json:
    """Rows as a value of jsonb."""
    return Json(rows, dumps=lambda value: json.dumps(value, ensure_ascii=False))


@dataclass(frozen=True)
class Stage:
    """A trial with the source that is given.

    actions: those that read it, by position. folder: of their query, where it is not the task's.
    """

    trial: Trial
    actions: Mapping[int, LoadOptions] = field(default_factory=dict)
    folder: Path | None = None


@contextmanager
def opened_source(
    trial: Trial, given: Given, rounds: Sequence[Round], server: PgConnection | None
) -> Iterator[Stage]:
    """Makes the source that is given.

    rounds: of the test: a table without rows has the columns that it has in others of them.
    server: an empty database for tables of a source that is a PostgreSQL.
    Raises ConfigurationError where the task cannot read what is given.
    """
    if given.source is None:
        yield Stage(trial)
        return
    readers = {
        position: options
        for position, options in enumerate(trial.task.actions, start=1)
        if isinstance(options, LoadOptions) and not options.sees_table
    }
    if not readers:
        raise ConfigurationError("`given.source`: no action of the task reads a source")
    with TemporaryDirectory(prefix="dapu-test-") as name:
        folder = Path(name)
        if isinstance(given.source, dict):
            actions = {position: _of_tables(one) for position, one in readers.items()}
            with _filled(trial, given.source, rounds, folder, server) as connection:
                yield Stage(_reading(trial, connection), actions)
            return
        if len(readers) > 1:
            raise ConfigurationError(
                "`given.source`: several actions of the task read a source: give its tables by name"
            )
        (folder / _QUERY).write_text(statement("case.given"), encoding="utf-8")
        actions = {position: _of_rows(one) for position, one in readers.items()}
        with _filled(trial, {_NAME: given.source}, rounds, folder, None) as connection:
            yield Stage(_reading(trial, connection), actions, folder)


def _reading(trial: Trial, connection: PgConnection | UrlConnection) -> Trial:
    connections = Connections(trial.warehouse.connections | {_NAME: connection})
    return replace(trial, warehouse=replace(trial.warehouse, connections=connections))


def _of_rows(options: LoadOptions) -> LoadOptions:
    """An action that reads the rows that are given, and loads them as this one does."""
    kept = {name: getattr(options, name) for name in LoadOptions.model_fields if name != "do"}
    changes = options.changes if isinstance(options, DatabaseOptions) else None
    return DatabaseOptions.model_construct(
        do="database", query=_QUERY, connection=_NAME, reader="auto", changes=changes, **kept
    )


def _of_tables(options: LoadOptions) -> LoadOptions:
    if not isinstance(options, DatabaseOptions):
        raise ConfigurationError(
            f"`given.source`: `do: {options.do}` reads no tables: give the rows that it reads"
        )
    return options.model_copy(update={"connection": _NAME, "split": None})


@contextmanager
def _filled(
    trial: Trial,
    tables: Mapping[str, list[Row] | GivenTable],
    rounds: Sequence[Round],
    folder: Path,
    server: PgConnection | None,
) -> Iterator[PgConnection | UrlConnection]:
    """A database with these tables: PostgreSQL where the source is one, else SQLite."""
    given = {
        name: one if isinstance(one, GivenTable) else _with_columns(name, one, rounds)
        for name, one in tables.items()
    }
    if server is not None and isinstance(
        trial.warehouse.connections.get(trial.route.connection), PgConnection
    ):
        with _postgres_tables(given, server):
            yield server
        return
    path = folder / "given.db"
    with closing(sqlite3.connect(path)) as session, session:
        session.execute(statement("case.sqlite_fast"))
        for name, one in given.items():
            _fill_sqlite(session, name, one)
    yield UrlConnection(name=_NAME, url=SecretStr(f"sqlite:///{path}"))


def _with_columns(name: str, rows: list[Row], rounds: Sequence[Round]) -> GivenTable:
    """A table without rows has the columns that it has in other runs of the test."""
    if rows:
        return GivenTable(columns={}, rows=rows)
    sources = (one.given.source for one in rounds)
    tables = [one if isinstance(one, dict) else {_NAME: one or []} for one in sources if one]
    others = [table for one in tables if (table := one.get(name))]
    columns: dict[str, str] = {}
    for table in others:
        columns |= table.columns if isinstance(table, GivenTable) else _column_types(table)
    if not columns:
        raise ConfigurationError(
            "`given.source`: nothing says which columns a source without rows has: give rows in "
            "another run of the test (`then`), or the table with its `columns`"
        )
    return GivenTable(columns=columns, rows=[])


def _fill_sqlite(session: sqlite3.Connection, name: str, given: GivenTable) -> None:
    columns = dict.fromkeys((name for row in given.rows for name in row), "") | given.columns
    listed = ", ".join(f"{_quoted(column)} {kind}" for column, kind in columns.items())
    table = _quoted(name)
    session.execute(statement("case.sqlite_table").format(table=table, columns=listed or "_"))
    for row in given.rows:
        names, marks = ", ".join(map(_quoted, row)), ", ".join("?" * len(row))
        text = statement("case.sqlite_row").format(table=table, columns=names, marks=marks)
        session.execute(text, [_plain(value) for value in row.values()])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


@contextmanager
def _postgres_tables(given: Mapping[str, GivenTable], server: PgConnection) -> Iterator[None]:
    tables = {
        table_named(name if "." in name else f"public.{name}"): one for name, one in given.items()
    }
    with closing(psycopg2.connect(**server.libpq())) as session:
        with session, session.cursor() as cursor:
            for table, one in tables.items():
                types = _column_types(one.rows) | one.columns
                columns = sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
                    for name, kind in types.items()
                )
                make_schema(cursor, table.schema)
                cursor.execute(compose("case.make_table", table=table.identifier, columns=columns))
                names = sql.SQL(", ").join(map(sql.Identifier, types))
                text = compose("case.insert", table=table.identifier, columns=names)
                cursor.execute(text, {"rows": as_json(one.rows)})
        try:
            yield
        finally:
            with session, session.cursor() as cursor:
                for table in tables:
                    cursor.execute(compose("case.drop_table", table=table.identifier))
