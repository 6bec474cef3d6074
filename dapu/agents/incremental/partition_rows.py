"""Which rows of a source belong to which partition of a table, as conditions for the source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.loading.table.partitions import Partition, Partitioned
from dapu.registry.ordered_values import from_text, to_text
from dapu.statement import Statement, TableName

Kept = tuple[str, str]
"""A value as `to_text` gives it."""

_Range = tuple[Kept | None, Kept | None]


@dataclass(frozen=True)
class PartitionRows:
    """The rows of one partition, or those that belong to none.

    partition: None for those. column: of the query. ranges: from the first value to before the
    second, None without a bound. values: of a list. nulls: rows without a value are among them.
    is_rest: they are all rows but those of these ranges and values.
    """

    partition: Partition | None
    column: str
    ranges: tuple[_Range, ...] = ()
    values: tuple[Kept, ...] = ()
    nulls: bool = False
    is_rest: bool = False

    def condition(self, column: str) -> Statement:
        """For the source. column: as the source quotes it."""
        found = [_in_range(column, *bounds) for bounds in self.ranges]
        found += [_bound(column, "=", value) for value in self.values]
        if not self.is_rest:
            listed = _joined(found, " or ") if found else Statement(("1 = 0",))
        elif found:
            listed = Statement(("not (",)).then(_joined(found, " or ")).then(Statement((")",)))
        else:
            listed = Statement((f"{column} is not null",))
        nulls = f" or {column} is null)" if self.nulls else ")"
        return Statement(("(",)).then(listed).then(Statement((nulls,)))

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """Of its range, as text."""
        if self.is_rest or len(self.ranges) != 1:
            return None, None
        low, high = self.ranges[0]
        return low and low[1], high and high[1]

    def to_json(self) -> dict[str, Any]:
        """For the registry."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> PartitionRows:
        """What `to_json` gave."""
        partition = kept["partition"]
        if partition is not None:
            partition = Partition(**partition | {"name": TableName(**partition["name"])})
        ranges = tuple((_kept(low), _kept(high)) for low, high in kept["ranges"])
        values = tuple((kind, text) for kind, text in kept["values"])
        return cls(partition, kept["column"], ranges, values, kept["nulls"], kept["is_rest"])


def rows_of_partitions(cursor: Cursor, partitioned: Partitioned) -> list[PartitionRows]:
    """One for each partition, and one for the rows that belong to none if there can be any.

    Raises JobError for values that have no order.
    """
    named = [one for one in partitioned.partitions if not one.is_default]
    rows = [_rows(cursor, partitioned, one) for one in named]
    default = next((one for one in partitioned.partitions if one.is_default), None)
    ranges = _merged(bounds for one in rows for bounds in one.ranges)
    values = tuple(value for one in rows for value in one.values)
    nulls = not any(one.nulls for one in rows)
    rest = PartitionRows(default, partitioned.column, ranges, values, nulls, is_rest=True)
    return [*rows, rest]


def _rows(cursor: Cursor, partitioned: Partitioned, partition: Partition) -> PartitionRows:
    column = partitioned.column
    if partitioned.by == "range":
        low, high = partitioned.range_of(cursor, partition)
        bounds = (_as_kept(low, column), _as_kept(high, column))
        return PartitionRows(partition, column, ranges=(bounds,))
    values = partitioned.values_of(cursor, partition)
    kept = tuple(to_text(value, column) for value in values if value is not None)
    return PartitionRows(partition, column, values=kept, nulls=None in values)


def _merged(ranges: Iterable[_Range]) -> tuple[_Range, ...]:
    """Ranges that follow one another as one: the source compares less, or looks at an index."""
    by_low = dict(ranges)
    ends = set(by_low.values()) - {None}
    merged = list[_Range]()
    for low, high in by_low.items():
        if low is not None and low in ends:
            continue
        while high is not None and high in by_low:
            high = by_low[high]  # noqa: PLW2901
        merged.append((low, high))
    return tuple(merged)


def _in_range(column: str, low: Kept | None, high: Kept | None) -> Statement:
    bounds = [_bound(column, ">=", low)] if low else []
    bounds += [_bound(column, "<", high)] if high else []
    if not bounds:
        return Statement((f"{column} is not null",))
    return Statement(("(",)).then(_joined(bounds, " and ")).then(Statement((")",)))


def _bound(column: str, sign: str, value: Kept) -> Statement:
    return Statement((f"{column} {sign} ", ""), (from_text(*value),))


def _joined(statements: Sequence[Statement], between: str) -> Statement:
    first, *others = statements
    for other in others:
        first = first.then(Statement((between,))).then(other)
    return first


def _as_kept(value: Any, column: str) -> Kept | None:
    return None if value is None else to_text(value, column)


def _kept(value: Sequence[str] | None) -> Kept | None:
    return None if value is None else (value[0], value[1])
