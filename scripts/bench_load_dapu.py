"""dapu as the benches run it: a small warehouse directory, and `dapu run` as a process."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.bench_load_measure import BenchError, Measured, run
from scripts.bench_load_servers import TABLE, Postgres

_BEGIN = re.compile(r": job \d+ started")
_END = re.compile(r": job \d+ (\w+): (.*)")
_WRONG_USE = 2  # dapu's exit status for a definition that it does not understand


class NotThere(BenchError):
    """A definition that this version of dapu does not know."""


@dataclass(frozen=True)
class Job:
    """One run of a task.

    seconds: the job, from its start in a worker until its commit.
    process: `dapu run` as a whole, with Python's start and a look for changed definitions.
    memory: the most bytes that the process and its children held.
    """

    seconds: float
    process: Measured
    message: str

    @property
    def memory(self) -> int:
        """In bytes, children included."""
        return self.process.memory


class Warehouse:
    """A warehouse directory and its `main` in a database of a server.

    connections: the sources, as they stand in connections.yaml; each gets a route of its name.
    """

    def __init__(
        self,
        folder: Path,
        server: Postgres,
        database: str,
        connections: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._folder = folder
        main = postgres_connection(server, database)
        listed = [{"name": name, **given} for name, given in {"main": main, **connections}.items()]
        self._write("connections.yaml", listed)
        self._write("warehouse.yaml", {"name": "bench"})
        for name in connections:
            self._write(f"routes/{name}/route.yaml", {"connection": name})
        run((*_DAPU, "versioner", folder))

    def define(
        self, task: str, action: Mapping[str, Any], query: str = f"select * from {TABLE}"
    ) -> str:
        """Writes a task of one action, of the query if it has none of its own; returns its id."""
        folder = f"routes/{task.replace('.', '/')}"
        given = {"do": "database", "query": "extract.sql", **action}
        self._write(f"{folder}/task.yaml", {"actions": [given], "run": {"retries": 0}})
        (self._folder / folder / "extract.sql").write_text(query + "\n", encoding="utf-8")
        return task

    def forget(self, task: str) -> None:
        """Removes a definition, so that its faults are not told at every run."""
        shutil.rmtree(self._folder / "routes" / task.replace(".", "/"))

    def run(self, task: str, *options: str) -> Job:
        """Runs a task. Raises NotThere when its definition is not understood, else BenchError."""
        try:
            process = run((*_DAPU, "run", self._folder, task, *options), env=_UNBUFFERED)
        except BenchError as error:
            if error.status == _WRONG_USE:
                self.forget(task)
                raise NotThere(error.said) from None
            raise
        began, ended, message = 0.0, process.seconds, ""
        for second, line in process.lines:
            if _BEGIN.search(line):
                began = second
            elif found := _END.search(line):
                ended, message = second, found[2]
        return Job(ended - began, process, message)

    def _write(self, name: str, content: Any) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


def postgres_connection(server: Postgres, database: str, port: int | None = None) -> dict[str, Any]:
    """A PostgreSQL as it stands in connections.yaml. port: of a proxy before it."""
    return {
        "driver": "pg",
        "host": server.host,
        "port": port or server.port,
        "database": database,
        "username": server.username,
    }


_DAPU = (sys.executable, "-m", "dapu")
_UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
