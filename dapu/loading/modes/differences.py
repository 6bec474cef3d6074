"""What differs between the rows that were read and those of the target: found once, then written.

The rows are staged in a temporary table. One join finds the keys that are new, changed or gone;
what did not change is not written, and makes no dead rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.named_sql import compose, statement
from dapu.rows.rows import Column, Rows, column_list
from dapu.rows.types import is_exactly_comparable
from dapu.statement import TableName
from dapu.text import counted

_STAGE = sql.Identifier("pg_temp", "dapu_stage")
ALWAYS, NEVER = sql.SQL("true"), sql.SQL("false")


@dataclass(frozen=True)
class ComparedTable:
    """A table that rows are compared with.

    columns: those that come from the source, with the table's own types.
    key: the columns that identify a row.
    present: which of its rows count (a condition).
    changed_anyway: when a row counts as changed though its values are the same (a condition on
    `t`, the target's row).
    """

    name: TableName
    columns: Sequence[Column]
    key: Sequence[str]
    present: sql.Composable
    changed_anyway: sql.Composable

    @property
    def compared(self) -> list[Column]:
        """The columns in which rows with one key may differ.

        Of the key those too in which `=` finds values equal that are not the same: 1.0 and 1.00.
        """
        return [
            column
            for column in self.columns
            if column.name not in self.key or not is_exactly_comparable(column.type)
        ]

    @property
    def table(self) -> sql.Identifier:
        """The quoted name."""
        return self.name.identifier


class Staged(NamedTuple):
    """How many rows were read, and how many of them gave way to a newer one with their key."""

    rows: int
    left_out: int


class Written(NamedTuple):
    """How many rows were written. deleted: or marked as such."""

    inserted: int
    updated: int
    deleted: int


def stage(cursor: Cursor, target: ComparedTable, rows: Rows, newest: str | None) -> Staged:
    """Puts rows into `dapu_stage`, one a key: the newest.

    newest: the column by which the newest of the rows with one key is found.
    Raises JobError when a row has no whole key.
    """
    columns = column_list(rows.columns)
    cursor.execute(statement("differences.drop_stage"))
    cursor.execute(compose("differences.create_stage", columns=columns, table=target.table))
    count = rows.fill(cursor, _STAGE, freeze=True)
    left_out = _index_keys(cursor, target, newest)
    cursor.execute(
        compose("differences.without_key", null_key=_each(target.key, "{0} is null", " or "))
    )
    (without_key,) = cursor.fetchone() or (0,)
    if without_key:
        raise JobError(
            f"{counted(without_key, 'row')} for {target.name} without a value in the key "
            f"({', '.join(target.key)}); give a key that each row has"
        )
    return Staged(count, left_out)


def _index_keys(cursor: Cursor, target: ComparedTable, newest: str | None) -> int:
    """Leaves one row a key, and the planner with what it needs; returns how many it took away."""
    left_out = 0
    key = _each(target.key, "{0}", ", ")
    cursor.execute("savepoint dapu_stage")
    try:
        cursor.execute(compose("differences.index_keys", key=key))
    except (psycopg2.errors.UniqueViolation, psycopg2.errors.ProgramLimitExceeded):
        # Keys that come twice, or are too long for an index: the slower way.
        cursor.execute("rollback to savepoint dapu_stage")
        left_out = keep_newest(cursor, _STAGE, target.key, newest)
    cursor.execute("release savepoint dapu_stage")
    few = _each(target.key, "alter column {0} set statistics 10", ", ")
    cursor.execute(compose("differences.sample_few", few=few))
    cursor.execute(compose("differences.analyze_keys", key=key))
    return left_out


def keep_newest(
    cursor: Cursor, table: sql.Composable, key: Sequence[str], newest: str | None
) -> int:
    """Deletes all rows of a table that a newer one has the key of; returns how many."""
    order = sql.SQL("{} desc nulls last,").format(sql.Identifier(newest)) if newest else sql.SQL("")
    cursor.execute(
        compose("differences.keep_newest", table=table, key=_each(key, "{0}", ", "), newest=order)
    )
    return cursor.rowcount


def find(
    cursor: Cursor, target: ComparedTable, *, missing: bool, newest: str | None = None
) -> None:
    """Finds the keys that differ.

    missing: those that are not in the stage too.
    newest: the column by which the newer of two rows is found; a row that is older than the
    target's, or has no value there, is not a change.
    """
    first = target.key[0]
    cursor.execute(
        compose(
            "differences.find",
            key_of_either=_each(target.key, "coalesce(s.{0}, t.{0}) as {0}", ", "),
            not_in_target=_each([first], "t.{0} is null", ""),
            not_in_stage=_each([first], "s.{0} is null", ""),
            join=sql.SQL("full" if missing else "left"),
            table=target.table,
            present=target.present,
            same_key=_same_key(target, "s", "t"),
            differs=_differs(target, newest),
        )
    )


def _differs(target: ComparedTable, newest: str | None) -> sql.Composed:
    if not target.compared:
        return sql.Composed([target.changed_anyway])
    here = sql.SQL(", ").join(_comparable("s", column) for column in target.compared)
    there = sql.SQL(", ").join(_comparable("t", column) for column in target.compared)
    differs = sql.SQL("row({}) is distinct from row({})").format(here, there)
    for column in target.columns:
        if column.name == newest:
            differs = sql.SQL("{} and not {}").format(differs, _is_older(column))
    return sql.SQL("({} or {})").format(differs, target.changed_anyway)


def _is_older(column: Column) -> sql.Composed:
    """Texts are older only where every usual order says so: the source's is not known."""
    is_text = column.type.startswith(("text", "character"))
    name = "differences.older_text" if is_text else "differences.older"
    here, there = (
        sql.SQL("{}::text" if _is_varchar(column) else "{}").format(
            sql.Identifier(side, column.name)
        )
        for side in ("s", "t")
    )
    return compose(name, here=here, there=there)


def _comparable(side: str, column: Column) -> sql.Composed:
    name = sql.Identifier(side, column.name)
    exact = is_exactly_comparable(column.type) and not _is_varchar(column)
    return sql.SQL("{}" if exact else "{}::text").format(name)


def _is_varchar(column: Column) -> bool:
    """It has no operators of its own: somebody's for it would run in place of text's."""
    return column.type.startswith("character varying") and not column.type.endswith("]")


def _same_key(target: ComparedTable, one: str, other: str) -> sql.Composed:
    """That the keys of two rows are equal."""
    texts = {column.name for column in target.columns if _is_varchar(column)}
    pieces = (
        sql.SQL("{}::text = {}::text" if name in texts else "{} = {}").format(
            sql.Identifier(one, name), sql.Identifier(other, name)
        )
        for name in target.key
    )
    return sql.SQL(" and ").join(pieces)


def write(
    cursor: Cursor, target: ComparedTable, *, deletes: bool, mark: sql.Identifier | None = None
) -> Written:
    """Writes what `find` found.

    deletes: rows that the source no longer has are deleted, or marked. mark: the column that says
    since when it has not; a row that changed loses its mark.
    """
    nothing = compose("differences.none")
    assignments = [
        sql.SQL("{0} = s.{0}").format(sql.Identifier(column.name)) for column in target.compared
    ]
    if mark is not None:
        assignments.append(sql.SQL("{} = null").format(mark))
    gone = changed = nothing
    if deletes and mark is not None:
        gone = _compose("differences.mark_deleted", target, deleted=mark)
    elif deletes:
        gone = _compose("differences.delete", target)
    if assignments:
        changed = _compose(
            "differences.update", target, assignments=sql.SQL(", ").join(assignments)
        )
    cursor.execute(_compose("differences.write", target, gone=gone, changed=changed))
    return Written(*(cursor.fetchone() or (0, 0, 0)))


def delete_missing(cursor: Cursor, target: ComparedTable) -> int:
    """Deletes the rows whose key is not in the stage; returns how many."""
    return _run(cursor, "differences.delete_missing", target)


def mark_missing(cursor: Cursor, target: ComparedTable, column: sql.Identifier) -> int:
    """Marks the rows whose key is not in the stage with the time; returns how many."""
    return _run(cursor, "differences.mark_missing", target, deleted=column)


def unmark_present(cursor: Cursor, target: ComparedTable, column: sql.Identifier) -> int:
    """Takes the mark from the rows whose key is in the stage; returns how many had one."""
    return _run(cursor, "differences.unmark_present", target, deleted=column)


def end_versions(cursor: Cursor, target: ComparedTable) -> int:
    """Ends the current versions of rows that changed or were deleted; returns how many."""
    return _run(cursor, "differences.end_versions", target)


def begin_versions(cursor: Cursor, target: ComparedTable) -> int:
    """Begins versions of rows that are new, changed or back; returns how many."""
    return _run(cursor, "differences.begin_versions", target)


def _run(cursor: Cursor, name: str, target: ComparedTable, **more: sql.Composable) -> int:
    cursor.execute(_compose(name, target, **more))
    return cursor.rowcount


def _compose(name: str, target: ComparedTable, **more: sql.Composable) -> sql.Composed:
    names = [column.name for column in target.columns]
    pieces: dict[str, sql.Composable] = {
        "table": target.table,
        "columns": _each(names, "{0}", ", "),
        "stage_columns": _each(names, "s.{0}", ", "),
        "stage_key": _same_key(target, "s", "d"),
        "same_key": _same_key(target, "s", "t"),
        "target_key": _same_key(target, "t", "d"),
    }
    return compose(name, **pieces, **more)


def _each(names: Iterable[str], text: str, joint: str) -> sql.Composed:
    pieces = (sql.SQL(text).format(sql.Identifier(name)) for name in names)
    return sql.SQL(joint).join(pieces)
