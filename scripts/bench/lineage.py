#!/usr/bin/env python
"""Time how long many SQL models take to be understood: dapu, dbt and sqlmesh on the same models.

    ./scripts/bench/run lineage [--models 1000] [--rounds 3] [--no-peers]

Cold is without what an earlier run kept, warm with it. dapu reads tables and columns of all models;
`dbt parse` reads `ref` and `source` of their templates, and no SQL; `sqlmesh info` loads the
models, parsed and optimised. Each program has an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.bench.environments import dapu_program, environment, install
from scripts.bench.lineage_project import write_dapu, write_dbt, write_sqlmesh
from scripts.bench.measure import Command, Table, run

_COLD, _WARM = "cold", "warm"


class _Program(NamedTuple):
    """One program. kept: what its earlier runs left, below the project."""

    name: str
    write: Callable[[Path, int], None]
    command: Callable[[Path], Command]
    kept: Sequence[str]


def _dapu(folder: Path) -> Command:
    return [dapu_program(), "lineage", folder, "mart.model_0100", "--json"]


def _dapu_compiled(folder: Path) -> Command:
    program = environment("lineage-compiled") / "bin" / "dapu"
    return [program, "lineage", folder, "mart.model_0100", "--json"]


def _dbt(folder: Path) -> Command:
    program = environment("lineage-dbt") / "bin" / "dbt"
    return [program, "parse", "--project-dir", folder, "--profiles-dir", folder, "--quiet"]


def _sqlmesh(folder: Path) -> Command:
    program = environment("lineage-sqlmesh") / "bin" / "sqlmesh"
    return [program, "--log-file-dir", folder / "logs", "-p", folder, "info", "--skip-connection"]


_PROGRAMS = (
    _Program("dapu lineage", write_dapu, _dapu, ["cache"]),
    _Program("dapu lineage, sqlglot compiled", write_dapu, _dapu_compiled, ["cache"]),
    _Program("dbt parse", write_dbt, _dbt, ["target"]),
    _Program("sqlmesh info", write_sqlmesh, _sqlmesh, [".cache"]),
)
_PACKAGES = {
    "lineage-dbt": ["dbt-core>=1.10,<1.11", "dbt-postgres"],
    "lineage-sqlmesh": ["sqlmesh"],
}


def main() -> None:
    """Writes the projects and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    given = parser.parse_args()
    programs = _PROGRAMS[:2] if given.no_peers else _PROGRAMS
    _install(peers=not given.no_peers)
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    table = Table()
    for program in programs:
        program.write(folder / program.name, given.models)
    for _ in range(given.rounds):
        for program in programs:
            _measure(table, program, folder / program.name)
    shutil.rmtree(folder)
    print(f"{given.models:,} models, {os.cpu_count()} processors\n")
    print("| program | s | MB at most | runs |\n|---|---|---|---|")
    for series in table.values():
        middle, every = series.shown()
        print(f"| {series.name} | {middle} | {series.memory / 1e6:,.0f} | {every} |")


def _install(*, peers: bool) -> None:
    dapu_program()
    checkout = Path(__file__).resolve().parents[2]
    if not (environment("lineage-compiled") / "bin" / "dapu").is_file():
        install("lineage-compiled", [f"{checkout}[lineage]"])
    for name, packages in _PACKAGES.items():
        if peers and not (environment(name) / "bin").is_dir():
            install(name, packages)


def _measure(table: Table, program: _Program, folder: Path) -> None:
    settings = {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "DO_NOT_TRACK": "1",
        "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "1",
    }
    for kept in program.kept:
        shutil.rmtree(folder / kept, ignore_errors=True)
    for how in (_COLD, _WARM):
        measured = run(program.command(folder), env=settings)
        table.add(f"{program.name}, {how}", measured.seconds, measured.memory)


if __name__ == "__main__":
    main()
