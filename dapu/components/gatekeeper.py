"""The Gatekeeper: brings what groups may read in line with grants.yaml.

A group is a role without login that a comment marks as this warehouse's. No other role is touched,
but for being a member or not. What a group has and the file does not say is revoked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.components.masked_views import (
    MaskedView,
    TableColumns,
    Tables,
    changed_views,
    masked_views,
    missing_masks,
    present_views,
)
from dapu.definitions.grants import Grants, Group, Readable, is_pattern, read_grants
from dapu.errors import DapuError, FaultyFile
from dapu.named_sql import compose, statement
from dapu.registry.version import registry_of
from dapu.statement import LONGEST_NAME, TableName
from dapu.suggest import nearest
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import Document

Kind = Literal["schema", "table", "sequence", "column", "default", "member"]


@dataclass(frozen=True, order=True)
class Grant:
    """One thing that a group may do.

    kind: `default` is of tables to come. member: who belongs to the group.
    may_pass_on: with grant option, which no group is to have.
    """

    role: str
    kind: Kind
    schema: str = ""
    table: str = ""
    column: str = ""
    privilege: str = ""
    member: str = ""
    may_pass_on: bool = False

    def __str__(self) -> str:
        if self.kind == "member":
            option = " (and may let others in)" if self.may_pass_on else ""
            return f"{self.role}: {self.member} belongs to it{option}"
        what = ".".join(part for part in (self.schema, self.table, self.column) if part)
        words = {"default": "tables to come in the schema"}
        option = " (and pass it on)" if self.may_pass_on else ""
        kind = words.get(self.kind, self.kind)
        return f"{self.role}: {self.privilege.lower()} on {kind} {what}".rstrip() + option


@dataclass(frozen=True)
class Plan:
    """How what is granted differs from the file.

    new, old: groups to make and to drop. described: comments that groups are to have.
    missing: what the file names and is not there yet. locked: tables that get or lose a grant.
    views, old_views: masked views to make, and to drop before. mark: of this warehouse.
    """

    new: Sequence[str]
    old: Sequence[str]
    described: Mapping[str, str]
    granted: Sequence[Grant]
    revoked: Sequence[Grant]
    missing: Sequence[str]
    locked: Sequence[tuple[str, str]]
    views: Sequence[MaskedView]
    old_views: Sequence[TableName]
    mark: str

    @property
    def is_empty(self) -> bool:
        """Whether all is as the file says."""
        roles, views = (self.new, self.old, self.described), (self.views, self.old_views)
        return not any((*roles, *views, self.granted, self.revoked))


def plan_grants(warehouse: Warehouse) -> Plan:
    """What `apply_grants` would do.

    Raises ConfigurationError when there is no grants.yaml; FaultyFile when it is faulty, names a
    role that does not exist as a member, or a group that is a role of somebody else.
    """
    grants, document = read_grants(warehouse.folder)
    with warehouse.session("gatekeeper") as session, session.cursor() as cursor:
        return _Gatekeeper(warehouse, cursor, grants, document).plan()


def apply_grants(warehouse: Warehouse) -> Plan:
    """Makes what is granted as the file says, in one transaction; returns what was done.

    Raises as `plan_grants` does, and DapuError when PostgreSQL does not let it: nothing is changed
    then.
    """
    grants, document = read_grants(warehouse.folder)
    with warehouse.session("gatekeeper") as session, session, session.cursor() as cursor:
        gatekeeper = _Gatekeeper(warehouse, cursor, grants, document)
        plan = gatekeeper.plan()
        for change in _changes(plan):
            _execute(cursor, change)
        rest = gatekeeper.plan()
        if not rest.is_empty:
            left = [f"{grant} (still granted)" for grant in rest.revoked]
            left += [f"{grant} (not granted)" for grant in rest.granted]
            raise DapuError(
                f"nothing was changed, since another role granted or owns it: {'; '.join(left)}; "
                "let its owner do that, or make dapu's role a member of the owner"
            )
    return plan


def _execute(cursor: Cursor, change: sql.Composed) -> None:
    try:
        cursor.execute(change)
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        text = change.as_string(cursor)
        why = error.diag.message_primary or str(error).strip()
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        raise DapuError(f"nothing was changed: `{text}`: {why}{detail}") from error


class _Gatekeeper:
    """One look at what is, and at what is to be."""

    def __init__(
        self, warehouse: Warehouse, cursor: Cursor, grants: Grants, document: Document
    ) -> None:
        registry = registry_of(warehouse)
        self._cursor, self._grants, self._document = cursor, grants, document
        cursor.execute(statement("gatekeeper.lock"), {"key": registry.lock_key("gatekeeper")})
        place = f"{registry.schema}.{registry.prefix}".rstrip(".")
        cursor.execute(statement("gatekeeper.mark"), {"registry": place})
        self._mark = str((cursor.fetchone() or [""])[0])

    def plan(self) -> Plan:
        """The difference."""
        roles = self._roles()
        own = {name for name, comment in roles.items() if _has_mark(comment, self._mark)}
        self._check(roles, own)
        wanted = self._grants.groups
        tables = self._tables()
        self._cursor.execute(statement("gatekeeper.schemas"))
        schemas = {row[0] for row in self._cursor.fetchall()}
        views = list(masked_views(wanted, tables))
        self._check_masks(views, desired := set(_desired(wanted, schemas, tables)))
        there = present_views(self._cursor, self._mark)
        made, dropped = changed_views(views, there, self._mark)
        for view in views:
            place = view.name
            desired.add(Grant(view.group, "schema", place.schema, privilege="USAGE"))
            desired.add(Grant(view.group, "table", place.schema, place.table, privilege="SELECT"))
        present = {
            grant
            for grant in self._present(sorted(own))
            if TableName(grant.schema, grant.table) not in dropped  # what it had goes with it
        }
        granted, revoked = sorted(desired - present), sorted(present - desired)
        comments = {name: _comment(self._mark, group) for name, group in wanted.items()}
        touched = {(one.schema, one.table) for one in (*granted, *revoked) if one.table}
        return Plan(
            new=sorted(set(wanted) - own),
            old=sorted(own - set(wanted)),
            described={name: text for name, text in comments.items() if roles.get(name) != text},
            granted=granted,
            revoked=revoked,
            missing=[*_missing(wanted, schemas, tables), *missing_masks(wanted, tables)],
            locked=sorted(p for p in touched if p in tables and tables[p].is_table),
            views=made,
            old_views=dropped,
            mark=self._mark,
        )

    def _roles(self) -> dict[str, str]:
        self._cursor.execute(statement("gatekeeper.roles"))
        return dict(self._cursor.fetchall())

    def _check(self, roles: Mapping[str, str], own: set[str]) -> None:
        faults = []
        for name, group in self._grants.groups.items():
            if name in roles and name not in own:
                faults.append(self._document.fault(_whose(name, roles[name]), "groups", name))
            known = {*roles, *self._grants.groups}
            people = [role for role in known if not role.startswith("pg_")]
            for at, member in enumerate(group.members):
                if member not in known:
                    message = (
                        f"there is no role `{member}`{nearest(member, people)}; the Gatekeeper "
                        "makes groups, and no logins"
                    )
                    steps = ("groups", name, "members", at)
                    faults.append(self._document.fault(message, *steps))
        if faults:
            raise FaultyFile(faults)

    def _check_masks(self, views: Sequence[MaskedView], desired: set[Grant]) -> None:
        """Raises FaultyFile for what would be masked in vain, or in two ways."""
        faults, seen = [], set[TableName]()
        open_to = {(one.role, one.schema, one.table, one.column) for one in desired if one.table}
        for view in views:
            steps = ("groups", view.group)
            if view.name in seen:
                message = f"{view.of} is masked twice; say it in one entry"
                faults.append(self._document.fault(message, *steps))
            seen.add(view.name)
            if len(view.name.schema.encode()) > LONGEST_NAME:
                message = f"the schema {view.name.schema} would have over {LONGEST_NAME} bytes"
                faults.append(self._document.fault(message, *steps))
            place = (view.group, view.of.schema, view.of.table)
            if any((*place, column) in open_to for column in ("", *view.masks)):
                message = f"another entry lets it read {view.of} unmasked"
                faults.append(self._document.fault(message, *steps))
        if faults:
            raise FaultyFile(faults)

    def _tables(self) -> dict[tuple[str, str], TableColumns]:
        self._cursor.execute(statement("gatekeeper.tables"), {"beginning": f"{self._mark}, "})
        return {
            (schema, table): TableColumns(is_table, dict(columns))
            for schema, table, is_table, columns in self._cursor.fetchall()
        }

    def _present(self, roles: Sequence[str]) -> Iterator[Grant]:
        self._cursor.execute(statement("gatekeeper.grants"), {"roles": list(roles)})
        for kind, schema, table, column, privilege, may_pass_on, role in self._cursor.fetchall():
            yield Grant(role, kind, schema, table, column, privilege, "", may_pass_on)
        self._cursor.execute(statement("gatekeeper.members"), {"roles": list(roles)})
        for role, member, may_pass_on in self._cursor.fetchall():
            yield Grant(role, "member", member=member, may_pass_on=may_pass_on)


def _comment(mark: str, group: Group) -> str:
    return f"{mark}: {group.description}" if group.description else mark


def _has_mark(comment: str, mark: str) -> bool:
    return comment == mark or comment.startswith(f"{mark}: ")


def _whose(name: str, comment: str) -> str:
    owner = comment.partition(": ")[0] if comment.startswith("dapu gatekeeper of ") else ""
    whose = f"that of the {owner}" if owner else "none of the Gatekeeper's"
    return (
        f"the role `{name}` exists in this cluster, and is {whose}, so that it is left alone; give "
        "the group another name"
    )


def _desired(groups: Mapping[str, Group], schemas: set[str], tables: Tables) -> Iterator[Grant]:
    for role, group in groups.items():
        for member in group.members:
            yield Grant(role, "member", member=member)
        for readable in group.reads:
            yield from _readable(role, readable, schemas, tables)


def _readable(role: str, readable: Readable, schemas: set[str], tables: Tables) -> Iterator[Grant]:
    if readable.schema_name in schemas and readable.is_whole:
        yield Grant(role, "schema", readable.schema_name, privilege="USAGE")
        yield Grant(role, "default", readable.schema_name, privilege="SELECT")
    if readable.mask:
        return  # it reads views instead
    for (schema, table), (_, columns) in tables.items():
        if not readable.means(schema, table):
            continue
        yield Grant(role, "schema", schema, privilege="USAGE")
        if readable.columns is None:
            yield Grant(role, "table", schema, table, privilege="SELECT")
        for column in readable.columns or ():
            if column in columns:
                yield Grant(role, "column", schema, table, column, "SELECT")


def _missing(groups: Mapping[str, Group], schemas: set[str], tables: Tables) -> Iterator[str]:
    """What the file names in full and is not there: a slip of the pen, or still to come."""
    for role, group in groups.items():
        for readable in group.reads:
            schema = readable.schema_name
            if not is_pattern(schema) and schema not in schemas:
                yield f"{role}: there is no schema {schema} yet{nearest(schema, schemas)}"
                continue
            in_schema = [table for place, table in tables if place == schema]
            for name in readable.tables:
                if not is_pattern(name) and not is_pattern(schema) and name not in in_schema:
                    yield f"{role}: there is no table {schema}.{name} yet{nearest(name, in_schema)}"
            yield from _missing_columns(role, readable, tables)


def _missing_columns(role: str, readable: Readable, tables: Tables) -> Iterator[str]:
    for (schema, table), (_, columns) in tables.items():
        if readable.columns is not None and readable.means(schema, table):
            for column in readable.columns:
                if column not in columns:
                    near = nearest(column, columns)
                    yield f"{role}: {schema}.{table} has no column {column}{near}"


def _changes(plan: Plan) -> Iterator[sql.Composed]:
    """The statements, in an order in which each can be run."""
    for schema, table in plan.locked:
        yield compose("gatekeeper.lock_table", table=sql.Identifier(schema, table))
    for role in plan.new:
        yield compose("gatekeeper.create_role", role=sql.Identifier(role))
    for role, comment in sorted(plan.described.items()):
        pieces = {"role": sql.Identifier(role), "comment": sql.Literal(comment)}
        yield compose("gatekeeper.comment_role", **pieces)
    for grant in plan.revoked:
        yield _revoke(grant)
    yield from _changes_of_views(plan)
    for grant in plan.granted:
        yield _grant(grant)
    for role in plan.old:
        yield compose("gatekeeper.drop_role", role=sql.Identifier(role))


def _changes_of_views(plan: Plan) -> Iterator[sql.Composed]:
    for name in plan.old_views:
        yield compose("gatekeeper.drop_view", view=name.identifier)
    for view in plan.views:
        yield from view.statements(plan.mark)


def _grant(grant: Grant) -> sql.Composed:
    pieces = _pieces(grant)
    if grant.kind == "member":
        return compose("gatekeeper.grant_member", **pieces)
    if grant.kind == "default":
        return compose("gatekeeper.grant_default", **pieces)
    return compose("gatekeeper.grant", **pieces)


def _revoke(grant: Grant) -> sql.Composed:
    pieces = _pieces(grant)
    if grant.kind == "member":
        return compose("gatekeeper.revoke_member", **pieces)
    if grant.kind == "default":
        return compose("gatekeeper.revoke_default", **pieces)
    return compose("gatekeeper.revoke", **pieces)


def _pieces(grant: Grant) -> dict[str, sql.Composable]:
    role = sql.Identifier(grant.role)
    if grant.kind == "member":
        return {"role": role, "member": sql.Identifier(grant.member)}
    # A privilege is a word of PostgreSQL's own.
    privilege: sql.Composable = sql.SQL(grant.privilege)
    kind = "table" if grant.kind == "column" else grant.kind
    if grant.kind == "column":
        privilege = sql.SQL("{} ({})").format(privilege, sql.Identifier(grant.column))
    what = sql.Identifier(*(part for part in (grant.schema, grant.table) if part))
    pieces: dict[str, sql.Composable] = {"role": role, "privilege": privilege, "what": what}
    return pieces if grant.kind == "default" else {**pieces, "kind": sql.SQL(kind)}
