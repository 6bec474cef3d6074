"""The peers of `bench load --peers`: sling, dlt and ingestr, each in an environment of its own.

Each is run with the fastest settings that were found for it, does a full refresh of the whole
table, and is asked for a target with the same key.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.environments import environment, install
from scripts.bench.measure import Command, Measured, run
from scripts.bench.servers import TABLE, Postgres, program_version

# sling and ingestr of newer versions than these have their program outside the package index.
_PACKAGES = {
    "sling": ["sling-linux-amd64"],
    "dlt": [
        "dlt[postgres,sql_database]",
        "connectorx",
        "psycopg2-binary",
        "pyarrow",
        "pymysql",
    ],
    "ingestr": ["ingestr<1"],
}
_SLING = Path("lib/python{0}.{1}/site-packages/sling_linux_amd64/bin/sling-linux-amd64")
_QUIET = {"SLING_DISABLE_TELEMETRY": "true", "DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class PeerSource:
    """Where the peers read, each in its own words.

    sling: the options that name the source. dlt: a SQLAlchemy URL, or the path of a CSV file.
    ingestr: a URI, and the table in it.
    """

    name: str
    sling: Command
    dlt: str
    ingestr: tuple[str, str]


@dataclass
class Peers:
    """The installed peers. versions: what each says of itself."""

    target: Postgres
    database: str
    home: Path
    versions: dict[str, str] = field(default_factory=dict)

    def ways(self) -> Mapping[str, Callable[[PeerSource], Measured]]:
        """Each peer's name, and what loads the whole table with it."""
        return {
            "sling": self.sling,
            "dlt": lambda source: self.dlt(source, compressed=True),
            "dlt, its files not compressed": lambda source: self.dlt(source, compressed=False),
            "ingestr": self.ingestr,
        }

    def table(self, peer: str, source: PeerSource) -> str:
        """The table that a peer fills."""
        return f"dlt_{source.name}.{TABLE}" if peer == "dlt" else f"{peer}.from_{source.name}"

    def sling(self, source: PeerSource) -> Measured:
        """Into the table itself, without its detour over a temporary one."""
        options = {"table_keys": {"primary": ["l_id"]}}
        command = (
            *(self._program("sling"), "run", "--mode", "full-refresh", "--primary-key", "l_id"),
            *source.sling,
            *("--tgt-conn", f"{self.target.uri(self.database)}?sslmode=disable"),
            *("--tgt-object", self.table("sling", source)),
            *("--tgt-options", json.dumps(options)),
        )
        home = {"SLING_HOME_DIR": str(self.home / "sling-home"), "SLING_DIRECT_INSERT": "true"}
        return run(command, env=_QUIET | home)

    def dlt(self, source: PeerSource, *, compressed: bool) -> Measured:
        """The connectorx backend, and CSV into COPY; by default its CSV is compressed."""
        script = Path(__file__).with_name("dlt_pipeline.py")
        target = self._with_password()
        env = {
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "ERROR",
            "DESTINATION__POSTGRES__CREDENTIALS": target,
            "DATA_WRITER__DISABLE_COMPRESSION": "false" if compressed else "true",
            "PYTHONWARNINGS": "ignore",
        }
        where = (source.dlt, f"dlt_{source.name}", self.home / "dlt-home")
        return run((self._program("dlt"), script, *where), env=env)

    def ingestr(self, source: PeerSource) -> Measured:
        """The strategy `replace`, in larger pages than by default."""
        uri, table = source.ingestr
        command = (
            *(self._program("ingestr"), "ingest", "--yes", "--progress", "log"),
            *("--pipelines-dir", self.home / "ingestr-home"),
            *("--source-uri", uri, "--source-table", table),
            *("--dest-uri", f"{self._with_password()}?sslmode=disable"),
            *("--dest-table", self.table("ingestr", source), "--primary-key", "l_id"),
            *("--page-size", "100000", "--loader-file-size", "100000"),
        )
        return run(command, env=_QUIET)

    def _with_password(self) -> str:
        """The target's URI; these ask for a password though the server does not."""
        user = self.target.username
        return self.target.uri(self.database).replace(f"{user}@", f"{user}:none@")

    def _program(self, peer: str) -> Path:
        folder = environment(peer)
        if peer == "sling":
            return folder / str(_SLING).format(*sys.version_info)
        return folder / "bin" / ("python" if peer == "dlt" else peer)

    def install(self) -> None:
        """Makes what is missing of the environments, and asks all for their versions."""
        for peer, packages in _PACKAGES.items():
            if not self._program(peer).is_file():
                install(peer, packages)
        script = "from importlib.metadata import version as v; print('dlt', v('dlt'))"
        self.versions = {
            "sling": program_version((self._program("sling"), "--version")).replace(
                "Version:", "sling"
            ),
            "dlt": program_version((self._program("dlt"), "-c", script)),
            "ingestr": program_version((self._program("ingestr"), "--version")),
        }
