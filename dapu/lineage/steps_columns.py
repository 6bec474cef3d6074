"""Which columns the steps in ver/ give a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from dapu.definitions.steps import MigrationStep
from dapu.errors import FaultyFile

_HARMLESS = (exp.Comment, exp.Insert, exp.Update, exp.Delete, exp.Grant, exp.Set, exp.Analyze)


def columns_after(
    steps: Iterable[MigrationStep], names: Mapping[str, Any], table: str
) -> list[str] | None:
    """The columns of a table after its steps; None when that cannot be known.

    names: for the templates. table: `schema.table`.
    """
    columns: list[str] | None = None
    try:
        for step in steps:
            text = step.statement(names).readable()
            for statement in parse(text, read="postgres"):
                if statement is not None:
                    found = normalize_identifiers(statement, dialect="postgres")
                    columns = _after(found, table, columns)
    except (SqlglotError, FaultyFile, LookupError, RecursionError):
        return None
    return columns


def _after(statement: exp.Expr, table: str, columns: list[str] | None) -> list[str] | None:
    """Raises LookupError for a statement that may do anything."""
    target = statement.find(exp.Table)
    is_own = target is not None and f"{target.db}.{target.name}" == table
    if isinstance(statement, exp.Create):
        kind = str(statement.args.get("kind")).upper()
        if kind == "TABLE" and is_own:
            return _created(statement)
        if kind in ("TABLE", "INDEX", "SCHEMA", "SEQUENCE", "VIEW"):
            return columns
    if isinstance(statement, exp.Alter):
        return columns if not is_own else _altered(statement, columns)
    if isinstance(statement, _HARMLESS):
        return columns
    raise LookupError(statement.key)


def _created(statement: exp.Create) -> list[str]:
    schema = statement.this
    if not isinstance(schema, exp.Schema) or statement.args.get("properties"):
        raise LookupError("create")
    for one in schema.expressions:
        if isinstance(one, exp.LikeProperty):
            raise LookupError("like")
    return [one.name for one in schema.expressions if isinstance(one, exp.ColumnDef)]


def _altered(statement: exp.Alter, columns: list[str] | None) -> list[str]:
    if columns is None:
        raise LookupError("alter")
    found = list(columns)
    for action in statement.args.get("actions") or ():
        if isinstance(action, exp.ColumnDef):
            found.append(action.name)
        elif isinstance(action, exp.Drop) and action.args.get("kind") == "COLUMN":
            found.remove(action.this.name)
        elif isinstance(action, exp.RenameColumn):
            found[found.index(action.this.name)] = action.args["to"].name
        elif not isinstance(action, exp.AlterColumn | exp.AddConstraint):
            raise LookupError(action.key)
    return list(dict.fromkeys(found))
