"""The partitions of a table, each built aside in a transaction of its own, put in place together.

A partition built aside is a table of its own in a scratch schema: no reader of the table sees its
rows, though it is committed. Afterwards all of them change places in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.table.attachments import Aside, Attachments, attachments_of, options_of
from dapu.loading.table.properties import give_properties, properties_of
from dapu.loading.table.relation import describe
from dapu.loading.table.swap import NEXT_RUN, complete, exchange, hindrance, lock
from dapu.named_sql import compose, statement
from dapu.rows.rows import Rows
from dapu.statement import TableName

# As pg_get_expr shows the bound of a partition by one column.
_LITERAL = re.compile(r"E?'(?:[^'\\]|''|\\.)*'|[^\s(),]+")
_RANGE = re.compile(r"FOR VALUES FROM \((.*)\) TO \((.*)\)", re.DOTALL)
_LIST = re.compile(r"FOR VALUES IN \((.*)\)", re.DOTALL)
_OPEN = ("MINVALUE", "MAXVALUE")


@dataclass(frozen=True)
class Partition:
    """A partition. bound: as SQL. condition: what its rows meet, as SQL; None: any row does."""

    name: TableName
    oid: int
    bound: str
    condition: str | None

    @property
    def is_default(self) -> bool:
        """Whether it has the rows that belong to no other."""
        return self.bound == "DEFAULT"

    def aside(self, schema: str, options: tuple[str, ...] = ()) -> Aside:
        """The table that is to be it, in a scratch schema."""
        return Aside(self.name, self.oid, schema, options)


@dataclass(frozen=True)
class Partitioned:
    """A table that is partitioned by one column, into ranges or lists of values."""

    oid: int
    column: str
    type: str
    by: Literal["range", "list"]
    partitions: tuple[Partition, ...]

    def range_of(self, cursor: Cursor, partition: Partition) -> tuple[Any, Any]:
        """The first value of its range, and the value that it ends before; None: no bound."""
        found = _RANGE.fullmatch(partition.bound)
        assert found is not None, partition.bound
        low, high = (self._value(cursor, text.strip()) for text in found.groups())
        return low, high

    def values_of(self, cursor: Cursor, partition: Partition) -> list[Any]:
        """The values of its list."""
        found = _LIST.fullmatch(partition.bound)
        assert found is not None, partition.bound
        return [self._value(cursor, literal) for literal in _LITERAL.findall(found[1])]

    def _value(self, cursor: Cursor, literal: str) -> Any:
        if literal in _OPEN:
            return None
        pieces = {"literal": sql.SQL(literal), "type": sql.SQL(self.type)}
        cursor.execute(compose("partitions.value", **pieces))
        row = cursor.fetchone()
        return row[0] if row else None


def partitions_of(cursor: Cursor, name: TableName) -> Partitioned:
    """How a table is partitioned. Raises JobError when it is not, or not so that it can be used."""
    target = describe(cursor, name)
    cursor.execute(statement("partitions.key"), {"oid": target.oid if target else None})
    found = cursor.fetchone()
    if target is None or found is None:
        raise JobError(
            f"`split: {{every: partition}}` loads a partitioned table, and {name} is none: make it "
            "in a step in ver/, or split by a `column`"
        )
    strategy, column, kind = found
    if strategy == "h" or column is None:
        raise JobError(
            f"{name} is partitioned by {'hash' if strategy == 'h' else 'more than one column'}; "
            "`split: {every: partition}` goes with ranges or lists of one column"
        )
    by: Literal["range", "list"] = "range" if strategy == "r" else "list"
    partitioned = Partitioned(target.oid, column, kind, by, _partitions(cursor, target.oid))
    _check(cursor, name, partitioned)
    return partitioned


def _partitions(cursor: Cursor, oid: int) -> tuple[Partition, ...]:
    cursor.execute(statement("partitions.of_table"), {"oid": oid})
    return tuple(
        Partition(TableName(schema, table), number, bound, condition)
        for number, schema, table, _, bound, condition in cursor.fetchall()
    )


def _check(cursor: Cursor, name: TableName, partitioned: Partitioned) -> None:
    """Raises JobError for what would be lost with the old partitions."""
    cursor.execute(statement("partitions.refers"), {"oid": partitioned.oid})
    found = cursor.fetchone()
    if found is not None:
        raise JobError(
            f"the foreign key {found[0]} of {found[1]} refers to {name}, so that its partitions "
            "cannot change places; split by a `column`"
        )
    names = [partition.name.table for partition in partitioned.partitions]
    if not names:
        raise JobError(f"{name} has no partition yet: make them in the next step in ver/")
    for table in names:
        if names.count(table) > 1:
            raise JobError(f"two partitions of {name} are called {table}: rename one")
    for partition in partitioned.partitions:
        why_not = hindrance(cursor, partition.oid, as_partition=True)
        if why_not is not None:
            raise JobError(
                f"the partition {partition.name} {why_not}, so that it cannot be built aside; "
                "split by a `column`"
            )


def fill_partition(cursor: Cursor, partition: Partition, schema: str, rows: Rows) -> int:
    """Builds a partition with its rows, its key and all that it has, and returns their number.

    It is of this transaction, so that its rows are frozen from the start.
    """
    aside = partition.aside(schema, options_of(cursor, partition.oid))
    like = partition.name.identifier
    cursor.execute(compose("partitions.create_like", aside=aside.table, table=like))
    if aside.options:
        options = sql.SQL(", ".join(aside.options))
        cursor.execute(compose("properties.set_options", table=aside.table, options=options))
    if partition.condition is not None:
        condition = sql.SQL(partition.condition)
        cursor.execute(compose("partitions.add_condition", table=aside.table, condition=condition))
    count = rows.fill(cursor, aside.table, freeze=True)
    complete(cursor, aside)
    return count


def refuse_rows(cursor: Cursor, name: TableName, column: str, schema: str, rows: Rows) -> int:
    """Takes rows that no partition has. Raises JobError when there is one."""
    table = sql.Identifier(schema, "dapu_rest")
    cursor.execute(compose("partitions.create_like", aside=table, table=name.identifier))
    count = rows.fill(cursor, table)
    pieces = {"column": sql.Identifier(column), "table": table}
    cursor.execute(compose("partitions.any_value", **pieces))
    found = cursor.fetchone()
    if found is not None:
        value = "no value" if found[0] is None else f'the value "{found[0]}"'
        raise JobError(
            f"{name} has no partition for {count:,} of the rows, such as those with {value} in "
            f"{column}: add one in the next step in ver/, or a default partition"
        )
    cursor.execute(compose("table.drop", table=table))
    return 0


def put_partitions_in_place(
    cursor: Cursor, name: TableName, partitioned: Partitioned, schema: str
) -> None:
    """All partitions change places with those that were built aside.

    Raises JobError when the lock is not to be had, or the table is not as it was meanwhile.
    """
    lock(cursor, name, partitioned.oid)
    if _partitions(cursor, partitioned.oid) != partitioned.partitions:
        raise JobError(f"{name} got other partitions while it was loaded; {NEXT_RUN}")
    old_schema = schema.replace("new", "old", 1)
    cursor.execute(compose("swap.create_schema", schema=sql.Identifier(old_schema)))
    taken = {one.oid: _taken(cursor, one, schema) for one in partitioned.partitions}
    try:
        _exchange_all(cursor, name, partitioned.partitions, schema, taken, old_schema)
    except psycopg2.ProgrammingError as error:
        raise JobError(
            f"{name} was altered while it was loaded: {error.diag.message_primary}; {NEXT_RUN}"
        ) from error
    for one in (old_schema, schema):
        cursor.execute(compose("swap.drop_schema", schema=sql.Identifier(one)))


def _exchange_all(
    cursor: Cursor,
    name: TableName,
    partitions: Sequence[Partition],
    schema: str,
    taken: Mapping[int, Attachments],
    old_schema: str,
) -> None:
    for one in partitions:
        pieces = {"table": name.identifier, "partition": one.name.identifier}
        cursor.execute(compose("partitions.detach", **pieces))
    for one in partitions:
        exchange(cursor, one.aside(schema), taken[one.oid], old_schema)
    for one in sorted(partitions, key=lambda partition: partition.is_default):
        pieces = {"table": name.identifier, "partition": one.name.identifier}
        cursor.execute(compose("partitions.attach", **pieces, bound=sql.SQL(one.bound)))
        if one.condition is not None:
            cursor.execute(compose("partitions.drop_condition", table=one.name.identifier))


def _taken(cursor: Cursor, partition: Partition, schema: str) -> Attachments:
    """What the old partition has. Raises JobError when the new one has not the same."""
    new = describe(cursor, TableName(schema, partition.name.table))
    if new is None:
        raise JobError(f"what was read for {partition.name} is gone; {NEXT_RUN}")
    old = attachments_of(cursor, partition.aside(schema))
    of_new = Aside(TableName(schema, partition.name.table), new.oid, schema, ())
    made = attachments_of(cursor, of_new, partition.name.schema)
    if _lasting(old) != _lasting(made) or hindrance(cursor, partition.oid, as_partition=True):
        raise JobError(f"{partition.name} was altered while it was loaded; {NEXT_RUN}")
    given = properties_of(cursor, str(partition.name), partition.oid)
    aside = partition.aside(schema)
    if given != properties_of(cursor, str(partition.name), new.oid):
        give_properties(cursor, aside.table, given, "table")
    return old


def _lasting(attachments: Attachments) -> set[object]:
    """Without where the statistics are to go, which differs."""
    statistics = [create for create, _ in attachments.statistics]
    return {
        *attachments.options,
        *attachments.constraints,
        *attachments.indexes,
        *statistics,
        *attachments.details,
    }
