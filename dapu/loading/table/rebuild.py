"""`dapu run --rebuild`: the table goes, and the same job makes and fills it anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.table.properties import give_properties, properties_of
from dapu.loading.table.relation import describe, is_table
from dapu.named_sql import compose
from dapu.statement import TableName


@contextmanager
def rebuilt(cursor: Cursor, name: TableName) -> Iterator[None]:
    """Drops a table; the block makes it anew, and then it gets its owner, grants and comment back.

    All in the caller's transaction. A table that is missing is no fault.
    Raises JobError when views or other tables depend on it.
    """
    relation = describe(cursor, name)
    if relation is None or not is_table(relation):
        yield
        return
    kept = properties_of(cursor, str(name), relation.oid)
    try:
        cursor.execute(compose("table.drop", table=name.identifier))
    except psycopg2.errors.DependentObjectsStillExist as error:
        others = (error.diag.message_detail or "").replace("\n", "; ")
        raise JobError(
            f"{name} cannot be rebuilt, since others depend on it: {others}. Drop them before, and "
            "make them again afterwards"
        ) from None
    yield
    new = describe(cursor, name)
    if new is not None and is_table(new):
        columns = {None, *(column.name for column in new.columns)}
        grants = tuple(grant for grant in kept.grants if grant[0] in columns)
        give_properties(cursor, name.identifier, replace(kept, grants=grants), "table")
