"""SQL statements read by sqlglot: which tables and columns they name, and what a query gives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.scope import Scope, ScopeType, traverse_scope

from dapu.lineage.assignments import (
    assigned,
    conflict_query,
    inserted_columns,
    query_of,
    target_of,
)
from dapu.lineage.facts import Origin, Output, Place, Problem, Read, Use

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what it does not look into

_SYSTEM_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"}
_WORDS = {  # without brackets, functions of standard SQL look like columns
    *("current_catalog", "current_date", "current_role", "current_schema", "current_time"),
    *("current_timestamp", "current_user", "localtime", "localtimestamp", "session_user"),
    *("system_user", "user", "default"),
}
_UNKNOWN = ""
"""Stands for a table of which nothing is known, among those that a column may be of."""
Name = Callable[[exp.Table], str | None]
"""The name by which a table is known; None for one that cannot be known."""


@dataclass
class SqlText:
    """One SQL file, and what was found in it.

    name: see `Name`. outputs: those of its last query. writes: those of each table that it fills.
    is_opaque: a statement is in it of which nothing is known.
    """

    file: str
    text: str
    dialect: str
    name: Name
    problems: list[Problem] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    outputs: list[Output] | None = None
    writes: dict[str, list[Output]] = field(default_factory=dict)
    is_opaque: bool = False

    def read(self) -> SqlText:
        """Reads it; what cannot be read is one of the problems."""
        try:
            statements = parse(self.text, read=self.dialect)
        except ParseError as error:
            self._note(error)
            return self
        except (SqlglotError, RecursionError) as error:
            self.problems.append(Problem(Place(self.file, 1, 1), str(error).splitlines()[0]))
            return self
        for statement in statements:
            if statement is not None:
                self._look_at(normalize_identifiers(statement, dialect=self.dialect))
        return self

    def place(self, node: exp.Expr) -> Place:
        """Where an identifier stands."""
        start = node.meta.get("start", 0)
        before = self.text[:start]
        return Place(self.file, before.count("\n") + 1, start - before.rfind("\n"))

    def _note(self, error: ParseError) -> None:
        first: dict[str, Any] = error.errors[0] if error.errors else {}
        line, end = first.get("line") or 1, first.get("col") or 1
        found = first.get("highlight") or ""
        what = str(first.get("description") or error).partition(" for <class")[0]
        message = f"{what[:1].lower()}{what[1:].rstrip('.')}" + (f" at `{found}`" if found else "")
        column = max(end - len(found) + 1, 1)
        self.problems.append(Problem(Place(self.file, line, column), message))

    def _look_at(self, statement: exp.Expr) -> None:
        if isinstance(statement, exp.Command | exp.Create) and not _has_query(statement):
            self.is_opaque |= not _is_plain_ddl(statement)
            return
        for select in list(statement.find_all(exp.Select)):
            select.set("locks", None)  # `for update of t` names what is there already
        target = target_of(statement)
        self._read_tables(statement, target)
        query = _query(statement)
        if query is not None:
            outputs = _Query(self, query).outputs()
            if target is None:
                self.outputs = outputs
            elif outputs is not None:
                self._note_writes(statement, target, _as_columns(statement, outputs))
        instead = conflict_query(statement)
        if instead is not None and target is not None:
            outputs = _Query(self, instead).outputs()
            self._note_writes(statement, target, outputs or [])
            self.uses = list(dict.fromkeys(self.uses))  # the query that inserts is in both

    def _note_writes(self, statement: exp.Expr, target: exp.Table, outputs: list[Output]) -> None:
        table = self.name(target)
        if table is None:
            return
        self.writes.setdefault(table, []).extend(outputs)
        for column in assigned(statement):
            self.uses.append(Use(table, column.name, self.place(column.this)))

    def _read_tables(self, statement: exp.Expr, target: exp.Table | None) -> None:
        names = {cte.alias for cte in statement.find_all(exp.CTE)}
        for table in statement.find_all(exp.Table):
            if table is target or not isinstance(table.this, exp.Identifier):
                continue
            if not table.db and table.name in names:
                continue
            known = self.name(table)
            if known is None:
                self.is_opaque = True
            else:
                self.reads.append(Read(known, self.place(table.args.get("db") or table.this)))


def _query(statement: exp.Expr) -> exp.Query | None:
    """The query that it is, has, or is as good as."""
    if isinstance(statement, exp.Query):
        return statement
    found = statement.expression
    if not isinstance(found, exp.Query):
        return query_of(statement)
    before = statement.args.get("with_")
    if before is not None and found.args.get("with_") is None:  # `with x as (…) insert …`
        found = found.copy()
        found.set("with_", before.copy())
    return found


def _has_query(statement: exp.Expr) -> bool:
    return isinstance(statement.expression, exp.Query)


def _is_plain_ddl(statement: exp.Expr) -> bool:
    """Whether a statement without a query reads no table: `create index`, `vacuum`, `analyze`."""
    if isinstance(statement, exp.Command):
        return str(statement.this).lower() in ("vacuum", "analyze", "reindex", "cluster")
    return str(statement.args.get("kind")).lower() in ("index", "table", "schema", "sequence")


def _as_columns(statement: exp.Expr, outputs: list[Output]) -> list[Output]:
    """The outputs under the names of `insert into t (a, b)`."""
    names = inserted_columns(statement)
    if len(names) == len(outputs) and all(one.name != "*" for one in outputs):
        return [Output(name, one.origins) for name, one in zip(names, outputs, strict=True)]
    return outputs


class _Query:
    """One query with its scopes: each SELECT, and what it sees."""

    def __init__(self, sql: SqlText, query: exp.Query) -> None:
        self._sql = sql
        try:
            self._scopes = list(traverse_scope(query))
        except (SqlglotError, RecursionError):
            self._scopes = []
            sql.is_opaque = True
        self._known: dict[int, list[Output] | None] = {}
        self._of_column: dict[int, Scope] = {}
        for scope in self._scopes:  # the innermost first
            for column in scope.columns:
                self._of_column.setdefault(id(column), scope)

    def outputs(self) -> list[Output] | None:
        """The query's columns; None when they cannot be known. Notes all that it uses."""
        before = len(self._sql.uses)
        try:
            for scope in self._scopes:
                self._note_uses(scope)
            return self._outputs(self._scopes[-1]) if self._scopes else None
        except (SqlglotError, RecursionError):
            del self._sql.uses[before:]
            self._sql.is_opaque = True
            return None

    def _note_uses(self, scope: Scope) -> None:
        aliases = {one.alias for one in getattr(scope.expression, "selects", []) if one.alias}
        for column in scope.columns:
            if isinstance(column.this, exp.Star) or self._of_column.get(id(column)) is not scope:
                continue
            if not column.table and column.name in aliases | set(_sources(scope)) | _WORDS:
                continue  # of the result, a whole row, or no column at all
            origins = self._resolve(column, scope)
            if len(origins) == 1:
                ((table, name),) = origins
                if table and name not in _SYSTEM_COLUMNS and name != "*":
                    self._sql.uses.append(Use(table, name, self._sql.place(column.this)))

    def _outputs(self, scope: Scope) -> list[Output] | None:
        if id(scope) not in self._known:
            self._known[id(scope)] = None  # a recursive one has itself as a source
            self._known[id(scope)] = self._compute(scope)
        return self._known[id(scope)]

    def _compute(self, scope: Scope) -> list[Output] | None:
        if isinstance(scope.expression, exp.SetOperation):
            return self._union([self._outputs(one) for one in scope.set_operation_scopes])
        if not isinstance(scope.expression, exp.Select):
            return None
        found: list[Output] = []
        for one in scope.expression.selects:
            more = self._star(one, scope) if one.is_star else [self._output(one, scope)]
            if more is None:
                return None
            found += more
        return _renamed(scope, found)

    def _union(self, sides: list[list[Output] | None]) -> list[Output] | None:
        first, others = sides[0], sides[1:]
        if first is None:
            return None
        if any(other is None or len(other) != len(first) for other in others):
            return first
        found = [Output(one.name, list(one.origins)) for one in first]
        for side in others:
            for one, other in zip(found, side or (), strict=True):
                one.origins.extend(some for some in other.origins if some not in one.origins)
        return found

    def _star(self, one: exp.Expr, scope: Scope) -> list[Output] | None:
        if not isinstance(one, exp.Star | exp.Column):  # `(row).*`
            return None
        table = one.table if isinstance(one, exp.Column) else ""
        sources = _sources(scope)
        if table and table not in sources:
            return None
        if isinstance(one, exp.Star) and any(one.args.values()):  # `except`, `replace`
            return None
        found: list[Output] = []
        for source in [sources[table]] if table else sources.values():
            more = self._all_of(source)
            if more is None:
                return None
            found += more
        return found

    def _all_of(self, source: exp.Table | Scope) -> list[Output] | None:
        if isinstance(source, Scope):
            return self._outputs(source)
        name = self._name(source)
        return None if name is None else [Output("*", [[(name, "*")]])]

    def _output(self, one: exp.Expr, scope: Scope) -> Output:
        origins: list[list[Origin]] = []
        for column in one.find_all(exp.Column):
            if not isinstance(column.this, exp.Star):
                found = self._resolve(column, self._of_column.get(id(column), scope))
                if found and found not in origins:
                    origins.append(found)
        return Output(one.alias or _default_name(one), origins)

    def _resolve(self, column: exp.Column, scope: Scope | None) -> list[Origin]:
        """What a column may be; several where the SQL does not say of which table it is."""
        found: list[Origin] = []
        while scope is not None:
            sources = _sources(scope)
            if column.table in sources:
                return self._from(sources[column.table], column.name)
            if not column.table:
                for source in sources.values():
                    if self._has(source, column.name):
                        return [*found, *self._from(source, column.name)]
                    found += self._may_be(source, column.name)
            scope = scope.parent if _sees_parent(scope) else None
        return list(dict.fromkeys(found))

    def _has(self, source: exp.Table | Scope, name: str) -> bool:
        outputs = self._outputs(source) if isinstance(source, Scope) else None
        return any(one.name == name for one in outputs or ())

    def _may_be(self, source: exp.Table | Scope, name: str) -> list[Origin]:
        if isinstance(source, Scope) and self._outputs(source) is not None:
            return self._from(source, name)
        return self._from(source, name) or [(_UNKNOWN, name)]

    def _from(self, source: exp.Table | Scope, name: str) -> list[Origin]:
        """A column of a source; several where a subquery makes it of several."""
        if not isinstance(source, Scope):
            table = self._name(source)
            return [] if table is None else [(table, name)]
        outputs = self._outputs(source) or []
        for one in outputs:
            if one.name == name:
                return [origin for some in one.origins for origin in some]
        return [(table, name) for one in outputs if one.name == "*" for table, _ in one.origins[0]]

    def _name(self, table: exp.Table) -> str | None:
        alias = table.args.get("alias")
        if not isinstance(table.this, exp.Identifier) or (alias and alias.columns):
            return None
        return self._sql.name(table)


def _sources(scope: Scope) -> dict[str, exp.Table | Scope]:
    """What stands behind its FROM, by name."""
    return {name: source for name, (_, source) in scope.selected_sources.items()}


def _sees_parent(scope: Scope) -> bool:
    """Whether its columns may be those of the query around it."""
    if scope.is_subquery or scope.is_udtf or scope.scope_type is ScopeType.SET_OPERATION:
        return True
    return scope.is_derived_table and isinstance(scope.expression.parent, exp.Lateral)


def _renamed(scope: Scope, outputs: list[Output]) -> list[Output]:
    """Under the names of `with x (a, b)` and `(…) as x (a, b)`."""
    parent = scope.expression.parent
    alias = parent.args.get("alias") if isinstance(parent, exp.CTE | exp.Subquery) else None
    names = [one.name for one in alias.columns] if isinstance(alias, exp.TableAlias) else []
    if not names or any(one.name == "*" for one in outputs):
        return outputs
    names += [one.name for one in outputs[len(names) :]]
    return [Output(name, one.origins) for name, one in zip(names, outputs, strict=False)]


_NAMED: dict[type[exp.Expr], str] = {
    exp.Avg: "avg",
    exp.Coalesce: "coalesce",
    exp.Count: "count",
    exp.Max: "max",
    exp.Min: "min",
    exp.Sum: "sum",
}


def _default_name(one: exp.Expr) -> str:
    """As PostgreSQL calls a column without a name; empty where sqlglot does not say."""
    while isinstance(one, exp.Paren | exp.Filter | exp.Window) or (
        isinstance(one, exp.Cast) and isinstance(one.this, exp.Column)
    ):
        one = one.this
    return one.name if isinstance(one, exp.Column) else _NAMED.get(type(one), "")
