"""Looks from time to time for rows that the source no longer has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.loading.modes.missing_keys import Removed, remove_missing
from dapu.loading.options import KeySweep, LoadOptions
from dapu.loading.table.relation import Relation, describe
from dapu.loading.values.bad_value_policy import apply_value_policy
from dapu.loading.values.find_row import row_finder
from dapu.rows.refused_value import naming_refused_values
from dapu.rows.rows import Rows
from dapu.sources.databases.source import Source
from dapu.sources.databases.subquery import only

SWEPT = "keys swept at"  # in the state of a source: when, in ISO 8601


@dataclass(frozen=True)
class Sweep:
    """A look at all keys of a query.

    query: its SQL file. options: the action's.
    """

    context: Context
    query: str
    options: LoadOptions
    sweep: KeySweep

    def run(self, cursor: Cursor, source: Source) -> Removed:
        """Removes them when it is time to look; returns how many."""
        last = self.context.state_before.entries.get(SWEPT)
        now = datetime.now(UTC)
        if last is not None and now - datetime.fromisoformat(last) < self.sweep.every:
            return Removed()
        table = self.context.table
        target = describe(cursor, table)
        if target is None:
            return Removed()
        keys = self._keys(source, target)
        with naming_refused_values(table, row_finder(keys)):
            # A key that the load rejected is none of the table's.
            checked = apply_value_policy(
                cursor, table, target, keys, self.options, keeps_rejected=False
            )
            mark = self.sweep.mark
            removed = remove_missing(cursor, table, target, checked.rows, self._key, mark=mark)
        self.context.state_after.entries[SWEPT] = now.isoformat()
        return removed

    @property
    def _key(self) -> list[str]:
        return self.options.key or []

    def _keys(self, source: Source, target: Relation) -> Rows:
        """The keys in the form in which the rows came; from `initial` on, as the rows did."""
        watermark = self.options.watermark
        initial = watermark.initial if watermark else None
        whole = self.context.sql(self.query, watermark=initial)
        names = ", ".join(source.quote(column) for column in self._key)
        types = {column.name: column.type for column in target.columns}
        return source.read(only(whole, names), {column: types[column] for column in self._key})
