"""Runs a test: the task's own actions, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from dapu.agents.incremental.key_sweep import SWEPT
from dapu.definitions.case_file import Case, Expected, Round
from dapu.definitions.models import ActionOptions
from dapu.errors import DapuError
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe
from dapu.named_sql import compose, statement
from dapu.trial.expected import differences
from dapu.trial.given import Stage, opened_source, put_rows
from dapu.trial.open_trial import Trial, open_trial
from dapu.warehouse.connection_kinds import PgConnection
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.afterwards import runs_now


@dataclass(frozen=True)
class Ran:
    """How a test ended. faults: what was otherwise than expected; none: it passed.

    left_out: actions that were not run, since not all of what they do can be undone.
    """

    case: Case
    seconds: float
    faults: list[str]
    left_out: list[str]


def run_case(
    warehouse: Warehouse, server: PgConnection | None, case: Case
) -> tuple[list[str], list[str]]:
    """Returns what was otherwise than expected, and the actions that were left out.

    server: an empty database for tables of sources that are a PostgreSQL.
    Raises DapuError for a test that says what cannot be.
    """
    left_out: list[str] = []
    rounds = case.read()
    with open_trial(warehouse, case.task, "test") as trial, trial.session.cursor() as cursor:
        for number, one in enumerate(rounds, start=1):
            faults = _run_round(cursor, trial, one, rounds, server, left_out)
            _let_a_day_pass(cursor, trial)
            if faults:
                where = f"run {number}: " if len(rounds) > 1 else ""
                return [where + fault for fault in faults], left_out
    return [], left_out


def _run_round(
    cursor: Cursor,
    trial: Trial,
    one: Round,
    rounds: Sequence[Round],
    server: PgConnection | None,
    left_out: list[str],
) -> list[str]:
    put_rows(cursor, trial, one.given)
    cursor.execute(statement("case.before_round"))
    warnings, error = list[str](), None
    with opened_source(trial, one.given, rounds, server) as stage:
        try:
            _act(cursor, stage, one, left_out)
            warnings, error = stage.trial.check(cursor)
        except DapuError as fault:
            error = str(fault)
        if error is not None:
            cursor.execute(statement("case.undo_round"))
    faults = _of_outcome(one.expect, warnings, error)
    return faults or differences(cursor, trial.table, one.expect)


def _let_a_day_pass(cursor: Cursor, trial: Trial) -> None:
    for entries in trial.memory.source_state.values():
        if SWEPT in entries:
            entries[SWEPT] = (
                datetime.fromisoformat(entries[SWEPT]) - timedelta(days=1)
            ).isoformat()
    for options in trial.task.actions:
        if isinstance(options, LoadOptions) and options.load == "history":
            if describe(cursor, trial.table) is not None:
                cursor.execute(compose("case.a_day_later", table=trial.table.identifier))
            return


def _act(cursor: Cursor, stage: Stage, one: Round, left_out: list[str]) -> None:
    """Runs the actions, and keeps in the trial's memory what they left for the next run."""
    changed, trial = False, stage.trial
    for position, own in enumerate(trial.task.actions, start=1):
        options: ActionOptions = stage.actions.get(position, own)
        if not options.is_undone:
            if own.do not in left_out:
                left_out.append(own.do)
            continue
        if not runs_now(options, changed=changed):
            continue
        folder = stage.folder if position in stage.actions else None
        context = trial.context(cursor, position, options, full=one.full, folder=folder)
        result = trial.run(cursor, context, options)
        changed |= options.loads and result.changed
        trial.remember(context)


def _of_outcome(expect: Expected, warnings: list[str], error: str | None) -> list[str]:
    if expect.error is not None:
        if error is None:
            return [f"the run does not fail, and should with: {expect.error}"]
        return [] if expect.error in error else [f"the run fails otherwise: {error}"]
    if error is not None:
        return [f"the run fails: {error}"]
    if expect.warnings is None:
        return []
    missing = [words for words in expect.warnings if not any(words in one for one in warnings)]
    extra = [one for one in warnings if not any(words in one for words in expect.warnings)]
    return [f"no check warns of: {words}" for words in missing] + [
        f"an unexpected warning: {one}" for one in extra
    ]
