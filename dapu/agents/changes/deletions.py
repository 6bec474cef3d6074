"""Looks from time to time for rows that the source no longer has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.databases.source import Source
from dapu.databases.subquery import only
from dapu.loading.deletions import remove_missing
from dapu.loading.options import KeySweep, WatermarkOptions
from dapu.loading.rows import Rows
from dapu.loading.tables import Relation, describe

_SWEPT = "keys swept at"


@dataclass(frozen=True)
class Sweep:
    """A look at all keys of a query.

    query: its SQL file. watermark: the action's, for a query that asks for its value.
    """

    context: Context
    query: str
    key: Sequence[str]
    sweep: KeySweep
    watermark: WatermarkOptions | None

    def run(self, cursor: Cursor, source: Source) -> tuple[str, ...]:
        """Removes them when it is time to look; returns what to tell of it."""
        last = self.context.seen.get(_SWEPT)
        now = datetime.now(UTC)
        if last is not None and now - datetime.fromisoformat(last) < self.sweep.every:
            return ()
        table = self.context.table
        target = describe(cursor, table)
        if target is None:
            return ()
        keys = self._keys(source, target)
        told = remove_missing(cursor, table, target, keys, self.key, mark=self.sweep.mark)
        self.context.remembered[_SWEPT] = now.isoformat()
        return told

    def _keys(self, source: Source, target: Relation) -> Rows:
        """The keys in the form in which the rows came; from `initial` on, as the rows did."""
        initial = self.watermark.initial if self.watermark else None
        whole = self.context.sql(self.query, watermark=initial)
        names = ", ".join(source.quote(column) for column in self.key)
        types = {column.name: column.type for column in target.columns}
        return source.read(only(whole, names), {column: types[column] for column in self.key})
