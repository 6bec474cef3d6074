"""The facts of all tasks; what was read once is kept until a file changes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from dapu.definitions.definition_hash import definition_hash
from dapu.definitions.folders import TaskFolder, scan
from dapu.definitions.models import Route
from dapu.errors import FaultyFile
from dapu.lineage.facts import Facts, from_json
from dapu.lineage.kept_facts import KeptFacts
from dapu.version import __version__
from dapu.warehouse.connection_kinds import (
    Connection,
    EmbeddedConnection,
    PgConnection,
    UrlConnection,
)
from dapu.warehouse.settings import Settings
from dapu.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from dapu.definitions.reader import DefinitionReader  # which takes time to import

_FORM = 3  # of what is kept; a change of what the facts are makes all of it void
_AT_ONCE = 40  # so many tasks are read in less time than processes take to start
_DIALECTS = {
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "mariadb": "mysql",
    "mssql": "tsql",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgresql": "postgres",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlite": "sqlite",
    "trino": "trino",
}


class Links(NamedTuple):
    """What a task reads, as its `depends` and as its SQL says; tables are `schema.table`."""

    depends: list[str]
    tables: list[str]


class _LazyFacts(Mapping[str, Facts]):
    """Facts by task, taken from their JSON when they are asked for: mostly it is of a few."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts, self._facts = texts, dict[str, Facts]()

    def __getitem__(self, task: str) -> Facts:
        if task not in self._facts:
            self._facts[task] = from_json(json.loads(self._texts[task]))
        return self._facts[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


class WarehouseFacts(NamedTuple):
    """The facts and links of each task that can be read, and how many were read now."""

    tasks: Mapping[str, Facts]
    links: dict[str, Links]
    read_now: int


def links_of(facts: Facts) -> Links:
    """What a task reads, without where that stands."""
    tables = dict.fromkeys(one.table for one in facts.reads if one.table != facts.table)
    return Links(facts.depends, list(tables))


def dialects_of(connections: Mapping[str, Connection]) -> dict[str, str | None]:
    """Sqlglot's name for the SQL of each connection; None where it is none, or not known."""
    return {name: _dialect(one) for name, one in connections.items()}


def _dialect(connection: Connection) -> str | None:
    if isinstance(connection, PgConnection | EmbeddedConnection):
        return "postgres"
    if isinstance(connection, UrlConnection):
        return _DIALECTS.get(connection.parts.backend)
    return None


MakeReader = Callable[[Settings], "DefinitionReader"]


def read_facts(warehouse: Warehouse, make_reader: MakeReader) -> WarehouseFacts:
    """The facts of a warehouse's tasks. Faulty definitions and drafts have none.

    make_reader: a function of a module, since it is called in other processes too.
    """
    found, dialects = scan(warehouse.folder), dialects_of(warehouse.connections)
    mark = f"{_FORM} {__version__} {json.dumps(dialects, sort_keys=True)}"
    wanted: dict[str, tuple[TaskFolder, Route]] = {}
    hashes: dict[str, str] = {}
    for task, folder in found.tasks.items():
        if folder.route in found.routes:
            wanted[task] = folder, found.routes[folder.route]
            hashes[task] = definition_hash(warehouse.settings, *wanted[task])
    kept = KeptFacts(warehouse.folder, mark)
    known = kept.read(hashes)
    missing = [one for task, one in wanted.items() if task not in known]
    if missing:
        known |= _read_all(_Reading(warehouse, make_reader, dialects), missing)
        kept.write(hashes, known)
    entries = {task: one for task, one in known.items() if one is not None}
    texts = {task: text for task, (_, text) in entries.items()}
    links = {task: Links(*some) for task, (some, _) in entries.items()}
    return WarehouseFacts(_LazyFacts(texts), links, len(missing))


Wanted = Sequence[tuple[TaskFolder, Route]]


class _Reading(NamedTuple):
    """What each process needs."""

    warehouse: Warehouse
    make_reader: MakeReader
    dialects: Mapping[str, str | None]

    def read(self, wanted: Wanted) -> dict[str, Any]:
        """The facts of some tasks; None of faulty ones and drafts."""
        from dapu.lineage.task_facts import facts_of

        reader = self.make_reader(self.warehouse.settings)
        found: dict[str, Any] = {}
        for folder, route in wanted:
            try:
                definition = reader.read(folder, route)
            except FaultyFile:
                definition = None
            found[folder.id] = None
            if definition is not None:
                facts = facts_of(definition, route, self.dialects)
                found[folder.id] = links_of(facts), json.dumps(facts)
        return found


def _read_all(reading: _Reading, wanted: Wanted) -> dict[str, Any]:
    count = min(os.cpu_count() or 1, 8)
    if count == 1 or len(wanted) <= _AT_ONCE:
        return reading.read(wanted)
    from dapu.lineage import task_facts  # noqa: F401 - once, before the processes are there

    found: dict[str, Any] = {}
    # A copy of a process with threads, as a server is, may find a lock that nobody will release.
    context = get_context("forkserver" if threading.active_count() > 1 else None)
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(count, context) as pool:
        for some in pool.map(reading.read, [wanted[start::count] for start in range(count)]):
            found |= some
    return found
