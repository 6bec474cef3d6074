"""Looks from time to time for rows that the source no longer has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context
from dapu.databases.source import Source
from dapu.definitions.templates import Statement
from dapu.loading.deletions import remove_missing
from dapu.loading.options import KeySweep
from dapu.loading.rows import Rows
from dapu.loading.watermark import without_end

_SWEPT = "keys swept at"


@dataclass(frozen=True)
class Sweep:
    """A look at all keys of a query. query: its SQL file."""

    context: Context
    query: str
    key: Sequence[str]
    sweep: KeySweep

    def run(self, cursor: Cursor, source: Source) -> tuple[str, ...]:
        """Removes them when it is time to look; returns what to tell of it."""
        last = self.context.seen.get(_SWEPT)
        now = datetime.now(UTC)
        if last is not None and now - datetime.fromisoformat(last) < self.sweep.every:
            return ()
        gone = remove_missing(
            cursor,
            self.context.table,
            self._keys(source),
            self.key,
            mark=self.sweep.mark,
        )
        self.context.remembered[_SWEPT] = now.isoformat()
        return (
            f"{gone:,} that the source no longer has {'marked' if self.sweep.mark else 'deleted'}",
        )

    def _keys(self, source: Source) -> Rows:
        whole = self.context.sql(self.query)
        names = ", ".join(source.quote(column) for column in self.key)
        before = Statement((f"select {names} from (\n",))  # noqa: S608 - quoted names only
        query = without_end(whole).around(before, Statement(("\n) dapu_query",)))
        return source.read(query, None)
