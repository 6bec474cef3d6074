"""`dapu diff`: what a run would change: the run itself, undone, with the table before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.definitions.models import Task
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import Relation, describe
from dapu.named_sql import compose, statement
from dapu.registry.version import check_registry
from dapu.trial.open_trial import Trial
from dapu.worker.afterwards import not_run, runs_now

_BEFORE = sql.Identifier("pg_temp", "dapu_before")
_CAME = sql.Identifier("pg_temp", "dapu_came")
_GONE = sql.Identifier("pg_temp", "dapu_gone")
_OF_VERSIONS = ("valid_from",)  # of a history: one row a version


@dataclass
class Difference:
    """What a run would change in the task's table.

    key: the columns by which rows before and after are one; none where nothing says which.
    columns: what would become of columns, in words.
    before_rows, after_rows: how many there are.
    left_out: actions that were not tried out, since not all of what they do can be undone.
    samples: some rows each that were inserted and deleted, and pairs of those that were updated.
    warnings: of checks. failed_check: why the run would fail in the end.
    """

    key: list[str]
    columns: list[str] = field(default_factory=list)
    before_rows: int = 0
    after_rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    samples: dict[str, list[Any]] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failed_check: str | None = None


def diff(trial: Trial, samples: int, *, full: bool = False) -> Difference:
    """Runs a task's actions and checks, compares, and leaves the rest to the rollback.

    samples: at most so many rows of each kind. full: as with `--full`.
    Raises DapuError when an action fails.
    """
    with trial.session.cursor() as cursor:
        check_registry(cursor, trial.registry)
        before = describe(cursor, trial.table)
        if before is not None:
            cursor.execute(compose("trial.keep_before", table=trial.table.identifier))
        found = Difference([])
        _act(cursor, trial, found, full)
        after = describe(cursor, trial.table)
        found.warnings, found.failed_check = trial.check(cursor)
        found.columns = _columns(before, after)
        found.key = _key(trial.task, after or before)
        _Comparison(cursor, trial, before, after, found).run(samples)
    return found


def _act(cursor: Cursor, trial: Trial, found: Difference, full: bool) -> None:
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


def _columns(before: Relation | None, after: Relation | None) -> list[str]:
    """What becomes of the columns: `+ amount numeric`, `- old text`, `~ id integer -> bigint`."""
    old = {one.name: one.type for one in before.columns} if before else {}
    new = {one.name: one.type for one in after.columns} if after else {}
    lines = [f"+ {name} {kind}" for name, kind in new.items() if name not in old]
    lines += [f"- {name} {kind}" for name, kind in old.items() if name not in new]
    both = ((name, kind, new[name]) for name, kind in old.items() if name in new)
    return lines + [f"~ {name} {kind} -> {now}" for name, kind, now in both if kind != now]


def _key(task: Task, relation: Relation | None) -> list[str]:
    """The columns that identify a row: as the actions say, as the table has them, or none."""
    known = {column.name for column in relation.columns} if relation else set()
    loading = [options for options in task.actions if isinstance(options, LoadOptions)]
    for options in loading:
        if options.key and known.issuperset(options.key):
            versions = _OF_VERSIONS if options.load == "history" else ()
            return [*options.key, *versions]
    if relation is not None and relation.key:
        return list(relation.key)
    unique = (check.unique for check in task.checks if check.unique)
    return next((list(columns) for columns in unique if known.issuperset(columns)), [])


@dataclass
class _Comparison:
    cursor: Cursor
    trial: Trial
    before: Relation | None
    after: Relation | None
    found: Difference

    def run(self, samples: int) -> None:
        found, after = self.found, self.trial.table.identifier
        found.before_rows = self._count(_BEFORE) if self.before else 0
        found.after_rows = self._count(after) if self.after else 0
        shown = self.after or self.before
        if shown is None:
            return
        names = [column.name for column in shown.columns]
        there: sql.Composable = _BEFORE if self.before else sql.SQL("{} where false").format(after)
        here: sql.Composable = after if self.after else sql.SQL("{} where false").format(_BEFORE)
        new = self._texts(names, self.after or self.before)
        old = self._texts(names, self.before or self.after)
        self._differ(_CAME, names, (new, here), (old, there))
        self._differ(_GONE, names, (old, there), (new, here))
        self.cursor.execute(statement("trial.changes"))
        found.inserted, found.updated, found.deleted = self.cursor.fetchone() or (0, 0, 0)
        found.samples = {kind: self._sample(kind, names, samples) for kind in _SAMPLES}

    def _texts(self, names: Sequence[str], relation: Relation | None) -> sql.Composed:
        """The values as texts: what differs in a digit differs, and each type can be compared."""
        known = {column.name for column in relation.columns} if relation else set()
        return sql.SQL(", ").join(
            sql.SQL("{0}::text as {0}" if name in known else "null::text as {0}").format(
                sql.Identifier(name)
            )
            for name in names
        )

    def _differ(
        self,
        name: sql.Identifier,
        names: Sequence[str],
        these: tuple[sql.Composable, sql.Composable],
        those: tuple[sql.Composable, sql.Composable],
    ) -> None:
        every = [sql.Identifier("d", column) for column in names]
        # Without a key a row that changed is one that went and one that came.
        key = [sql.Identifier("d", column) for column in self.found.key]
        side = sql.Literal("came" if name is _CAME else "gone")
        self.cursor.execute(
            compose(
                "trial.differing",
                name=name,
                key=sql.SQL(", ").join(key or [side]),
                key_or_all=sql.SQL(", ").join(key or every),
                all=sql.SQL(", ").join(every),
                these=these[0],
                here=these[1],
                those=those[0],
                there=those[1],
            )
        )

    def _count(self, table: sql.Identifier) -> int:
        self.cursor.execute(compose("trial.count", table=table))
        (count,) = self.cursor.fetchone() or (0,)
        return int(count)

    def _sample(self, kind: str, names: Sequence[str], most: int) -> list[Any]:
        order = [*self.found.key, *(name for name in names if name not in self.found.key)]
        side = "g" if kind == "deleted" else "c"
        every = sql.SQL(", ").join(sql.Identifier(side, name) for name in order)
        self.cursor.execute(_SAMPLES[kind](every), {"most": most})
        rows = self.cursor.fetchall()
        if kind != "updated":
            return [self._ordered(row[0], names) for row in rows]
        return [
            {"before": self._ordered(b, names), "after": self._ordered(a, names)} for b, a in rows
        ]

    def _ordered(self, row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        return {name: row[name] for name in names}


_SAMPLES = {
    "inserted": lambda every: compose("trial.inserted", all=every),
    "updated": lambda every: compose("trial.updated", all=every),
    "deleted": lambda every: compose("trial.deleted", all=every),
}
