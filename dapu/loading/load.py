"""Rows into the task's table, as the action's options say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as with_changes
from typing import Literal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.modes.append import append
from dapu.loading.modes.history import HISTORY_COLUMNS, history
from dapu.loading.modes.keyed import DELETED_AT, check_given, check_key
from dapu.loading.modes.merge import merge
from dapu.loading.modes.period import period
from dapu.loading.modes.replace import replace
from dapu.loading.modes.snapshot import snapshot
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.loading.table.evolve import plan
from dapu.loading.table.relation import Relation, check_names, describe, is_table
from dapu.loading.values.bad_value_policy import ROW_NUMBER, apply_value_policy
from dapu.loading.values.find_row import key_of, row_finder
from dapu.rows.hashed_columns import with_hashes
from dapu.rows.masked_columns import with_masks
from dapu.rows.refused_value import naming_refused_values
from dapu.rows.rows import Rows, read_first, without_columns
from dapu.statement import TableName

Scope = Literal["full", "incremental", "backfill"]
"""What was read of a source: all; what is new since the watermark, and what has none; or a range
that an operator wants read again (`--from`, `--to`)."""

_LOADER_COLUMNS = [DELETED_AT, *(column.name for column in HISTORY_COLUMNS)]


def load(
    cursor: Cursor,
    name: TableName,
    rows: Rows,
    options: LoadOptions,
    *,
    has_steps: bool = False,
    scope: Scope = "full",
    keep_equal: bool = False,
    key_range: sql.Composable | None = None,
    refused_values: Mapping[str, JobError] | None = None,
    hash_key: bytes | None = None,
) -> LoadResult:
    """Runs the load strategy that the options name, in the caller's transaction.

    has_steps: the table has steps of its own in ver/, so that it is not altered unasked.
    scope: what was read of the source.
    keep_equal: a replace leaves a table untouched that has the same rows already.
    key_range: which rows of the table a snapshot's rows are all of (a condition); default all.
    refused_values: see `plan`.
    hash_key: the secret for hashed columns.
    Raises JobError that names the column and the value when something does not fit.
    """
    rows = with_hashes(rows, options.hashed_on_load, hash_key)
    rows = with_masks(rows, options.masked_on_load)
    check_names(name, rows.columns, _reserved(options))
    if options.watermark is not None:  # a source may take MODIFIED_AT for modified_at
        mark = options.watermark.column
        check_given(f"the watermark's column {mark}", mark, rows.columns)
    relation = describe(cursor, name)  # now: since the source was opened hours may have passed
    policy = options.change_policy(has_steps)
    if relation is None:
        check_key(name, options.key or [], rows.columns)
    key, changes, hints = key_of(options.key, relation, rows.columns), list[str](), list[str]()
    with naming_refused_values(name, row_finder(rows), key):
        if relation is not None and is_table(relation):
            fail_on_bad_value, columns = options.on_bad_value == "fail", rows.columns
            evolution = plan(
                cursor,
                name,
                relation,
                columns,
                _LOADER_COLUMNS,
                policy,
                fail_on_bad_value=fail_on_bad_value,
                refused_values=refused_values,
            )
            if evolution.alters and not options.checks_values:
                rows = read_first(cursor, rows)  # nobody is to wait for the source
            changes = evolution.make()
            if evolution.adds and scope != "full":
                hints.append("rows that were read before get its values with `dapu run --full`")
            if evolution.alters:  # the one time that what was described is no longer so
                relation = describe(cursor, name)
        fitting = _fitting(rows, relation, options)
        checked = apply_value_policy(cursor, name, relation, fitting, options, key_range)
        result = _run(cursor, name, relation, checked.rows, options, scope, keep_equal, key_range)
    notes = (*result.notes, *changes, *hints, *checked.notes)
    given = tuple(column.name for column in rows.columns)
    kept = _kept(relation, given) if policy.removed == "keep" else ()
    return with_changes(
        result,
        notes=notes,
        data=checked.data,
        columns=given,
        kept=kept,
        schema_changes=tuple(changes),
    )


def _kept(relation: Relation | None, given: tuple[str, ...]) -> tuple[str, ...]:
    columns = relation.columns if relation else ()
    return tuple(column.name for column in columns if column.name not in given)


def _reserved(options: LoadOptions) -> set[str]:
    """The names of columns that the load fills itself."""
    names = {ROW_NUMBER} if options.checks_values else set()
    if options.load == "history":
        names |= {column.name for column in HISTORY_COLUMNS}
    return names | {DELETED_AT} if options.marks_deleted else names


def _fitting(rows: Rows, relation: Relation | None, options: LoadOptions) -> Rows:
    """The rows without the columns that are to be ignored."""
    if relation is None or options.schema_change is None or options.schema_change.added != "ignore":
        return rows
    known = {column.name for column in relation.columns}
    return without_columns(rows, {column.name for column in rows.columns} - known)


def _run(
    cursor: Cursor,
    name: TableName,
    relation: Relation | None,
    rows: Rows,
    options: LoadOptions,
    scope: Scope,
    keep_equal: bool,
    key_range: sql.Composable | None,
) -> LoadResult:
    key = options.key or []
    newest = options.watermark.column if options.watermark else None
    match options.load:
        case "append":
            mark, has_nulls = options.watermark, scope != "backfill"
            return append(
                cursor, name, relation, rows, options.key, watermark=mark, has_nulls=has_nulls
            )
        case "merge":
            marks, whole = options.marks_deleted, scope == "full"
            return merge(cursor, name, relation, rows, key, newest, marks=marks, goes_back=whole)
        case "snapshot":
            return snapshot(
                cursor, name, relation, rows, key, soft=options.marks_deleted, key_range=key_range
            )
        case "history":
            whole = scope == "full"
            return history(
                cursor, name, relation, rows, key, newest, complete=newest is None, goes_back=whole
            )
    if options.period is not None:
        return period(cursor, name, relation, rows, options.period, options.key)
    return replace(cursor, name, relation, rows, options.key, keep_equal=keep_equal)
