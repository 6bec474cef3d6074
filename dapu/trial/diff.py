"""`dapu diff`: what a run would change: the run itself, undone, with the table before and after."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.models import Task
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import Relation, describe
from dapu.named_sql import compose
from dapu.registry.version import check_registry
from dapu.trial.compare import Differences, Side, compare, known_key
from dapu.trial.open_trial import Trial
from dapu.worker.afterwards import not_run, runs_now

_BEFORE = sql.Identifier("pg_temp", "dapu_before")
_OF_VERSIONS = ("valid_from",)  # of a history: one row a version


@dataclass
class Outcome:
    """What a run would do.

    left_out: actions that were not tried out, since not all of what they do can be undone.
    failed_check: why the run would fail in the end.
    """

    differences: Differences = field(default_factory=lambda: Differences([]))
    actions: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failed_check: str | None = None


def diff(trial: Trial, samples: int, *, full: bool = False) -> Outcome:
    """Runs a task's actions and checks, compares, and leaves the rest to the rollback.

    samples: at most so many rows of each kind. full: as with `--full`.
    Raises DapuError when an action fails.
    """
    with trial.session.cursor() as cursor:
        check_registry(cursor, trial.registry)
        before = describe(cursor, trial.table)
        if before is not None:
            cursor.execute(compose("trial.keep_before", table=trial.table.identifier))
        found = Outcome()
        _act(cursor, trial, found, full)
        after = describe(cursor, trial.table)
        found.warnings, found.failed_check = trial.check(cursor)
        key = key_of_rows(trial.task, after or before)
        sides = Side(_BEFORE, before), Side(trial.table.identifier, after)
        found.differences = compare(cursor, *sides, key, samples)
    return found


def _act(cursor: Cursor, trial: Trial, found: Outcome, full: bool) -> None:
    changed = False
    for position, options in enumerate(trial.task.actions, start=1):
        if not options.is_undone:
            found.left_out.append(f"{position}: {options.do}")
        elif not runs_now(options, changed=changed):
            found.actions.append(f"{options.do}: {not_run(options)}")
        else:
            context = trial.context(cursor, position, options, full=full)
            result = trial.run(cursor, context, options)
            changed |= options.loads and result.changed
            found.actions.append(f"{options.do}: {result}")


def key_of_rows(task: Task, relation: Relation | None) -> list[str]:
    """The columns that identify a row: as the actions say, as the table has them, or none."""
    loading = [options for options in task.actions if isinstance(options, LoadOptions)]
    keys = [
        [*options.key, *(_OF_VERSIONS if options.load == "history" else ())]
        for options in loading
        if options.key
    ]
    in_table = [list(relation.key)] if relation is not None else []
    unique = [list(check.unique) for check in task.checks if check.unique]
    return known_key([*keys, *in_table, *unique], relation)
