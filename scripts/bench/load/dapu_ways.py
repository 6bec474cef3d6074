"""dapu as the benches run it: a small warehouse directory, and `dapu run` as a process."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.bench.environments import dapu_program
from scripts.bench.measure import BenchError, Measured, run
from scripts.bench.servers import TABLE, Postgres

_BEGIN = re.compile(r": job \d+ started")
_END = re.compile(r": job \d+ \w+: (.*)")
_ALL = f"select * from {TABLE}"
_QUERY = {"do": "database", "query": "extract.sql"}
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
    message: str  # what the job did, in dapu's words

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
        self._write("warehouse.yaml", {"name": "bench"})
        write_connections(folder, {"main": postgres_connection(server, database), **connections})
        for name in connections:
            self._write(f"routes/{name}/route.yaml", {"connection": name})
        dapu("versioner", folder)

    def define(self, task: str, action: Mapping[str, Any], query: str = _ALL) -> str:
        """Writes a task of one action, and the query if it has one; returns its id."""
        folder = f"routes/{task.replace('.', '/')}"
        given = {**action} if "do" in action else {**_QUERY, **action}
        self._write(f"{folder}/task.yaml", {"actions": [given], "run": {"retries": 0}})
        if "query" in given:
            (self._folder / folder / given["query"]).write_text(query + "\n", encoding="utf-8")
        return task

    def run(self, task: str, *options: str) -> Job:
        """Runs a task. Raises NotThere when its definition is not understood, else BenchError."""
        try:
            return run_task(self._folder, task, *options)
        except BenchError as error:
            if error.status != _WRONG_USE:
                raise
            # Else its faults would be reported at every run.
            shutil.rmtree(self._folder / "routes" / task.replace(".", "/"))
            raise NotThere(error.said) from None

    def _write(self, name: str, content: Any) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


def dapu(*words: str | Path) -> Measured:
    """Runs dapu as whoever installs it does."""
    return run((dapu_program(), *words), env={"PYTHONUNBUFFERED": "1"})


def run_task(folder: Path, task: str, *options: str) -> Job:
    """Runs one task of a warehouse directory."""
    process = dapu("run", folder, task, *options)
    began, ended, message = 0.0, process.seconds, ""
    for second, line in process.lines:
        if _BEGIN.search(line):
            began = second
        elif found := _END.search(line):
            ended, message = second, found[1]
    return Job(ended - began, process, message)


def write_connections(folder: Path, connections: Mapping[str, Mapping[str, Any]]) -> None:
    """The file connections.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"name": name, **given} for name, given in connections.items()]
    (folder / "connections.yaml").write_text(yaml.safe_dump(listed), encoding="utf-8")


def postgres_connection(server: Postgres, database: str, port: int | None = None) -> dict[str, Any]:
    """A PostgreSQL as it stands in connections.yaml. port: of a proxy before it."""
    return {
        "driver": "pg",
        "host": server.host,
        "port": port or server.port,
        "database": database,
        "username": server.username,
    }
