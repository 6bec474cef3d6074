"""Which columns a source has, from run to run: one that is gone, or was renamed, is said once.

A rename leaves old rows under the old name and puts new ones under the new: nothing fails, and half
of each column is missing. So it is a warning, which `status` shows until the task was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.loading.result import LoadResult
from dapu.loading.table.relation import describe
from dapu.registry import source_state
from dapu.registry.agenda import Claim
from dapu.registry.store import Registry
from dapu.statement import TableName

COLUMNS, RENAMED = "columns", "renamed"


def columns_of(source: str) -> str:
    """What the columns are remembered for that a source gave."""
    return f"columns of {source}"


def compare_columns(
    cursor: Cursor,
    registry: Registry,
    claim: Claim,
    table: TableName,
    source: str,
    result: LoadResult,
) -> tuple[LoadResult, str | None]:
    """The result with a note on each column that the source no longer has, and a warning."""
    item = columns_of(source)
    known = claim.source_state.get(item, {})
    before: list[str] = known.get(COLUMNS, [])
    now = list(result.columns)
    if not now or (before == now and _still_holds(known.get(RENAMED), result)):
        return result, None
    gone = [column for column in before if column in result.kept]
    renamed = _renamed(cursor, table, gone, [c for c in now if before and c not in before])
    state = {COLUMNS: now, RENAMED: renamed and {**renamed, "hash": claim.hash}}
    source_state.remember(cursor, registry, claim.job.task, item, state, claim.job.number)
    notes = tuple(
        f"the column {name} is no longer in the source, and stays in the table" for name in gone
    )
    result = replace(result, schema_changes=(*result.schema_changes, *notes))
    return result.also(notes), renamed_note(renamed) if renamed else None


def renamed_note(renamed: Mapping[str, str]) -> str:
    """`name was perhaps renamed to title in the source …`, and what to do."""
    return (
        "{old} was perhaps renamed to {new} in the source: the table has both. Rename it in the "
        "table or in the query, or say `schema_change` if it is as it should be"
    ).format_map(renamed)


def _still_holds(renamed: Mapping[str, str] | None, result: LoadResult) -> bool:
    return renamed is None or renamed["old"] in result.kept


def _renamed(
    cursor: Cursor, table: TableName, gone: Sequence[str], new: Sequence[str]
) -> dict[str, Any] | None:
    """One column that went when one of its type came."""
    if len(gone) != 1 or len(new) != 1:
        return None
    relation = describe(cursor, table)
    types = {column.name: column.type for column in relation.columns} if relation else {}
    (old,), (now,) = gone, new
    return {"old": old, "new": now} if old in types and types[old] == types.get(now) else None
