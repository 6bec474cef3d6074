"""`dapu render`: the SQL of a task as a run would send it now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dapu.definitions.models import ActionOptions
from dapu.statement import Name, Statement, TableName
from dapu.trial.open_trial import Trial


class RenderedFile(NamedTuple):
    """A SQL file of a task. values: what is bound, in the order in which it stands there."""

    action: str
    file: str
    sql: str
    values: list[Any]


def render(trial: Trial, *, full: bool = False) -> Iterator[RenderedFile]:
    """Each SQL file of a task, those of its checks too.

    full: as a run with `--full` would send it, or the first one.
    A source with a watermark is asked for its highest value, as in a run.
    Raises DapuError for what would fail.
    """
    with trial.session.cursor() as cursor:
        for position, options in enumerate(trial.task.actions, start=1):
            if options.sql_files():
                context = trial.context(cursor, position, options, full=full)
                found = trial.agent(options).statements(context, options)
                yield from (_rendered(options, file, text) for file, text in found.items())
        context = trial.bare_context()
        for check in trial.task.checks:
            if check.sql:
                text = context.sql(check.sql)
                yield RenderedFile("check", check.sql, text.readable(), _values(text))


def _rendered(options: ActionOptions, file: str, text: Statement) -> RenderedFile:
    return RenderedFile(options.do, file, text.readable(), _values(text))


def _values(text: Statement) -> list[Any]:
    return [value for value in text.values if not isinstance(value, TableName | Name)]
