"""A small warehouse with one task, `source.staging.thing`, for the tests of an agent."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import psycopg2

from dapu.worker.job import Outcome
from tests.conftest import Database, MakeWarehouse
from tests.support.rounds import prepare, run_task

TASK = "source.staging.thing"
TABLE = "staging.thing"
FOLDER = "routes/source/staging/thing"


class OneTask:
    """Its definitions, its runs, and what they leave."""

    def __init__(self, make: MakeWarehouse, database: Database) -> None:
        self._make, self.database = make, database
        self.folder = Path()

    def has(
        self, connection: str, action: str, files: dict[str, str] | None = None, run: str = ""
    ) -> None:
        """Writes the definitions.

        connection: the keys of the route's connection beside `name`. action: the action's keys.
        files: others of the task. run: keys below `run`, beside `retries`.
        """
        task = f"run: {{retries: 0{run}}}\nactions:\n- {indent(dedent(action), '  ').strip()}\n"
        entry = f"- name: source\n{indent(dedent(connection), '  ')}\n"
        self.folder = self._make(
            {
                "connections.yaml": self.database.connections_yaml() + entry,
                "routes/source/route.yaml": "connection: source",
                f"{FOLDER}/task.yaml": task,
                **{f"{FOLDER}/{name}": text for name, text in (files or {}).items()},
            }
        )

    def run(self, *, full: bool = False, backfill: dict[str, str | None] | None = None) -> str:
        """Runs the task, which must succeed, and returns how it went."""
        outcome = run_task(self.folder, TASK, full=full, backfill=backfill)
        assert outcome.status == "done", outcome.message
        return outcome.message

    def fails(self) -> str:
        """Runs the task, which must fail, and returns what it says."""
        outcome = run_task(self.folder, TASK)
        assert outcome.status == "failed", outcome
        return outcome.message

    def outcome(self) -> Outcome:
        """Runs the task, which may fail."""
        return run_task(self.folder, TASK)

    def is_refused(self) -> str:
        """Registers the task, which must be faulty, and returns what is wrong with it."""
        faults = prepare(self.folder).faults
        assert faults, "it is not faulty"
        return "\n".join(fault.message for fault in faults)

    def rows(self, query: str = f"select * from {TABLE} order by 1") -> list[Any]:
        """What a query of the warehouse gives."""
        with psycopg2.connect(self.database.uri) as session, session.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def execute(self, statement: str) -> None:
        """Changes something in the warehouse by hand."""
        with psycopg2.connect(self.database.uri) as session, session.cursor() as cursor:
            cursor.execute(statement)

    def make_table(self, columns: str, table: str = TABLE) -> None:
        """Makes the task's table, or another one in a schema of its own, by hand."""
        schema = table.partition(".")[0]
        self.execute(f"create schema {schema}; create table {table} ({columns})")

    def has_table(self) -> bool:
        """Whether the task's table is there."""
        return bool(self.rows(f"select to_regclass('{TABLE}') is not null")[0][0])

    def types(self) -> dict[str, str]:
        """The columns of the task's table, in order, with their types."""
        found = self.rows(
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute "
            f"where attrelid = '{TABLE}'::regclass and attnum > 0 order by attnum"
        )
        return dict(found)

    def events(self) -> list[str]:
        """What the jobs have told."""
        return [row[0] for row in self.rows("select message from meta.event order by event")]
