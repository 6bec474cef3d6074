"""A warehouse of the real dapu 0.8.10 is converted and taken up; nothing is lost or read twice.

    ./scripts/from_0_8/run

Exit status 1 when anything is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2

from tests.services import postgis
from tests.services.postgres import Postgres

VERSION = "0.8.10"
PROJECT = Path("tests/data/dapu_0_8")
TASKS = (
    "shop.staging.invoice", "shop.staging.customer", "mart.mart.revenue",
    "mart.mart.customer_history",
)  # fmt: skip
_COMPONENT = "from dapu.{module} import {name}; {name}([{folder!r}]).run()"
_PREPARED = """
create role tools_bitool; create role human_developer;
create schema shop;
create table shop.customer (id int, name text);
create table shop.invoice (id int, total numeric(15, 2), modified_ts timestamp);
insert into shop.customer select i, 'customer ' || i from generate_series(1, 100) i;
insert into shop.invoice select i, i * 1.01, timestamp '2024-01-01' + i * interval '1 hour'
from generate_series(1, 1000) i;
"""
_CHANGED = """
update shop.customer set name = name || ' & Co' where id % 10 = 0;
delete from shop.customer where id = 99;
delete from staging.customer where id = 99;
insert into shop.invoice select i, i * 1.01, timestamp '2024-01-01' + i * interval '1 hour'
from generate_series(1001, 1500) i;
"""
# What was read before is gone from the source: whoever reads all of it again finds little.
_NEWER = """
delete from shop.invoice where id < 1500;
insert into shop.invoice select i, i * 1.01, timestamp '2024-01-01' + i * interval '1 hour'
from generate_series(1501, 1600) i;
update shop.customer set name = 'new' where id = 1;
"""
_TABLES = {
    "staging.invoice": "id, amount, modified_ts, dwh_created_ts",
    "staging.customer": "id, name",
    "mart.revenue": "day, amount",
    "mart.customer_history": "id, name, dwh_hash_pk, dwh_hash_data",
}


class Difference(Exception):
    """Something is not as it should be."""


@dataclass(frozen=True)
class Stage:
    """The database, the folders, and the Python that has dapu 0.8.10."""

    server: Postgres
    folder: Path
    python: Path

    def execute(self, statements: str) -> list[tuple[Any, ...]]:
        """Runs SQL in the warehouse's database."""
        with closing(psycopg2.connect(self.server.uri())) as session, session:
            cursor = session.cursor()
            cursor.execute(statements)
            return cursor.fetchall() if cursor.description else []

    def old(self, module: str, name: str) -> int:
        """Runs a component of 0.8.10; returns its exit status."""
        code = _COMPONENT.format(module=module, name=name, folder=str(self.folder / "filled_in"))
        environment = os.environ | {"WH_PASSWORD": "x"}
        done = subprocess.run(
            [self.python, "-c", code],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        (self.folder / f"{module}.log").write_text(done.stdout + done.stderr)
        return done.returncode

    def new(self, *arguments: str) -> str:
        """Runs a command of this dapu, which must succeed."""
        environment = os.environ | {**self.names, "WH_PASSWORD": "x"}
        done = subprocess.run(
            [sys.executable, "-m", "dapu", *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        expect(done.returncode == 0, f"dapu {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def names(self) -> dict[str, str]:
        """What conf/sql.yaml takes from the environment."""
        host = str(self.server.socket_directory)
        return {"WH_HOST": host, "WH_PORT": str(self.server.port), "WH_DATABASE": "postgres"}

    def fill_in(self) -> None:
        """The project as a deploy of 0.8 leaves it, which pastes the host into a URL."""
        shutil.copytree(PROJECT, self.folder / "filled_in")
        conf = self.folder / "filled_in" / "conf" / "sql.yaml"
        text = conf.read_text()
        for name, value in self.names.items():
            text = text.replace(f"${{{name}}}", quote(value, safe=""))
        conf.write_text(text)

    def load_by_old(self) -> None:
        """All tasks once, at whatever time of the day."""
        for task in TASKS:
            self.execute(f"insert into meta.agenda (task_id, status) values ('{task}', 0)")
            self.old("worker", "DapuWorker")
        open_jobs = self.execute("select task_id, status from meta.agenda where status <> 1")
        expect(not open_jobs, f"0.8 did not finish {open_jobs}")

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of all tables."""
        return {
            table: self.execute(f"select {columns} from {table} order by {columns}")
            for table, columns in _TABLES.items()
        }


def expect(holds: bool, otherwise: str) -> None:
    """Raises Difference unless something holds."""
    if not holds:
        raise Difference(otherwise)


def rehearse(stage: Stage) -> None:
    """The whole way over."""
    stage.execute(_PREPARED)
    stage.fill_in()
    for component in (("enabler", "DapuEnabler"), ("registrar", "DapuRegistrar")):
        status = stage.old(*component)
        expect(status == 0, f"0.8's {component[0]} ends with {status}")
    stage.load_by_old()
    stage.execute(_CHANGED)
    stage.load_by_old()
    before = stage.tables()
    say("0.8.10 loaded", **{table: len(rows) for table, rows in before.items()})

    stage.execute("update meta.stopper set allowed_version = 99")
    expect(stage.old("manager", "DapuManager") != 0, "0.8 still runs")
    new = str(stage.folder / "new")
    stage.new("convert", str(PROJECT), new)
    stage.new("validate", new)
    taken = json.loads(stage.new("baseline", new, "--from-0.8", "meta", "--json"))
    expect(len(taken["tasks"]) == len(TASKS) and not taken["faults"], f"taken over: {taken}")
    expect(stage.tables() == before, "a table changed while it was taken over")
    say("taken over", **{one["task"]: one["watermark"] for one in taken["tasks"]})

    stage.execute(_NEWER)
    for task in TASKS:
        stage.new("run", new, task)
    check_loads(stage, before)


def check_loads(stage: Stage, before: dict[str, list[tuple[Any, ...]]]) -> None:
    """Each row once, and only what is new was read."""
    done = stage.execute(
        "select task, rows from dapu.agenda where status = 'done' and task = 'shop.staging.invoice'"
    )
    expect(done[0][1] == 101, f"read of the invoices: {done}, not the last one and 100 new ones")
    after = stage.tables()
    old = before["staging.invoice"]
    expect(after["staging.invoice"][: len(old)] == old, "invoices of before are others now")
    expect(len(after["staging.invoice"]) == 1600, "invoices are missing, or doubled")
    expect(len(after["mart.revenue"]) >= len(before["mart.revenue"]), "revenue lost days")
    versions = stage.execute(
        "select began_by, ended_by, is_current, count(*) from mart.customer_history"
        " group by 1, 2, 3 order by 1, 2, 3"
    )
    expect(sum(row[3] for row in versions if row[2]) == 99, f"current versions: {versions}")
    expect(
        len(after["mart.customer_history"]) == len(before["mart.customer_history"]) + 1,
        f"one customer changed: {versions}",
    )
    say("loaded on", **{table: len(rows) for table, rows in after.items()})
    say("versions", **{" ".join(map(str, row[:3])): row[3] for row in versions})


def say(what: str, **figures: Any) -> None:
    """One line."""
    sys.stdout.write(f"{what}: {', '.join(f'{name} {value}' for name, value in figures.items())}\n")


def old_python(cache: Path, python: str) -> Path:
    """Installs dapu 0.8.10, unless it is there."""
    program = cache / "bin" / "python"
    if not program.exists():
        subprocess.run([python, "-m", "venv", cache], check=True)
        packages = [f"dapu=={VERSION}", "openpyxl"]
        subprocess.run([program, "-m", "pip", "install", "--quiet", *packages], check=True)
    return program


@contextmanager
def a_stage(python: Path) -> Iterator[Stage]:
    """A server and a folder, which stays when something is wrong."""
    programs = (
        postgis.installed()
    )  # 0.8 wants the extensions pgcrypto and hstore, as Debian has them
    expect(programs is not None, "install Debian's postgresql and postgresql-postgis")
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="dapu-from-0.8-"))
    with postgis.running_postgis(programs) as server:
        yield Stage(server, folder, python)
    shutil.rmtree(folder)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="./scripts/from_0_8/run", description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--python", default="python3.12")
    options = parser.parse_args()
    try:
        with a_stage(old_python(options.cache, options.python)) as stage:
            rehearse(stage)
    except Difference as difference:
        sys.stderr.write(f"{difference}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
