"""The demo's warehouse, over a handful of flights: all its tasks run, and nothing is due then."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest

from dapu.components.manager import queue_due_tasks
from dapu.warehouse.warehouse import open_warehouse
from scripts.demo_data import BUDGET, DATABASES, HOLIDAYS, Table, Value, build_files
from tests.conftest import Database
from tests.support.rounds import prepare, run_due

DEMO = Path(__file__).resolve().parents[2] / "definitions" / "flights"
FLIGHT: dict[str, Value] = {
    "year": 2013, "month": 7, "day": 4, "dep_time": 517, "sched_dep_time": 515, "dep_delay": 2,
    "arr_time": 830, "sched_arr_time": 819, "arr_delay": 20, "carrier": "UA", "tailnum": "N1",
    "origin": "EWR", "dest": "IAH", "air_time": 227, "distance": 1400, "hour": 5, "minute": 15,
    "time_hour": "2013-07-04 09:00:00",
}  # fmt: skip
ROWS: dict[str, list[dict[str, Value]]] = {
    "flights": [{**FLIGHT, "flight": number} for number in range(1, 11)],
    "airlines": [{"carrier": "UA", "name": "United"}],
    "airports": [{"faa": "IAH", "name": "Houston"}],
}


@pytest.fixture
def demo(tmp_path: Path, database: Database) -> Path:
    """The demo's directory with the tests' database and small sources."""
    folder = tmp_path / "flights"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("data", "out", ".dapu"))
    connections = folder / "connections.yaml"
    _, _, sources = connections.read_text().partition("  database: flights\n")
    connections.write_text(database.connections_yaml() + sources)
    (folder / "data").mkdir()
    (folder / "out").mkdir()
    for name, tables in DATABASES.items():
        fill(folder / "data" / name, tables)
    build_files(folder / "data" / "office", folder / "data" / "operations.db")
    for name in (BUDGET, HOLIDAYS):  # a file of this very second might still be written
        os.utime(folder / "data" / "office" / name, (0, 0))
    return folder


def fill(path: Path, tables: tuple[Table, ...]) -> None:
    with closing(sqlite3.connect(path)) as session, session:
        for table in tables:
            session.execute(f"create table {table.name} ({', '.join(table.columns)})")
            for row in ROWS.get(table.name, []):
                marks = ", ".join("?" for _ in row)
                names = ", ".join(row)
                session.execute(
                    f"insert into {table.name} ({names}) values ({marks})", list(row.values())
                )


def test_the_demo_runs_through_to_its_workbook(demo: Path) -> None:
    assert prepare(demo).faults == []
    outcomes = run_due(demo).outcomes
    assert {
        task: outcome.message for task, outcome in outcomes.items() if outcome.status != "done"
    } == {}
    assert "mart.reports.budget_workbook" in outcomes
    book = openpyxl.load_workbook(demo / "out" / "budget and actuals 2013.xlsx")
    assert book.sheetnames == ["By airline", "By month"]
    assert [cell.value for cell in book["By airline"][2]] == ["United", 10, 10, 160, 200, 125]
    assert queue_due_tasks(open_warehouse(demo)).queued == []
