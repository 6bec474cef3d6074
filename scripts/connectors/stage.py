"""A warehouse with connectors, and real worker processes that run their tasks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgSession

from dapu.agents.installed import known_agents
from dapu.agents.streams import delivery, early
from dapu.cli.main import main
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.registry import agenda
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from tests.services.postgres import Postgres, running_postgres

_LOG = "worker.log"
# Between two commits, instead of 100,000, and before a load begins early, instead of 50,000: so
# there are more moments at which a kill can do harm.
_ROWS = 1_000

# Workers are forked from a process that has read their code already: it takes longer than a job.
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["dapu.cli.main", "dapu.cli.worker", "dapu.worker.worker", __name__])


@dataclass(frozen=True)
class Stage:
    """The warehouse directory and its server."""

    folder: Path
    server: Postgres

    @contextmanager
    def session(self) -> Iterator[PgSession]:
        """A session of the warehouse, committed at its end."""
        with closing(psycopg2.connect(self.server.uri())) as session, session:
            yield session

    def rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.session() as session, session.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def queue(self, task: str) -> int:
        """Queues a task; returns the number of the job."""
        with self.session() as session, session.cursor() as cursor:
            job = agenda.add(cursor, Registry(), task, "run", full=False)
        assert job is not None, f"{task} is not registered"
        return job

    @contextmanager
    def worker(self) -> Iterator[ForkServerProcess]:
        """A worker process; what it prints is added to the file worker.log."""
        process = _FORKS.Process(target=_work, args=(self.folder,))
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()

    @property
    def log(self) -> str:
        """What workers have printed so far."""
        log = self.folder / _LOG
        return log.read_text(encoding="utf-8") if log.exists() else ""


@contextmanager
def a_stage(folder: Path, connections: str, tasks: dict[str, str]) -> Iterator[Stage]:
    """Starts a server, writes the warehouse directory, and registers its tasks.

    connections: entries of connections.yaml; each is a route too. tasks: task.yaml by id.
    """
    with running_postgres(durable=False) as server:
        main_ = (
            f"- {{name: main, driver: pg, host: {server.socket_directory}, port: {server.port},\n"
            f"   database: postgres, username: {server.username}}}\n"
        )
        files = {
            "warehouse.yaml": "defaults: {run: {retry_wait: 0 s, retries: 20, pause: 0 s}}\n",
            "connections.yaml": main_ + connections,
        }
        for task, text in tasks.items():
            route, schema, table = task.split(".")
            files[f"routes/{route}/route.yaml"] = f"connection: {route}\n"
            files[f"routes/{route}/{schema}/{table}/task.yaml"] = text
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        warehouse = open_warehouse(folder)
        bring_up_to_date(warehouse, lambda _: None)
        reader = known_agents(warehouse.settings).reader(warehouse.settings)
        done = register(warehouse, reader, lambda _: None)
        assert not done.faults, done.faults
        yield Stage(folder, server)


def _work(folder: Path) -> None:
    """`dapu worker`, in a process that was forked for it."""
    delivery.ROWS = early.RECORDS = _ROWS
    log = os.open(folder / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["dapu", "worker", str(folder)]
    main()
