"""`<table>__rejected`: rows that the table could not take, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import describe, make_schema
from dapu.loading.values.scrub import BAD_BYTE, MARK, OWN_MARK
from dapu.named_sql import compose
from dapu.rows.exactness import REMARK
from dapu.rows.rows import Column
from dapu.statement import TableName

SUFFIX = "__rejected"
REMARK_PATTERN = rf" {REMARK}[(].*[)]$"
"""A regular expression, for PostgreSQL, of what a reader said with a value."""

_REMARK_IN_JSON = rf' {REMARK}[(]([^"\\]|\\.)*[)](?=")'
_COMPLETE = ("replace", "snapshot")


@dataclass(frozen=True)
class KeyRange:
    """The part of a table that was read: the rows whose key meets a condition.

    is_valid: asks of a text whether the key's type takes it.
    """

    key: Column
    condition: sql.Composable
    is_valid: sql.Composable


class RejectedRows:
    """The table of that name beside the target; it is made when it is missing."""

    def __init__(self, cursor: Cursor, name: TableName) -> None:
        beside = name.beside(SUFFIX)
        self._cursor, self._table = cursor, beside.identifier
        make_schema(cursor, name.schema)
        cursor.execute(compose("rejected.create", rejected=self._table))
        there = describe(cursor, beside)
        if there and all(column.name != "place" for column in there.columns):
            cursor.execute(compose("rejected.add_place", rejected=self._table))

    def put(
        self,
        options: LoadOptions,
        key_range: KeyRange | None,
        *,
        reasons: sql.Composable,
        places: Mapping[int, str],
        valid: sql.Composable,
    ) -> None:
        """Takes over the bad rows of `dapu_texts`, in place of those that were read again.

        key_range: what was read of the source, where the rest is as it was.
        places: where in the source rows stand, by their number.
        """
        if key_range is not None:
            self._clear_range(key_range)
        elif options.load in _COMPLETE:
            self._cursor.execute(compose("rejected.clear", rejected=self._table))
        # Only such a load brings each row once: another may have read it before.
        adds = options.load == "append" and options.watermark is None
        is_new = sql.SQL("true") if adds else compose("rejected.is_new", rejected=self._table)
        pieces = {
            "reasons": reasons,
            "valid": valid,
            "is_new": is_new,
            "rows": sql.Literal(list(places)),
            "places": sql.Literal(list(places.values())),
            "remark": sql.Literal(_REMARK_IN_JSON),
            "bad_byte": sql.Literal(BAD_BYTE),
            "own_mark": sql.Literal(OWN_MARK),
            "mark": sql.Literal(MARK),
        }
        self._cursor.execute(compose("rejected.put", rejected=self._table, **pieces))

    def _clear_range(self, key_range: KeyRange) -> None:
        self._cursor.execute(
            compose(
                "rejected.clear_range",
                rejected=self._table,
                is_valid=key_range.is_valid,
                text=sql.SQL("(record ->> {})").format(sql.Literal(key_range.key.name)),
                type_name=sql.Literal(key_range.key.type),
                type=sql.SQL(key_range.key.type),
                key=sql.Identifier(key_range.key.name),
                condition=key_range.condition,
            )
        )
