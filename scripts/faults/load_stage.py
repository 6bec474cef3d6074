"""What the faults are done to: two servers, a proxy before each, real worker processes."""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgSession

from dapu.agents.installed import known_agents
from dapu.cli.main import main
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.registry import agenda
from dapu.registry.store import Registry
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker import job_watch
from scripts.faults.load_proxy import Proxy
from tests.services.postgres import (
    Postgres,
    StoppablePostgres,
    running_postgres,
    running_stoppable,
)

_PATIENCE = 90.0  # seconds
_LOG = "worker.log"

# Workers are forked from a process that has read their code already: it takes longer than a job.
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["dapu.cli.main", "dapu.cli.worker", "dapu.worker.worker", __name__])


@dataclass(frozen=True)
class Stage:
    """All that a round needs.

    proxy: before the source, always. main_proxy: before the warehouse, for who goes `through` it.
    """

    folder: Path
    main: StoppablePostgres
    source: Postgres
    proxy: Proxy
    main_proxy: Proxy

    @contextmanager
    def through(self, port: int) -> Iterator[None]:
        """Meanwhile workers reach the warehouse at a port of loopback."""
        file = self.folder / "connections.yaml"
        direct = file.read_text(encoding="utf-8")
        main = self.main.postgres
        address = f"host: {main.socket_directory}, port: {main.port}"
        assert address in direct
        file.write_text(direct.replace(address, f"host: 127.0.0.1, port: {port}"), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(direct, encoding="utf-8")

    @contextmanager
    def timeouts(self, seconds: float) -> Iterator[None]:
        """Meanwhile jobs may run for so long only."""
        with self.target_session() as target:
            short = "insert into meta.override (task, timeout) select task, %s from meta.registry"
            rows(target, short, (timedelta(seconds=seconds),))
        try:
            yield
        finally:
            with self.target_session() as target:
                rows(target, "delete from meta.override")

    @contextmanager
    def target_session(self) -> Iterator[PgSession]:
        """A session of the warehouse, committed at its end."""
        yield from _session(self.main.postgres)

    @contextmanager
    def source_session(self) -> Iterator[PgSession]:
        """A session of the source, not through the proxy, committed at its end."""
        yield from _session(self.source)

    def queue(self, task: str, *, full: bool) -> int:
        """Queues a task; returns the number of the job."""
        with self.target_session() as session, session.cursor() as cursor:
            job = agenda.add(cursor, Registry(), task, "run", full=full)
        assert job is not None, f"{task} is not registered"
        return job

    def take_up(self) -> None:
        """Versioner and Registrar."""
        warehouse = open_warehouse(self.folder)
        bring_up_to_date(warehouse, lambda _: None)
        reader = known_agents(warehouse.settings).reader(warehouse.settings)
        done = register(warehouse, reader, lambda _: None)
        assert not done.faults, done.faults

    @property
    def said(self) -> str:
        """What workers have written so far."""
        log = self.folder / _LOG
        return log.read_text(encoding="utf-8") if log.exists() else ""

    @contextmanager
    def worker(self, *, hasty: bool = False) -> Iterator[ForkServerProcess]:
        """A worker process; what it says is added to the file worker.log.

        hasty: it cuts what does not stop after a second, and not after half a minute.
        """
        process = _FORKS.Process(target=_work, args=(self.folder, hasty))
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()


@contextmanager
def a_stage(folder: Path, routes: dict[str, str]) -> Iterator[Stage]:
    """Starts servers and a proxy, and writes the warehouse directory."""
    with ExitStack() as stack:
        warehouse = stack.enter_context(running_stoppable())
        source = stack.enter_context(running_postgres(durable=False))
        proxy = stack.enter_context(closing(Proxy(source)))
        _write(folder, {**_settings(warehouse.postgres, proxy), **routes})
        main_proxy = stack.enter_context(closing(Proxy(warehouse.postgres)))
        yield Stage(folder, warehouse, source, proxy, main_proxy)


def ended(process: ForkServerProcess, seconds: float = _PATIENCE) -> None:
    """Waits for the end of a worker. Raises TimeoutError when it does not come."""
    process.join(seconds)
    if process.is_alive():
        raise TimeoutError(f"the worker did not end in {seconds:g} s")


def _work(folder: Path, hasty: bool) -> None:
    """`dapu worker`, in a process that was forked for it."""
    if hasty:
        job_watch._SILENT = job_watch._CUT_SOURCES = job_watch._CUT_ALL = 1.0
        job_watch._DEAD = 4.0
    log = os.open(folder / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.dump_traceback_later(_PATIENCE - 5, file=2)  # where it hangs, if it does
    sys.argv = ["dapu", "worker", str(folder)]
    main()


def rows(session: PgSession, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with session.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def one(session: PgSession, query: str, values: Any = None) -> Any:
    """The one value of a query."""
    [(value,)] = rows(session, query, values)
    return value


def wait_until(condition: Callable[[], object]) -> None:
    """Waits until a condition holds. Raises TimeoutError when it never does."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not happen in {_PATIENCE:g} s")
        time.sleep(0.005)


def _session(server: Postgres) -> Iterator[PgSession]:
    with closing(psycopg2.connect(server.uri(), options="-c timezone=UTC")) as session, session:
        yield session


def _settings(main: Postgres, proxy: Proxy) -> dict[str, str]:
    return {
        "warehouse.yaml": "defaults: {run: {retry_wait: 0 s, retries: 20, pause: 0 s}}\n",
        "connections.yaml": dedent(f"""\
            - {{name: main, driver: pg, host: {main.socket_directory}, port: {main.port},
               database: postgres, username: {main.username}}}
            - {{name: shop, driver: pg, host: 127.0.0.1, port: {proxy.port},
               database: postgres, username: postgres}}
            """),
        "routes/shop/route.yaml": "connection: shop\n",
    }


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
