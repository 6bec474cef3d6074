"""What must hold after a task's actions; a failed check fails the job, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.agents.sent import Sent
from dapu.definitions.checks import Check, RowCount
from dapu.definitions.models import Task
from dapu.errors import ConfigurationError, JobError
from dapu.named_sql import compose
from dapu.registry import checked
from dapu.registry.store import Registry
from dapu.rows.python_values import read_exactly
from dapu.secrets import redact
from dapu.statement import Statement, TableName
from dapu.text import counted, shortened
from dapu.warehouse.postgres_session import given_path

MOST_ROWS = 20  # that the event of a failed check shows
_LONGEST = 200  # characters of a value that is shown
_MOST_KEYS = 3  # that the message has
_LEAST_RUNS = 3  # before it is known how many rows are usual


@dataclass(frozen=True)
class Finding:
    """What a check found. fault: why it did not pass. count: of the table's rows, where asked."""

    fault: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    count: int | None = None


@dataclass(frozen=True)
class Checking:
    """The checks of a job, in its transaction.

    query: makes the statement of a `sql` check. warn: logs a warning, with data that stay in the
    registry: other columns than keys may be what nobody is to read in a log or a mail of cron.
    sent: gets what is sent.
    """

    cursor: Cursor
    registry: Registry
    job: int
    name: str
    task: Task
    table: TableName
    query: Callable[[str], Statement]
    warn: Callable[[str, dict[str, Any]], None]
    sent: Sent = field(default_factory=Sent)

    def run(self) -> list[str]:
        """Runs them in their order; returns the warnings.

        Raises JobError for the first that fails, with up to 20 offending rows in its data, and for
        one that cannot be run; ConfigurationError where a later try could not run it either.
        """
        warnings, keys = [], _keys_of(self.task)
        for number, check in enumerate(self.task.checks):
            self.sent.definition = ("checks", number)
            found = self._find(check, keys)
            if found.fault:
                message = f"the check `{check.label}` failed: {found.fault}"
                data = {"check": f"`{check.label}`", "rows": found.rows}
                if check.severity == "fail":
                    raise JobError(message, data)
                self.warn(message, data | self.sent.failed_at(JobError(message)).data())
                warnings.append(message)
            checked.add(
                self.cursor,
                self.registry,
                self.name,
                check.label,
                self.job,
                found.fault,
                found.count,
            )
        return warnings

    def _find(self, check: Check, keys: Collection[str]) -> Finding:
        usual = []
        if check.row_count is not None and check.row_count.usual is not None:
            usual = checked.counts(self.cursor, self.registry, self.name, check.label)
        query = self.query(check.sql).composed() if check.sql else _query(self.table, check)
        self.sent.send(check.sql, query.as_string(self.cursor))
        with given_path(self.cursor):
            names, rows = _ask(self.cursor, check, query)
        if check.row_count is not None:
            return _count_finding(check.row_count, int(rows[0][0]), usual)
        return _finding(names, rows, keys)


def _ask(
    cursor: Cursor, check: Check, query: sql.Composable
) -> tuple[list[str], list[tuple[Any, ...]]]:
    read_exactly(cursor)
    try:
        cursor.execute(query)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        raise _refusal(check, error) from error
    if cursor.description is None:
        raise JobError(f"the check `{check.label}` is not a query: it must give the offending rows")
    return [column.name for column in cursor.description], cursor.fetchmany(MOST_ROWS + 1)


def _refusal(check: Check, error: psycopg2.Error) -> JobError | ConfigurationError:
    """Why a check cannot be run; a value in its own text that is none of its type stays so."""
    diag = error.diag
    why = f"the check `{check.label}` cannot be run: {diag.message_primary}"
    is_of_text = diag.statement_position is not None
    is_value = (error.pgcode or "").startswith("22") or error.pgcode == "42883"
    if is_of_text and is_value and check.accepted_values is not None:
        ((name, _),) = check.accepted_values.items()
        return ConfigurationError(f"{why}; give values of the type that the column {name} has")
    if is_of_text and (error.pgcode or "").startswith("22"):
        return ConfigurationError(why)
    return JobError(why)


def _finding(names: list[str], rows: list[tuple[Any, ...]], keys: Collection[str]) -> Finding:
    if not rows:
        return Finding()
    several = len(rows) > MOST_ROWS
    count = (
        f"more than {MOST_ROWS} offending rows" if several else counted(len(rows), "offending row")
    )
    shown = [dict(zip(names, map(_shown, row), strict=True)) for row in rows[:MOST_ROWS]]
    fault = f"{count}{_listed_keys(shown, keys)}; `dapu status DIR TASK` shows them"
    return Finding(fault, shown)


def _count_finding(bounds: RowCount, count: int, usual: Sequence[int]) -> Finding:
    fault = ""
    if bounds.at_least is not None and count < bounds.at_least:
        fault = f"{counted(count, 'row')}, fewer than {bounds.at_least:,}"
    elif bounds.at_most is not None and count > bounds.at_most:
        fault = f"{counted(count, 'row')}, more than {bounds.at_most:,}"
    elif bounds.usual is not None and len(usual) >= _LEAST_RUNS:
        from statistics import median

        middle = Fraction(median(usual))
        if abs(count - middle) > middle * Fraction(bounds.usual.rstrip("% ")) / 100:
            runs = counted(len(usual), "run")
            fault = f"{counted(count, 'row')}, where {float(middle):,.0f} are usual ({runs})"
    return Finding(fault, [{"rows": count}] if fault else [], count)


def _keys_of(task: Task) -> set[str]:
    """The columns that tell a task's rows apart, as its actions and checks have them."""
    columns = [getattr(action, "key", None) for action in task.actions]
    columns += [check.unique for check in task.checks]
    return {name for some in columns for name in some or ()}


def _listed_keys(rows: list[dict[str, Any]], keys: Collection[str]) -> str:
    """The keys of the first rows, where they have any."""
    each = [
        ", ".join(f"{name} {value}" for name, value in row.items() if name in keys)
        for row in rows[:_MOST_KEYS]
    ]
    more = ["…"] if len(rows) > _MOST_KEYS else []
    return f" ({'; '.join([*each, *more])})" if any(each) else ""


def _shown(value: Any) -> Any:
    """The value, or the beginning of a long one."""
    text = redact(str(value))
    return value if len(text) <= _LONGEST else shortened(text, _LONGEST)


def _query(table: TableName, check: Check) -> sql.Composable:
    """What gives the offending rows of a check that is not SQL of its own."""
    rows: sql.Composable = table.identifier
    if check.where is not None:
        rows = compose("check.where", table=rows, condition=sql.SQL(check.where))
    most = sql.Literal(MOST_ROWS + 1)
    if check.unique is not None:
        listed = sql.SQL(", ").join(map(sql.Identifier, check.unique))
        return compose("check.unique", rows=rows, columns=listed, most=most)
    if check.not_null is not None:
        names = map(sql.Identifier, check.not_null)
        missing = sql.SQL(" or ").join(sql.SQL("{} is null").format(name) for name in names)
        return compose("check.not_null", rows=rows, missing=missing, most=most)
    if check.expression is not None:
        condition = sql.SQL(check.expression)
        return compose("check.expression", rows=rows, condition=condition, most=most)
    if check.row_count is not None:
        return compose("check.row_count", rows=rows)
    if check.accepted_values is not None:
        ((name, accepted),) = check.accepted_values.items()
        values = sql.SQL(", ").join(sql.Literal(value) for value in accepted)
        column = sql.Identifier(name)
        return compose("check.accepted_values", rows=rows, column=column, values=values, most=most)
    if check.relationships is not None:
        return _relationships(rows, check.relationships, most)
    ((name, age),) = (check.fresh_within or {}).items()
    column, least = sql.Identifier(name), sql.Literal(age)
    return compose("check.fresh_within", rows=rows, column=column, age=least)


def _relationships(
    rows: sql.Composable, given: dict[str, str], most: sql.Composable
) -> sql.Composable:
    ((name, other),) = given.items()
    schema, table, its = other.split(".")
    return compose(
        "check.relationships",
        rows=rows,
        column=sql.Identifier(name),
        other=sql.Identifier(schema, table),
        its=sql.Identifier(its),
        most=most,
    )
