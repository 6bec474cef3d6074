"""Deletes rows that the next ones replace, where no other table suffers from it."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.table.relation import Relation
from dapu.named_sql import statement
from dapu.statement import TableName

_INSTEAD = (
    "give `load: snapshot` or `load: merge` with a `key`, which leave a row in its place that is "
    "still there"
)


def delete_replaced(
    cursor: Cursor,
    name: TableName,
    relation: Relation,
    deletion: sql.Composable,
    values: Mapping[str, object] | None = None,
    *,
    whole: bool = False,
) -> int:
    """Deletes rows that come again, or newer ones for them; returns how many.

    relation: the table as it is. deletion: the statement, with its values. whole: it deletes all
    rows, so that those of the table itself that refer to them go in any case.
    Raises JobError when rows of other tables would change with them, or refer to them.
    """
    cursor.execute(
        statement("delete_replaced.cascades"), {"oid": relation.oid, "itself": not whole}
    )
    found = cursor.fetchone()
    if found is not None:
        other, constraint, go = found
        what = "would be deleted" if go else "would lose what they refer to"
        raise JobError(
            f"rows of {name} cannot be deleted to make room for new ones: rows of {other} {what}, "
            f"since its foreign key {constraint} says so; {_INSTEAD}"
        )
    try:
        cursor.execute(deletion, values)
    except (psycopg2.errors.ForeignKeyViolation, psycopg2.errors.RestrictViolation) as error:
        raise JobError(
            f"rows of {name} cannot be deleted to make room for new ones: "
            f"{(error.diag.message_detail or error.diag.message_primary or '').rstrip('.')}; "
            f"{_INSTEAD}, or make the foreign key {error.diag.constraint_name} `deferrable "
            "initially deferred`"
        ) from error
    except psycopg2.errors.ObjectNotInPrerequisiteState as error:  # a publication's
        raise JobError(
            f"rows of {name} cannot be deleted to make room for new ones: "
            f"{error.diag.message_primary}; give the table a primary key, or `alter table {name} "
            "replica identity full;`"
        ) from error
    return cursor.rowcount
