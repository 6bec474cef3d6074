"""Two tables compared row by row, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.loading.table.relation import Relation
from dapu.named_sql import compose, statement

_CAME = sql.Identifier("pg_temp", "dapu_came")
_GONE = sql.Identifier("pg_temp", "dapu_gone")


class Side(NamedTuple):
    """A table; relation: None where it does not exist."""

    table: sql.Identifier
    relation: Relation | None

    @property
    def types(self) -> dict[str, str]:
        """Its columns with their types."""
        return {c.name: c.type for c in self.relation.columns} if self.relation else {}


@dataclass
class Differences:
    """What differs between two tables.

    key: the columns by which rows before and after are one; none where nothing says which.
    columns: what became of columns: `+ amount numeric`, `- old text`, `~ id integer -> bigint`.
    samples: some rows each that came and went, and pairs of those that changed.
    """

    key: list[str]
    columns: list[str] = field(default_factory=list)
    before_rows: int = 0
    after_rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    samples: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def are_any(self) -> bool:
        """Whether anything differs."""
        return bool(self.columns or self.inserted or self.updated or self.deleted)


def compare(cursor: Cursor, before: Side, after: Side, key: list[str], most: int) -> Differences:
    """Compares two tables, in temporary tables that go with the transaction.

    key: see `Differences`. most: so many samples of each kind.
    """
    found = Differences(key, _columns(before.types, after.types))
    found.before_rows, found.after_rows = _count(cursor, before), _count(cursor, after)
    names = list(after.types or before.types)
    if names:
        _Comparison(cursor, before, after, names, found).run(most)
    return found


def _columns(old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines = [f"+ {name} {kind}" for name, kind in new.items() if name not in old]
    lines += [f"- {name} {kind}" for name, kind in old.items() if name not in new]
    both = ((name, kind, new[name]) for name, kind in old.items() if name in new)
    return lines + [f"~ {name} {kind} -> {now}" for name, kind, now in both if kind != now]


def _count(cursor: Cursor, side: Side) -> int:
    if side.relation is None:
        return 0
    cursor.execute(compose("trial.count", table=side.table))
    (count,) = cursor.fetchone() or (0,)
    return int(count)


@dataclass
class _Comparison:
    cursor: Cursor
    before: Side
    after: Side
    names: list[str]
    found: Differences

    def run(self, most: int) -> None:
        new, old = self._rows(self.after), self._rows(self.before)
        self._differ(_CAME, new, old)
        self._differ(_GONE, old, new)
        found = self.found
        self.cursor.execute(statement("trial.changes"))
        found.inserted, found.updated, found.deleted = self.cursor.fetchone() or (0, 0, 0)
        found.samples = {kind: self._sample(kind, most) for kind in _SAMPLES}
        for table in (_CAME, _GONE):
            self.cursor.execute(compose("table.drop", table=table))

    def _rows(self, side: Side) -> tuple[sql.Composed, sql.Composable]:
        """The values as texts: what differs in a digit differs, and each type can be compared."""
        values = sql.SQL(", ").join(
            sql.SQL("{0}::text as {0}" if name in side.types else "null::text as {0}").format(
                sql.Identifier(name)
            )
            for name in self.names
        )
        if side.relation is not None:
            return values, side.table
        other = self.after if side is self.before else self.before
        return values, sql.SQL("{} where false").format(other.table)

    def _differ(
        self,
        name: sql.Identifier,
        these: tuple[sql.Composable, sql.Composable],
        those: tuple[sql.Composable, sql.Composable],
    ) -> None:
        every = [sql.Identifier("d", column) for column in self.names]
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

    def _sample(self, kind: str, most: int) -> list[Any]:
        key = self.found.key
        order = [*key, *(name for name in self.names if name not in key)]
        side = "g" if kind == "deleted" else "c"
        every = sql.SQL(", ").join(sql.Identifier(side, name) for name in order)
        self.cursor.execute(_SAMPLES[kind](every, sql.Literal(most)))
        rows = self.cursor.fetchall()
        if kind != "updated":
            return [self._ordered(row[0]) for row in rows]
        return [{"before": self._ordered(b), "after": self._ordered(a)} for b, a in rows]

    def _ordered(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name] for name in self.names}


_SAMPLES = {
    "inserted": lambda every, most: compose("trial.inserted", all=every, most=most),
    "updated": lambda every, most: compose("trial.updated", all=every, most=most),
    "deleted": lambda every, most: compose("trial.deleted", all=every, most=most),
}


def known_key(keys: Sequence[Sequence[str]], relation: Relation | None) -> list[str]:
    """The first of some keys that the table has."""
    known = {column.name for column in relation.columns} if relation else set()
    return next((list(key) for key in keys if key and known.issuperset(key)), [])
