"""A dev warehouse: what changed in git is built in schemas with a suffix, all else is a view.

Nothing else is written: its registry is in a schema of its own too, and its directory in the user's
cache folder.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.agents.installed import definition_reader
from dapu.components.registrar import register
from dapu.components.selected import queue_selected
from dapu.components.versioner import bring_up_to_date
from dapu.definitions.folders import ROUTE_FILE, TaskFolder, scan
from dapu.definitions.models import AUTO, Route
from dapu.definitions.reader import Definition
from dapu.errors import ConfigurationError, DapuError
from dapu.lineage.changed_since import changed_since
from dapu.lineage.graph import LineageGraph
from dapu.lineage.warehouse_facts import read_facts
from dapu.loading.table.relation import describe
from dapu.named_sql import compose, statement
from dapu.registry.selectors import Selectable, selectable
from dapu.registry.version import registry_of
from dapu.statement import LONGEST_NAME, TableName
from dapu.trial.compare import Differences, Side, compare
from dapu.trial.dev_build import JobsInOrder, run_in_order
from dapu.trial.dev_folder import DevNames, can_be_built, dev_folder, write_dev_folder
from dapu.trial.diff import key_of_rows
from dapu.warehouse.connections import MAIN, Connections
from dapu.warehouse.warehouse import Warehouse
from dapu.warehouse.yamlfile import read_model
from dapu.worker.worker import Reporter

_NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")


class DevWarehouse(NamedTuple):
    """What `dev up` made. built: the tasks, by how their jobs came out. views: how many."""

    schemas: list[str]
    built: dict[str, str]
    views: int


def as_role_of(warehouse: Warehouse, connection: str) -> Warehouse:
    """The warehouse as another connection to its database sees it.

    connection: one whose role may read production and make schemas, and nothing else, shows that
    nothing else is written.
    """
    main = warehouse.connections.named(connection)
    return replace(warehouse, connections=Connections({**warehouse.connections, MAIN: main}))


def up(
    warehouse: Warehouse, name: str, reference: str, reporter: Reporter, at_once: int = 1
) -> DevWarehouse:
    """Makes a dev warehouse anew.

    reference: what git compares with. at_once: so many jobs. Raises DapuError.
    """
    _check_name(name)
    facts = read_facts(warehouse, definition_reader)
    graph = LineageGraph(facts.tasks, facts.links)
    definitions = _to_build(warehouse, graph, changed_since(warehouse.folder, reference))
    down(warehouse, name)
    if not definitions:
        return DevWarehouse([], {}, 0)
    names = _names(warehouse, name, graph)
    dev = write_dev_folder(warehouse, names, definitions)
    built_tables = {(one.folder.schema, one.folder.table) for one in definitions}
    views = _make_schemas(dev, names, built_tables)
    return DevWarehouse(
        [names.schema(schema) for schema in names.tables],
        _build(dev, names, reporter, at_once),
        views,
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"`{name}` cannot be a dev warehouse's name: give up to 20 small letters, digits and _"
        )


def _to_build(
    warehouse: Warehouse, graph: LineageGraph, changed: Iterable[str]
) -> list[Definition]:
    """The tasks that changed and those that depend on them, as far as they can be built."""
    wanted = dict.fromkeys(task for task in changed if task in graph.tasks)
    for task in list(wanted):
        below = (one.task for one in graph.downstream(task))
        wanted |= dict.fromkeys(one for one in below if one is not None)
    reader = definition_reader(warehouse.settings)
    found = []
    for task in wanted:
        route, schema, table = task.split(".")
        folder = TaskFolder(warehouse.folder / "routes" / route / schema / table, *task.split("."))
        keys = read_model(Route, warehouse.folder / "routes" / route / ROUTE_FILE)
        definition = reader.read(folder, keys)
        if definition is not None and can_be_built(definition):
            if definition.task.depends == AUTO:
                filled = definition.task.model_copy(update={"depends": graph.masters_of(task)})
                definition = replace(definition, task=filled)
            found.append(definition)
    return found


def _names(warehouse: Warehouse, name: str, graph: LineageGraph) -> DevNames:
    """All tables of the schemas that tasks fill: those that are there, and those to come."""
    tables: dict[str, dict[str, None]] = {}
    for table in graph.by_table:
        schema, _, rest = table.partition(".")
        tables.setdefault(schema, {})[rest] = None
    for schema in tables:
        if len(f"{schema}__{name}") > LONGEST_NAME:
            raise ConfigurationError(f"{schema}__{name} is too long for a schema: shorten {name}")
    with warehouse.session("dev") as session, session.cursor() as cursor:
        cursor.execute(statement("dev.relations"), {"schemas": list(tables)})
        for schema, table in cursor.fetchall():
            tables[schema][table] = None
    return DevNames(name, tables)


def _make_schemas(dev: Warehouse, names: DevNames, built: set[tuple[str, str]]) -> int:
    """Makes the schemas, and a view on each table of production that is not built."""
    count = 0
    mark = sql.Literal(_mark(dev, names.name))
    schemas = {schema: sql.Identifier(names.schema(schema)) for schema in names.tables}
    with dev.session("dev") as session, session, session.cursor() as cursor:
        _check_free(cursor, dev, names)
        for own in schemas.values():
            cursor.execute(compose("dev.create_schema", schema=own))
            cursor.execute(compose("dev.mark_schema", schema=own, mark=mark))
        cursor.execute(statement("dev.relations"), {"schemas": list(names.tables)})
        statements: list[sql.Composable] = []
        for schema, table in cursor.fetchall():
            if (schema, table) not in built:
                view = sql.Identifier(names.schema(schema), table)
                of = sql.Identifier(schema, table)
                statements.append(compose("dev.create_view", view=view, table=of))
                count += 1
        if statements:
            cursor.execute(sql.SQL(";\n").join(statements))
    return count


def _check_free(cursor: Cursor, dev: Warehouse, names: DevNames) -> None:
    registry = registry_of(dev).schema
    wanted = [*(names.schema(schema) for schema in names.tables), registry]
    cursor.execute(statement("dev.taken"), {"schemas": wanted, "mark": _mark(dev, names.name)})
    taken = [row[0] for row in cursor.fetchall()]
    if taken:
        raise ConfigurationError(
            f"the schema {', '.join(taken)} is there already and no dev warehouse's: give another "
            "name"
        )


def _mark(warehouse: Warehouse, name: str) -> str:
    return f"dapu dev {name} of {warehouse.name}"


def _build(dev: Warehouse, names: DevNames, reporter: Reporter, at_once: int) -> dict[str, str]:
    """Runs all tasks of the dev warehouse, in order; returns how each came out."""
    registry = registry_of(dev)
    with dev.session("dev") as session, session, session.cursor() as cursor:
        schema = sql.Identifier(registry.schema)
        cursor.execute(compose("dev.create_schema", schema=schema))
        mark = sql.Literal(_mark(dev, names.name))
        cursor.execute(compose("dev.mark_schema", schema=schema, mark=mark))
    bring_up_to_date(dev, lambda _: None)
    done = register(dev, definition_reader(dev.settings), lambda _: None, wait=True)
    if done.faults:
        raise DapuError("\n".join(map(str, done.faults)))
    with dev.session("dev") as session, session, session.cursor() as cursor:
        jobs = queue_selected(cursor, registry, ["*"], full=False)
        known = selectable(cursor, registry)
    in_order = _in_order(dev, jobs, known)
    failing = run_in_order(dev, in_order, min(at_once, max(len(jobs), 1)), reporter)
    return {task: failing.get(task, "done") for task in jobs.values()}


def _in_order(dev: Warehouse, jobs: dict[int, str], known: Iterable[Selectable]) -> JobsInOrder:
    numbers = {task: job for job, task in jobs.items()}
    tasks = {one.task: one for one in known}
    after = {
        job: {numbers[master] for master in tasks[task].masters if master in numbers}
        for job, task in jobs.items()
    }
    routes = scan(dev.folder).routes
    limits = {name: one.concurrency for name, one in routes.items() if one.concurrency}
    return JobsInOrder(after, {job: tasks[task].route for job, task in jobs.items()}, limits)


def down(warehouse: Warehouse, name: str) -> list[str]:
    """Drops a dev warehouse; returns its schemas, none where there is none."""
    _check_name(name)
    with warehouse.session("dev") as session, session, session.cursor() as cursor:
        cursor.execute(statement("dev.schemas"), {"mark": _mark(warehouse, name)})
        schemas = [row[0] for row in cursor.fetchall()]
        for schema in schemas:
            cursor.execute(compose("dev.drop_schema", schema=sql.Identifier(schema)))
    shutil.rmtree(dev_folder(warehouse, name), ignore_errors=True)
    return schemas


class DevDifference(NamedTuple):
    """A built table beside that of production."""

    task: str
    differences: Differences


def diff(warehouse: Warehouse, name: str, samples: int) -> list[DevDifference]:
    """Compares each table that was built with production's.

    samples: at most so many rows of each kind. Raises ConfigurationError where there is no such
    dev warehouse.
    """
    _check_name(name)
    tasks = scan(dev_folder(warehouse, name)).tasks
    if not tasks:
        raise ConfigurationError(f"there is no dev warehouse `{name}`: make it with `dapu dev up`")
    reader = definition_reader(warehouse.settings)
    found = []
    with warehouse.session("dev") as session, session.cursor() as cursor:
        for task in sorted(tasks):
            folder = tasks[task]
            route = read_model(Route, folder.path.parents[1] / ROUTE_FILE)
            definition = reader.read(folder, route)
            if definition is None:
                continue
            schema = folder.schema.removesuffix(f"__{name}")
            before = _side(cursor, TableName(schema, folder.table))
            after = _side(cursor, TableName(folder.schema, folder.table))
            key = key_of_rows(definition.task, after.relation or before.relation)
            differences = compare(cursor, before, after, key, samples)
            found.append(DevDifference(f"{folder.route}.{schema}.{folder.table}", differences))
        session.rollback()
    return found


def _side(cursor: Cursor, table: TableName) -> Side:
    return Side(table.identifier, describe(cursor, table))
