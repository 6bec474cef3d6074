"""What is measured: tasks of a warehouse, and beside them the programs that do a part of it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dapu.sources.connectors.config import KEPT
from dapu.sources.connectors.environments import environment_of, program_of
from dapu.sources.connectors.manifest import CDK, INJECTED, PROGRAM, cdk_of, read_manifest
from scripts.bench.connectors import service
from scripts.bench.environments import environment, install
from scripts.bench.load.dapu_ways import Warehouse
from scripts.bench.measure import BenchError, Measured, run
from scripts.bench.servers import Postgres
from scripts.connectors import counting_connector

DATABASE = "warehouse"
MANIFEST, CDK_ALONE = "manifest, `load: {}`", "manifest, airbyte-cdk alone"
PROCESS, PROCESS_ALONE = "process, `load: {}`", "process, the connector alone"
PYAIRBYTE = "process, PyAirbyte, `replace`"
LOADS = ("append", "merge", "replace")
_PEER = "pyairbyte"
_CONFIG = {"every": 10_000, "states": "stream"}
# PyAirbyte asks for the connectors of a registry, and sends reports, unless it is told not to.
_OFFLINE = {"AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}


class Ways:
    """The ways of one measurement. folder: its own. url: of the service that the manifest reads."""

    def __init__(self, folder: Path, server: Postgres, records: int, url: str) -> None:
        self._folder, self._server, self._records = folder, server, records
        (folder / "size").write_text(str(records))
        self._connector = folder / "source-counting"
        words = [sys.executable, counting_connector.__file__, str(folder)]
        self._connector.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        self._connector.chmod(0o755)
        (folder / "service.yaml").write_text(service.manifest())
        self._url = url
        self._cdk, version = _installed_cdk(folder)
        connections: dict[str, dict[str, Any]] = {
            "count": {"command": [str(self._connector)], "config": _CONFIG},
            "service": {"manifest": "service.yaml", "config": {"url": url}},
        }
        given = {name: {"driver": "connector", **one} for name, one in connections.items()}
        self._warehouse = Warehouse(folder, server, DATABASE, given)
        self.versions = [f"airbyte-cdk {version}", _installed_peer()]

    def every(self) -> Mapping[str, Callable[[], Measured]]:
        """Each way by its name."""
        ways = {PROCESS.format(load): self._of_dapu("count", load) for load in LOADS}
        ways |= {
            PYAIRBYTE: self._pyairbyte,
            PROCESS_ALONE: lambda: self._alone(self._connector, _CONFIG),
        }
        ways |= {MANIFEST.format(load): self._of_dapu("service", load) for load in LOADS}
        return ways | {CDK_ALONE: self._cdk_alone}

    def _of_dapu(self, connection: str, load: str) -> Callable[[], Measured]:
        action = {"do": "airbyte", "stream": "one", "load": load}
        task = self._warehouse.define(f"{connection}.staging.{connection}_{load}", action)

        def measure() -> Measured:
            measured = self._warehouse.run(task, "--full").process
            self._check(task.partition(".")[2])
            return measured

        return measure

    def _pyairbyte(self) -> Measured:
        program = environment(_PEER) / "bin" / "python"
        script = Path(__file__).with_name("pyairbyte_sync.py")
        config, folder = json.dumps(_CONFIG), str(self._folder / "pyairbyte")
        words = [str(self._connector), str(self._server.port), config, folder]
        measured = run([program, "-W", "ignore", script, *words], env=_OFFLINE)
        self._check("pyairbyte.one")
        return measured

    def _cdk_alone(self) -> Measured:
        manifest = read_manifest(self._folder / "service.yaml")
        return self._alone(self._cdk, {"url": self._url, INJECTED: manifest})

    def _alone(self, program: Path, config: Mapping[str, Any]) -> Measured:
        """The program itself reads the whole stream; nobody takes the records."""
        schema = {"type": "object", "properties": counting_connector.COLUMNS}
        modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        stream = {"name": "one", "json_schema": schema, "supported_sync_modes": ["full_refresh"]}
        documents = {"config": config, "catalog": {"streams": [{"stream": stream, **modes}]}}
        words = [str(program), "read"]
        for name, document in documents.items():
            file = self._folder / f"{name}.json"
            file.write_text(json.dumps(document))
            words += [f"--{name}", str(file)]
        return run(["sh", "-c", f"{shlex.join(words)} >/dev/null"])

    def _check(self, table: str) -> None:
        """Raises BenchError where rows are missing; leaves no work for autovacuum."""
        [(count,)] = self._server.execute(DATABASE, f"select count(*) from {table}")
        if count != self._records:
            raise BenchError(f"{table} has {count:,} rows, not {self._records:,}")
        self._server.settle(DATABASE)


def _installed_cdk(folder: Path) -> tuple[Path, str]:
    """The CDK's program, where dapu finds it too, and its version; it is kept between benches."""
    kept = environment("connectors")
    kept.mkdir(parents=True, exist_ok=True)
    (folder / KEPT).parent.mkdir()
    (folder / KEPT).symlink_to(kept)
    version = cdk_of(read_manifest(folder / "service.yaml"))
    return program_of(environment_of(kept, CDK, version), PROGRAM), version


def _installed_peer() -> str:
    if not (environment(_PEER) / "bin" / "python").is_file():
        install(_PEER, ["airbyte"])
    script = "from importlib.metadata import version; print(version('airbyte'))"
    said = run([environment(_PEER) / "bin" / "python", "-c", script]).lines
    return f"PyAirbyte {said[-1][1]}"


@contextmanager
def running(folder: Path, server: Postgres, records: int) -> Iterator[Ways]:
    """The ways, while the service that the manifest reads answers."""
    with service.running_service(records) as url:
        yield Ways(folder, server, records, url)
