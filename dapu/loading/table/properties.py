"""Owner, storage options, comment and grants of a table or view, and giving them to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.table.relation import oid_of
from dapu.named_sql import compose, statement


@dataclass(frozen=True)
class Properties:
    """What belongs to a table or view beside its columns and rows.

    grants: column (None: the whole), role (None: PUBLIC), privilege, and whether it may grant it.
    """

    owner: str
    options: tuple[str, ...]
    comment: str | None
    grants: tuple[tuple[str | None, str | None, str, bool], ...]


def properties_of(cursor: Cursor, name: str, oid: int) -> Properties:
    """Owner, storage options, comment and grants of a table or view.

    Raises JobError when it was dropped. name: of it, for the message.
    """
    cursor.execute(statement("properties.properties"), {"oid": oid})
    found = cursor.fetchone()
    if found is None:
        raise JobError(f"{name} was dropped meanwhile")
    owner, options, comment = found
    return Properties(owner, tuple(options or ()), comment, tuple(_grants(cursor, oid)))


def give_properties(
    cursor: Cursor, table: sql.Identifier, given: Properties, kind: Literal["table", "view"]
) -> None:
    """Gives a table or view these properties; its grants are those, and no others."""
    cursor.execute(compose("properties.set_owner", table=table, role=sql.Identifier(given.owner)))
    if given.options:
        # Text that PostgreSQL itself gave.
        text = sql.SQL(", ".join(given.options))
        cursor.execute(compose("properties.set_options", table=table, options=text))
    comment = compose("properties.set_comment", kind=sql.SQL(kind), table=table)
    cursor.execute(comment, {"comment": given.comment})
    _give_grants(cursor, table, given)


def copy_properties(
    cursor: Cursor, table: sql.Identifier, oid: int, kind: Literal["table", "view"]
) -> None:
    """Gives a new table or view the owner, storage options, comment and grants of another.

    oid: of the other. Raises JobError when it was dropped.
    """
    give_properties(cursor, table, properties_of(cursor, table.strings[-1], oid), kind)


def _give_grants(cursor: Cursor, table: sql.Identifier, given: Properties) -> None:
    for _, role, _, _ in _grants(cursor, oid_of(cursor, table)):  # what default privileges gave
        cursor.execute(compose("properties.revoke_all", table=table, role=_role(role)))
    for column, role, privilege, grantable in given.grants:
        # The privilege is a word of PostgreSQL's own.
        what = sql.SQL(privilege)
        if column is not None:
            what = sql.SQL("{} ({})").format(what, sql.Identifier(column))  # type: ignore[assignment]
        to = _role(role)
        grant = compose("properties.grant", privilege=what, table=table, role=to)
        cursor.execute(grant + sql.SQL(" with grant option") if grantable else grant)


def _grants(cursor: Cursor, oid: int) -> list[tuple[str | None, str | None, str, bool]]:
    cursor.execute(statement("properties.grants"), {"oid": oid})
    return cursor.fetchall()


def _role(name: str | None) -> sql.Composable:
    return sql.SQL("public") if name is None else sql.Identifier(name)
