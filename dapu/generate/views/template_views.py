"""Views after a template: one for each row of a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu.definitions.sql_placeholders import settled
from dapu.definitions.templates import parse_template, read_template
from dapu.errors import DapuError, Fault, FaultyFile, JobError
from dapu.generate.views.planned import PlannedView, ViewGroup, named_view, without_twins
from dapu.generate.views.view_options import ViewsOptions
from dapu.named_sql import compose
from dapu.statement import Name, Statement, TableName

_ROWS_AT_ONCE = 1000
_MAKERS = {"table": TableName, "name": Name}

Render = Callable[[Mapping[str, Any]], Statement]


def template_groups(
    session: PgSession,
    folder: Path,
    names: Mapping[str, Any],
    options: ViewsOptions,
    count: int | None,
) -> Iterator[ViewGroup]:
    """The groups, in the order of their keys, as the rows of the query come in.

    names: what the templates know. count: of `{{ count }}` in the query.
    Raises FaultyFile when the query or a template cannot be used.
    """
    assert options.query is not None  # as was checked when the definition was read
    assert options.template is not None
    assert options.view is not None
    known = dict(names) | _MAKERS
    query = _render(folder / options.query)(known | {"count": count})
    template = _render(folder / options.template)
    view = parse_template(folder / "task.yaml", options.view).compiled()

    def key_of(row: dict[str, Any]) -> str:
        return _text(row, options.group) if options.group else view(known | {"row": row}).text()

    def view_of(row: dict[str, Any]) -> PlannedView:
        names = known | {"row": row}
        try:
            text = template(names).without_end().composed().as_string(session)
            return named_view(view(names).text(), text)
        except ValueError as error:
            raise JobError(f"the name of a view: {error}") from None

    rows = _rows(session, folder / options.query, query, options.group)
    for key, members in groupby(rows, key_of):
        together = list(members)
        try:
            yield without_twins(key, map(view_of, together))
        except DapuError as error:
            yield ViewGroup(key, (), str(error))


def _render(path: Path) -> Render:
    template = read_template(path)
    render = template.compiled()
    return lambda names: settled(path, template.text, render(names))


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if value is None:
        raise JobError(f"the column `{column}`, by which views are grouped, is NULL in a row")
    return str(value)


def _rows(
    session: PgSession, path: Path, query: Statement, group: str | None
) -> Iterator[dict[str, Any]]:
    """The rows of the query, read as they are asked for."""
    text: sql.Composable = query.without_end().composed()
    if group is not None:
        text = compose("make_views.rows", query=text, group=sql.Identifier(group))
    with session.cursor("dapu_views") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        try:
            cursor.execute(text)
            for row in cursor:
                yield {
                    column.name: value
                    for column, value in zip(cursor.description or (), row, strict=True)
                }
        except psycopg2.errors.QueryCanceled:
            raise
        except psycopg2.Error as error:
            reason = error.diag.message_primary or str(error)
            raise FaultyFile([Fault(path, 1, reason)]) from error
