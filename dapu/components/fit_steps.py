"""Whether the steps in ver/ make a table as it is: they are tried, and undone again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.components.versioner import parts_of
from dapu.definitions.script import ScriptStatement, fault_in_statement
from dapu.definitions.steps import MigrationStep
from dapu.errors import DapuError, Fault, StepFault
from dapu.loading.table.relation import Relation, describe
from dapu.named_sql import compose, statement
from dapu.statement import TableName
from dapu.warehouse.postgres_session import given_path

_WAIT = "5s"  # for a table in use: all its readers would wait as well
_EXISTS = (  # what a step makes beside the table is there already, as it should be
    psycopg2.errors.DuplicateTable,
    psycopg2.errors.DuplicateObject,
    psycopg2.errors.DuplicateFunction,
    psycopg2.errors.DuplicateSchema,
    psycopg2.errors.UniqueViolation,
)


def check_fit(
    cursor: Cursor,
    table: TableName,
    relation: Relation,
    steps: Sequence[MigrationStep],
    names: Mapping[str, Any],
) -> None:
    """Looks whether steps that are recorded as applied make the columns that a table has.

    The table is moved to another schema and the steps are run, in the open transaction, which is
    as before afterwards. A statement that makes what exists is passed over.
    Raises StepFault when a step fails, or other columns come of them; DapuError when the table is
    in use or belongs to somebody else.
    """
    cursor.execute("savepoint dapu_fit")
    _make_room(cursor, table)
    for step in steps:
        with given_path(cursor):
            for part in parts_of(cursor, step, names):
                _try(cursor, step, part)
    made = describe(cursor, table)
    cursor.execute("rollback to savepoint dapu_fit")
    cursor.execute(statement("baseline.no_limit"))
    message = "they make no such table" if made is None else _difference(relation, made)
    if message:
        last = steps[-1]
        raise StepFault(Fault(last.path, 1, f"the steps do not fit the table {table}: {message}"))


def _make_room(cursor: Cursor, table: TableName) -> None:
    schema = sql.Identifier(f"dapu_fit_{os.getpid()}")
    try:
        cursor.execute(statement("baseline.no_long_wait"), {"wait": _WAIT})
        cursor.execute(compose("baseline.schema", schema=schema))
        cursor.execute(compose("baseline.move", table=table.identifier, schema=schema))
        cursor.execute(statement("baseline.no_limit"))
    except psycopg2.errors.LockNotAvailable as error:
        raise DapuError(f"{table} is in use; try again when nobody reads it") from error
    except psycopg2.errors.InsufficientPrivilege as error:
        raise DapuError(
            f"the steps of {table} cannot be tried: {error.diag.message_primary}; dapu's role "
            "needs to own the table, and the right to make schemas"
        ) from error


def _try(cursor: Cursor, step: MigrationStep, part: ScriptStatement) -> None:
    cursor.execute("savepoint dapu_statement")
    try:
        cursor.execute(part.text)
    except _EXISTS:
        cursor.execute("rollback to savepoint dapu_statement")
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        fault = fault_in_statement(step.path, part, error)
        message = f"cannot be what was applied: {fault.message}"
        raise StepFault(Fault(fault.file, fault.line, message)) from error


def _difference(there: Relation, made: Relation) -> str:
    """In which columns a table differs from the one that its steps make; empty when in none."""
    has = {column.name: column.type for column in there.columns}
    makes = {column.name: column.type for column in made.columns}
    found = [f"it lacks {name} ({kind})" for name, kind in makes.items() if name not in has]
    found += [
        f"they do not make {name} ({kind})" for name, kind in has.items() if name not in makes
    ]
    found += [
        f"{name} is {has[name]}, and they make it {kind}"
        for name, kind in makes.items()
        if has.get(name, kind) != kind
    ]
    return "; ".join(found)
