"""Whatever a value comes from, it arrives as it is or is refused: one table of values for all."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import psycopg2
import pyarrow as pa
import pytest
from psycopg2.extras import execute_values
from pyarrow import parquet

from tests.services.mariadb import MariaDB
from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.services.wfs_server import WfsServer
from tests.support.exact_values import CHANGED, KEPT
from tests.support.file_task import Share
from tests.support.maria_shop import Shop
from tests.support.one_task import OneTask

Values = list[str]
Columns = dict[str, Values]
"""Texts by column, as many in each."""

Give = Callable[[Columns, str], None]
"""Makes a task of these columns and n, the number of the row. Takes more keys of its action."""

# One of each kind; all are asked of PostgreSQL itself in tests/integration/rows/test_exactness.py.
_TYPES = (
    "numeric(10,2)", "real", "double precision", "date", "timestamp without time zone",
    "timestamp(3) with time zone", "time without time zone", "interval", "character varying(3)",
    "name", '"char"', "numeric(10,2)[]", "date[]", "character varying(3)[]", "daterange",
)  # fmt: skip


@pytest.fixture
def world(task: OneTask, tmp_path: Path, server: MisbehavingServer, wfs: WfsServer) -> World:
    return World(task, Share(tmp_path / "share"), server, wfs)


class World:
    """What gives the values."""

    def __init__(
        self, task: OneTask, share: Share, server: MisbehavingServer, wfs: WfsServer
    ) -> None:
        self.task, self._share, self._server, self._wfs = task, share, server, wfs
        self.mariadb: Shop | None = None

    def _files(self, action: str) -> None:
        self.task.has(f"driver: files\npath: {self._share.path}", action)

    def csv(self, columns: Columns, keys: str) -> None:
        text = StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([["n", *columns], *numbered(columns)])
        self._share.put("a.csv", text.getvalue())
        self._files(f"do: file\nfile: a.csv\nescape: none\n{keys}")

    def json_file(self, columns: Columns, keys: str) -> None:
        self._share.put("a.ndjson", "\n".join(map(json.dumps, records(columns))))
        self._files(f"do: file\nfile: a.ndjson\n{keys}")

    def parquet(self, columns: Columns, keys: str) -> None:
        table = pa.Table.from_pylist(records(columns))
        parquet.write_table(table, self._share.path / "a.parquet")
        self._share.age(self._share.path / "a.parquet")
        self._files(f"do: file\nfile: a.parquet\n{keys}")

    def excel(self, columns: Columns, keys: str) -> None:
        self._share.book("a.xlsx", [["n", *columns], *map(list, numbered(columns))])
        self._files(f"do: excel\nworkbook: a.xlsx\n{keys}")

    def sqlite(self, columns: Columns, keys: str) -> None:
        self._from_sqlite("sqlite", columns, keys)

    def driver(self, columns: Columns, keys: str) -> None:
        """The same by SQLAlchemy, whose rows are Python's."""
        self._from_sqlite("sqlite+pysqlite", columns, keys)

    def _from_sqlite(self, driver: str, columns: Columns, keys: str) -> None:
        path = self._share.path / "shop.db"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as session, session:
            session.execute(f"create table t (n integer, {', '.join(columns)})")
            places = ", ".join("?" * (1 + len(columns)))
            session.executemany(f"insert into t values ({places})", numbered(columns))
        self._query(f"{driver}:///{path}", "t", keys)

    def rest(self, columns: Columns, keys: str) -> None:
        self._server.on("/list", records(columns))
        self._rest(columns, keys)

    def rest_xml(self, columns: Columns, keys: str) -> None:
        padded = {name: [*values, "", ""] for name, values in columns.items()}
        items = "".join(f"<i>{elements(one)}</i>" for one in records(padded))
        reply = Reply(f"<l>{items}</l>".encode(), headers={"Content-Type": "text/xml"})
        self._server.on("/list", reply)
        self._rest(columns, f"records: l.i[?v0]\n{keys}")

    def _rest(self, columns: Columns, keys: str) -> None:
        named = ", ".join(f"{name}: {name}" for name in ["n", *columns])
        action = f"do: rest\npath: list\ncolumns: {{{named}}}\n{keys}"
        self.task.has(f"driver: rest\nurl: {self._server.url}", action)

    def wfs(self, columns: Columns, keys: str) -> None:
        self._wfs.properties = {"n": "int"} | dict.fromkeys(columns, "string")
        self._wfs.features = [elements(one, "ms:") for one in records(columns)]
        self.task.has(self._wfs.connection, f"do: wfs\nlayer: thing\ngeometry: false\n{keys}")

    def postgres(self, columns: Columns, keys: str) -> None:
        texts = "".join(f", {name} text" for name in columns)
        self.task.execute(f"drop table if exists public.t; create table public.t (n int{texts})")
        with closing(psycopg2.connect(self.task.database.uri)) as session, session:
            execute_values(session.cursor(), "insert into public.t values %s", numbered(columns))
        self._query(self.task.database.uri, "public.t", keys)

    def from_mariadb(self, columns: Columns, keys: str) -> None:
        assert self.mariadb is not None
        texts = "".join(f", {name} varchar(100)" for name in columns)
        self.mariadb.run(f"create or replace table t (n int{texts})")
        places = ", ".join(["%s"] * (1 + len(columns)))
        for row in numbered(columns):
            self.mariadb.run(f"insert into t values ({places})", values=row)
        self._query(self.mariadb.url, "t", keys)

    def _query(self, url: str, table: str, keys: str) -> None:
        query = {"extract.sql": f"select * from {table} order by n"}
        self.task.has(f'url: "{url}"', f"do: database\nquery: extract.sql\n{keys}", query)


def numbered(columns: Columns) -> list[tuple[Any, ...]]:
    """The rows, each with its number before."""
    return [(n, *row) for n, row in enumerate(zip(*columns.values(), strict=True))]


def records(columns: Columns) -> list[dict[str, Any]]:
    names = ["n", *columns]
    return [dict(zip(names, row, strict=True)) for row in numbered(columns)]


def elements(record: dict[str, Any], prefix: str = "") -> str:
    return "".join(
        f"<{prefix}{name}>{escape(str(value))}</{prefix}{name}>" for name, value in record.items()
    )


def check(world: World, give: Give, *, refuses: Collection[str] = ()) -> None:
    """refuses: what it does not take, though PostgreSQL would keep it."""
    texts = {
        name: (changed, kept)
        for name, (changed, kept) in by_type().items()
        if not widens(world, give, name, changed[0])
    }
    if not texts:
        return
    names = [f"v{number}" for number in range(len(texts))]
    make(world.task, dict(zip(names, texts, strict=True)))
    columns = as_long_as_each_other([[*kept, *changed] for changed, kept in texts.values()])
    give(dict(zip(names, columns, strict=True)), "on_bad_value: 'null'")
    world.task.run()
    for column, (name, (changed, kept)) in zip(names, texts.items(), strict=True):
        rows = world.task.rows(f"select {column}::text from staging.thing order by n")
        arrived = [text for (text,) in rows]
        for text, found in zip(kept, arrived, strict=False):
            expected = None if text in refuses else shown(world.task, text, name)
            assert found == expected, (name, text)
        by_text = dict(zip([*kept, *changed], arrived, strict=False))
        assert {text: by_text[text] for text in changed} == dict.fromkeys(changed)


def as_long_as_each_other(columns: list[Values]) -> list[Values]:
    """Each with its first value again and again at its end."""
    longest = max(map(len, columns))
    return [column + column[:1] * (longest - len(column)) for column in columns]


def widens(world: World, give: Give, type_name: str, text: str) -> bool:
    """Whether a column becomes a text for one that it would change; else the job must fail."""
    make(world.task, {"v0": type_name})
    give({"v0": [text]}, "")
    outcome = world.task.outcome()
    if outcome.status == "done":
        assert world.task.rows("select rtrim(v0) from staging.thing") == [(text.rstrip(),)]
    else:
        assert outcome.status == "failed", outcome
    return outcome.status == "done"


def shown(task: OneTask, text: str, type_name: str) -> str:
    with closing(psycopg2.connect(task.database.uri)) as session, session.cursor() as cursor:
        cursor.execute(f"select %s::{type_name}::text", [text])
        return str((cursor.fetchone() or ("",))[0])


def make(task: OneTask, types: dict[str, str]) -> None:
    columns = "".join(f", {name} {of_type}" for name, of_type in types.items())
    task.execute(
        "drop schema if exists staging cascade; create schema staging; "
        f"create table staging.thing (n int{columns})"
    )


def by_type() -> dict[str, tuple[Values, Values]]:
    """For some types the texts that they would change, and those that they keep."""
    return {
        name: tuple([text for of, text in texts if of == name] for texts in (CHANGED, KEPT))  # type: ignore[misc]
        for name in _TYPES
    }


@pytest.mark.parametrize("source", ["sqlite", "driver", "parquet", "rest", "rest_xml", "wfs"])
def test_every_source_is_exact(world: World, source: str) -> None:
    check(world, getattr(world, source))


@pytest.mark.parametrize("source", ["csv", "json_file", "excel"])
def test_what_people_write_is_exact(world: World, source: str) -> None:
    check(world, getattr(world, source), refuses={"epoch"})


def test_postgresql_is_exact(world: World) -> None:
    check(world, world.postgres)


def test_mariadb_is_exact(world: World, mariadb: MariaDB) -> None:
    world.mariadb = Shop(mariadb)
    check(
        world,
        world.from_mariadb,
        refuses={"12e-1", "0.10000000149011612", "1.2345679", "9007199254740992"},
    )


def test_a_list_becomes_an_array(task: OneTask, server: MisbehavingServer) -> None:
    make(task, {"v": "text[]", "ns": "numeric(5,2)[]", "days": "date[]"})
    records = [
        {"v": ["a,b", None, 'q"\\', "", "NULL"], "ns": [1.20, -3], "days": [["2024-01-01"]]},
        {"v": [], "ns": None, "days": None},
    ]
    server.on("/list", records)
    action = "do: rest\npath: list\ncolumns: {v: v, ns: ns, days: days}"
    task.has(f"driver: rest\nurl: {server.url}", action)
    task.run()
    rows = task.rows("select v, ns::text, days::text from staging.thing order by v desc")
    assert rows == [
        (["a,b", None, 'q"\\', "", "NULL"], "{1.20,-3.00}", "{{2024-01-01}}"),
        ([], None, None),
    ]
    for faulty, why in [
        ({"ns": [1.5, 1.239]}, "1.239 "),
        ({"days": ["2024-01-01T10:00:00"]}, "its time of day would be lost"),
        ({"v": [["a"], []]}, "its empty lists would be lost"),
    ]:
        server.on("/list", [faulty])
        assert why in task.fails()
