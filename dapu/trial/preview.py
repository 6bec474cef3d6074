"""`dapu preview`: what a task's source gives: columns, their types, and the first rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.models import ActionOptions
from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe
from dapu.named_sql import compose
from dapu.rows.first_rows import first_rows
from dapu.rows.hashed_columns import with_hashes
from dapu.rows.python_values import read_exactly
from dapu.rows.rows import Rows, column_definitions, column_list
from dapu.trial.open_trial import Trial
from dapu.warehouse.postgres_session import given_path

_ROWS = sql.Identifier("pg_temp", "dapu_preview")


class PreviewColumn(NamedTuple):
    """A column of the source.

    type: what PostgreSQL has it as. in_table: its type in the task's table; None when it is new.
    """

    name: str
    type: str
    in_table: str | None


class Preview(NamedTuple):
    """What one action reads."""

    action: str
    columns: list[PreviewColumn]
    rows: list[tuple[Any, ...]]


def preview(trial: Trial, count: int) -> Iterator[Preview]:
    """What each action of a task reads from its source, from the beginning.

    count: so many rows. Raises JobError when the source fails, or the task reads none.
    """
    loading = [
        (position, options)
        for position, options in enumerate(trial.task.actions, start=1)
        if options.loads
    ]
    if not loading:
        names = ", ".join(f"`do: {options.do}`" for options in trial.task.actions)
        raise JobError(f"{trial.definition.folder.id} reads no rows that could be shown: {names}")
    with trial.session.cursor() as cursor:
        for position, options in loading:
            yield _preview(cursor, trial, position, options, count)


def _preview(
    cursor: Cursor, trial: Trial, position: int, options: ActionOptions, count: int
) -> Preview:
    context = trial.context(cursor, position, options, full=True)
    agent = trial.agent(options)
    try:
        with given_path(cursor), agent.preview(context, options) as rows:
            if rows is None:  # nothing is remembered, so that nothing can be unchanged
                return Preview(options.do, [], [])
            first = _hashed(trial, options, first_rows(rows, count))
            found = _read(cursor, first, count)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        raise JobError(f"{options.do}: {str(error).strip()}") from error
    target = describe(cursor, trial.table)
    known = {column.name: column.type for column in target.columns} if target else {}
    columns = [PreviewColumn(one.name, one.type, known.get(one.name)) for one in first.columns]
    return Preview(options.do, columns, found)


def _hashed(trial: Trial, options: ActionOptions, rows: Rows) -> Rows:
    """What is hashed on its way into the table is never shown either."""
    if not isinstance(options, LoadOptions):
        return rows
    return with_hashes(rows, options.hashed_on_load, trial.bare_context().hash_key)


def _read(cursor: Cursor, rows: Rows, count: int) -> list[tuple[Any, ...]]:
    """Through PostgreSQL, as the table would have them."""
    definitions = column_definitions(rows.columns)
    cursor.execute(compose("copy.create_whole", whole=_ROWS, columns=definitions))
    rows.fill(cursor, _ROWS)
    read_exactly(cursor)
    cursor.execute(compose("trial.read", columns=column_list(rows.columns), table=_ROWS))
    found = cursor.fetchmany(count)
    cursor.execute(compose("table.drop", table=_ROWS))
    return found
