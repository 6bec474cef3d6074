"""A warehouse with tables, and roles of a test's own, for the Gatekeeper."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql

from tests.conftest import Database, MakeWarehouse
from tests.support.command import Finished, here
from tests.support.components import rows, write

TABLES = """
create schema mart; create schema staging;
create table mart.sales (id int, amount numeric);
create view mart.sums as select sum(amount) from mart.sales;
create table staging.customer (id int, country text, email text);
create table staging.customer_note (id int);
create table staging.invoice (id int);
insert into staging.customer values (1, 'ee', 'a@b');
"""


class Gate:
    """A warehouse with tables, and roles that this test has for itself.

    In grants.yaml `ANALYSTS`, `BOSSES`, `mari` and `jaan` stand for roles of the test's own.
    """

    def __init__(self, make: MakeWarehouse, database: Database, capsys: Any) -> None:
        self.database, self._capsys = database, capsys
        self.names = {
            name: f"{database.name}_{name.lower()}"
            for name in ("ANALYSTS", "BOSSES", "mari", "jaan")
        }
        self.folder = make({})
        self.run_sql(TABLES + "; create role mari login; create role jaan login")

    def own(self, text: str) -> str:
        for name, real in self.names.items():
            text = text.replace(name, real)
        return text

    def run_sql(self, script: str) -> None:
        with closing(self.database.connect()) as session, session:
            session.cursor().execute(self.own(script))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self.database.connect()) as session:
            return rows(session, self.own(query))

    def says(self, text: str) -> None:
        write(self.folder, {"grants.yaml": self.own(text)})

    def run(self, *options: str) -> Finished:
        return here(self._capsys, "gatekeeper", self.folder, *options)

    def plan(self) -> list[str]:
        done = self.run()
        assert done.status == 0, done.text
        return [self._short(line) for line in done.out.splitlines()]

    def apply(self) -> list[str]:
        done = self.run("--apply")
        assert done.status == 0, done.text
        return [self._short(line) for line in done.out.splitlines()]

    def _short(self, text: str) -> str:
        for name, real in self.names.items():
            text = text.replace(real, name)
        return text

    def may(self, role: str, what: str) -> bool:
        """Whether a login may run a query."""
        with closing(self.database.connect()) as session, session.cursor() as cursor:
            role = self.names[role]
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            try:
                cursor.execute(what)
            except psycopg2.errors.InsufficientPrivilege:
                return False
            return True
