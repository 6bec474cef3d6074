"""The commands that only look."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dapu.cli.arguments import ALL_OR_SOME_TASKS, AS_JSON, OPTIONAL_WAREHOUSE, SINCE, WAREHOUSE
from dapu.cli.console import say, show_json, show_table
from dapu.cli.task_list import Chosen, check_tasks, show_tasks
from dapu.cli.task_page import show_task
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from dapu.warehouse.warehouse import Warehouse


@click.command("status")
@WAREHOUSE
@ALL_OR_SOME_TASKS
@click.option("--failed", is_flag=True, help="Only those that failed, or will be tried again.")
@click.option("--late", is_flag=True, help="Only those that should have run (`run.late_after`).")
@click.option("--route", metavar="ROUTE", help="Only the tasks of this route.")
@SINCE
@click.option("--limit", type=click.IntRange(min=1), help="No more tasks than this.")
@click.option(
    "--check",
    is_flag=True,
    help="Exit status 1 when one failed or became late since the last look with --check.",
)
@AS_JSON
def status(warehouse: Warehouse, selectors: tuple[str, ...], as_json: bool, **only: Any) -> None:
    """Show how tasks are, or all that is known of one TASK.

    All, or those that patterns and selectors name, as `dapu run` takes them; those that need
    somebody first.

    \b
    Examples:
      dapu status finances
      dapu status finances --failed --since yesterday
      dapu status finances 'staging.*' --late --limit 20
      dapu status finances erp.staging.invoice --json
      dapu status finances --check
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.registry.selectors import is_one_task
    from dapu.registry.version import check_registry, registry_of

    registry = registry_of(warehouse)
    with warehouse.session("status") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        if is_one_task(selectors) and not any(only.values()):
            show_task(cursor, registry, warehouse, selectors[0], as_json)
            return
        chosen = Chosen(selectors, **only)
        if not chosen.check:
            show_tasks(cursor, registry, warehouse, chosen, as_json)
        elif check_tasks(cursor, registry, warehouse, chosen, as_json):
            sys.exit(1)


@click.command("query")
@WAREHOUSE
@click.argument("sql")
@click.option("--limit", type=click.IntRange(1, 10_000), help="No more rows than this.")
@click.option("--connection", metavar="NAME", help="Log in as that connection does, not `main`.")
@AS_JSON
def query(
    warehouse: Warehouse, sql: str, limit: int | None, connection: str | None, as_json: bool
) -> None:
    """Print what a SQL query gives in the warehouse.

    It only reads. `-` takes the query from standard input.

    \b
    Examples:
      dapu query finances 'select count(*) from staging.invoice'
      dapu query finances 'table staging.invoice' --limit 20 --connection reader
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.cli.interrupts import statements_stopped_by_ctrl_c
    from dapu.named_sql import statement
    from dapu.registry.version import check_registry, registry_of

    text = sys.stdin.read() if sql == "-" else sql
    entered = warehouse if connection is None else warehouse.entered_by(connection)
    with (
        statements_stopped_by_ctrl_c(),
        entered.session("query") as session,
        session.cursor() as cursor,
    ):
        cursor.execute(statement("session.only_reads"))
        session.commit()
        if connection is None:  # another role need not see the registry
            check_registry(cursor, registry_of(warehouse), needed=False)
        names, rows = _ask(cursor, text, limit)
    if not as_json:
        show_table(names, ([_with_fraction(value) for value in row] for row in rows))
        return
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ConfigurationError(f"two columns are called {', '.join(sorted(twice))}; rename one")
    show_json([dict(zip(names, row, strict=True)) for row in rows])


def _ask(cursor: Cursor, text: str, limit: int | None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows of a query; with a limit it is one, whose other rows do not come."""
    import psycopg2
    from psycopg2 import sql

    from dapu.named_sql import compose, statement
    from dapu.rows.python_values import read_exactly
    from dapu.warehouse.postgres_session import given_path

    try:
        with given_path(cursor):
            read_exactly(cursor)
            if limit is None:
                cursor.execute(text)
            else:
                cursor.execute(statement("session.query_to_open"), {"query": text})
                cursor.execute(statement("session.open_query"))
                cursor.execute(compose("session.fetch_query", most=sql.Literal(limit)))
            rows = [] if cursor.description is None else cursor.fetchall()
            return [column.name for column in cursor.description or ()], rows
    except psycopg2.errors.InvalidCursorDefinition:
        raise ConfigurationError(
            "the query fails: with a limit it is one that gives rows"
        ) from None
    except psycopg2.Error as error:
        said = str(error).partition("\nQUERY:")[0].partition("\nCONTEXT:")[0]
        raise ConfigurationError(f"the query fails: {said.strip()}") from None


def _with_fraction(value: Any) -> Any:
    """A time with all its digits and its zone, which tables of times of dapu's own leave out."""
    return str(value) if isinstance(value, datetime) else value


@click.command("schema")
@OPTIONAL_WAREHOUSE
@click.option(
    "--file",
    type=click.Choice(
        [
            "task.yaml",
            "route.yaml",
            "warehouse.yaml",
            "connections.yaml",
            "grants.yaml",
            "tests/*.yaml",
        ]
    ),
    default="task.yaml",
    help="Which file's; default task.yaml.",
)
@click.option("--write", is_flag=True, help="Write those of all files into DIR/.schemas.")
def schema(warehouse: Warehouse | None, file: str, write: bool) -> None:
    """Print the JSON Schema of a YAML file, for editors.

    With DIR the warehouse's own agents are in it. `dapu init` writes them all, and the settings
    by which VS Code finds them; --write does it again, for agents and keys that came since.

    \b
    Examples:
      dapu schema finances --write
      dapu schema --file grants.yaml > grants.schema.json
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.agents.installed import known_agents
    from dapu.components.schemas import schema_of, write_schemas
    from dapu.warehouse.settings import Settings

    actions = known_agents(warehouse.settings if warehouse else Settings()).options(())
    if not write:
        show_json(schema_of(file, actions))
        return
    if warehouse is None:
        raise ConfigurationError("--write needs DIR, the warehouse directory")
    for path in write_schemas(warehouse.folder, actions):
        say(str(path))


COMMANDS = (status, query, schema)
