"""dbt beside `bench incremental`: an incremental model and a snapshot of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from scripts.bench.environments import environment, install
from scripts.bench.incremental_works import COLUMNS, SOURCE_TABLE, Peer
from scripts.bench.measure import Measured, run
from scripts.bench.servers import Postgres

_PACKAGES = ["dbt-core==1.10.*", "dbt-postgres>=1.9,<1.11"]
_SCHEMA = "dbt"
_QUERY = f"select {', '.join(COLUMNS)} from public.{SOURCE_TABLE}"
_INCREMENTAL = f"""
{{{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge') }}}}
{_QUERY}
{{% if is_incremental() %}}
where changed_at > (select max(changed_at) from {{{{ this }}}})
{{% endif %}}
"""
_SNAPSHOT = f"""
{{% snapshot snapshot %}}
{{{{ config(target_schema='{_SCHEMA}', unique_key='id', strategy='timestamp',
    updated_at='changed_at') }}}}
{_QUERY}
{{% endsnapshot %}}
"""
_QUIET = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "NO_COLOR": "1"}
_COMMANDS: dict[Peer, Sequence[str]] = {"incremental": ("run",), "snapshot": ("snapshot",)}
_VALID: dict[Peer, str] = {"incremental": "true", "snapshot": "dbt_valid_to is null"}


@dataclass(frozen=True)
class Dbt:
    """A dbt project on a database. folder: where it is made."""

    server: Postgres
    database: str
    folder: Path

    def make(self) -> str:
        """Installs dbt and writes the project; returns its version."""
        if not self._program.is_file():
            install("dbt", _PACKAGES)
        server = self.server
        target = {
            "type": "postgres",
            "host": server.host,
            "port": server.port,
            "threads": 1,
            "user": server.username,
            "password": "",
            "dbname": self.database,
            "schema": _SCHEMA,
        }
        project = {"name": "bench", "profile": "bench"}
        self._write("dbt_project.yml", yaml.safe_dump(project))
        profile = {"bench": {"target": "bench", "outputs": {"bench": target}}}
        self._write("profiles.yml", yaml.safe_dump(profile))
        self._write("models/incremental.sql", _INCREMENTAL)
        self._write("snapshots/snapshot.sql", _SNAPSHOT)
        packages = environment("dbt").glob("lib/python*/site-packages/dbt_core-*.dist-info")
        found = next(packages, None)
        return (
            found.name.removesuffix(".dist-info").replace("dbt_core-", "dbt ") if found else "dbt"
        )

    def table(self, peer: Peer) -> str:
        """What it makes."""
        return f"{_SCHEMA}.{peer}"

    def holds(self, peer: Peer) -> str:
        """The condition of the rows in it that are as the source has them."""
        return _VALID[peer]

    def run(self, peer: Peer) -> Measured:
        """One run of it. Raises BenchError when dbt fails."""
        where = ("--project-dir", self.folder, "--profiles-dir", self.folder)
        return run((self._program, *_COMMANDS[peer], *where), env=_QUIET)

    @property
    def _program(self) -> Path:
        return environment("dbt") / "bin" / "dbt"

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
