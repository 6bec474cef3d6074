"""Whatever a value comes from, it arrives as it is or is refused: one table of values for all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import escape

import psycopg2
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.services.mariadb import MariaDB
from tests.services.misbehaving_http import MisbehavingServer, Reply
from tests.services.wfs_server import WfsServer
from tests.support.exact_values import CHANGED, KEPT
from tests.support.file_task import Share
from tests.support.maria_shop import Shop
from tests.support.one_task import OneTask

Values = list[str]
Give = Callable[[Values, str], None]
"""Makes a task of rows with one text each, in a column v. Takes more keys of its action."""

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

    def csv(self, values: Values, keys: str) -> None:
        quoted = (value.replace('"', '""') for value in values)
        self._share.put("a.csv", "n,v\n" + "".join(f'{i},"{v}"\n' for i, v in enumerate(quoted)))
        self._files(f"do: file\nfile: a.csv\nescape: none\n{keys}")

    def json_file(self, values: Values, keys: str) -> None:
        rows = (json.dumps({"n": n, "v": value}) for n, value in enumerate(values))
        self._share.put("a.ndjson", "\n".join(rows))
        self._files(f"do: file\nfile: a.ndjson\n{keys}")

    def parquet(self, values: Values, keys: str) -> None:
        table = pa.table({"n": range(len(values)), "v": values})
        parquet.write_table(table, self._share.path / "a.parquet")
        self._share.age(self._share.path / "a.parquet")
        self._files(f"do: file\nfile: a.parquet\n{keys}")

    def excel(self, values: Values, keys: str) -> None:
        self._share.book("a.xlsx", [["n", "v"], *([n, value] for n, value in enumerate(values))])
        self._files(f"do: excel\nworkbook: a.xlsx\n{keys}")

    def sqlite(self, values: Values, keys: str) -> None:
        self._from_sqlite("sqlite", values, keys)

    def driver(self, values: Values, keys: str) -> None:
        """The same by SQLAlchemy, whose rows are Python's."""
        self._from_sqlite("sqlite+pysqlite", values, keys)

    def _from_sqlite(self, driver: str, values: Values, keys: str) -> None:
        path = self._share.path / "shop.db"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as session, session:
            session.execute("create table t (n integer, v)")
            session.executemany("insert into t values (?, ?)", enumerate(values))
        self._query(f"{driver}:///{path}", "t", keys)

    def rest(self, values: Values, keys: str) -> None:
        self._server.on("/list", [{"n": n, "v": value} for n, value in enumerate(values)])
        self._rest(keys)

    def rest_xml(self, values: Values, keys: str) -> None:
        items = "".join(
            f"<i><n>{n}</n><v>{escape(value)}</v></i>" for n, value in enumerate([*values, "", ""])
        )
        reply = Reply(f"<l>{items}</l>".encode(), headers={"Content-Type": "text/xml"})
        self._server.on("/list", reply)
        self._rest(f"records: l.i[?v]\n{keys}")

    def _rest(self, keys: str) -> None:
        action = f"do: rest\npath: list\ncolumns: {{n: n, v: v}}\n{keys}"
        self.task.has(f"driver: rest\nurl: {self._server.url}", action)

    def wfs(self, values: Values, keys: str) -> None:
        self._wfs.properties = {"n": "int", "v": "string"}
        self._wfs.features = [
            f"<ms:n>{n}</ms:n><ms:v>{escape(value)}</ms:v>" for n, value in enumerate(values)
        ]
        self.task.has(self._wfs.connection, f"do: wfs\nlayer: thing\ngeometry: false\n{keys}")

    def postgres(self, values: Values, keys: str) -> None:
        self.task.execute("drop table if exists public.t; create table public.t (n int, v text)")
        with closing(psycopg2.connect(self.task.database.uri)) as session, session:
            session.cursor().execute(
                "insert into public.t select ordinality, v "
                "from unnest(%s::text[]) with ordinality as u (v)",
                [values],
            )
        self._query(self.task.database.uri, "public.t", keys)

    def from_mariadb(self, values: Values, keys: str) -> None:
        assert self.mariadb is not None
        self.mariadb.run("create or replace table t (n int, v varchar(100))")
        for row in enumerate(values):
            self.mariadb.run("insert into t values (%s, %s)", values=row)
        self._query(self.mariadb.url, "t", keys)

    def _query(self, url: str, table: str, keys: str) -> None:
        query = {"extract.sql": f"select n, v from {table} order by n"}
        self.task.has(f'url: "{url}"', f"do: database\nquery: extract.sql\n{keys}", query)


def check(world: World, give: Give, *, refuses: Collection[str] = ()) -> None:
    """refuses: what it does not take, though PostgreSQL would keep it."""
    for type_name, (changed, kept) in by_type().items():
        make(world.task, type_name)
        give(changed[:1], "")
        if world.task.outcome().status == "done":  # the column has become a text
            assert world.task.rows("select rtrim(v) from staging.thing") == [(changed[0].rstrip(),)]
            continue
        give([*kept, *changed], "on_bad_value: 'null'")
        world.task.run()
        rows = world.task.rows("select v::text from staging.thing order by n")
        arrived = [text for (text,) in rows]
        for text, found in zip(kept, arrived, strict=False):
            expected = None if text in refuses else shown(world.task, text, type_name)
            assert found == expected, (type_name, text)
        assert dict(zip(changed, arrived[len(kept) :], strict=True)) == dict.fromkeys(changed)


def shown(task: OneTask, text: str, type_name: str) -> str:
    with closing(psycopg2.connect(task.database.uri)) as session, session.cursor() as cursor:
        cursor.execute(f"select %s::{type_name}::text", [text])
        return str((cursor.fetchone() or ("",))[0])


def make(task: OneTask, type_name: str) -> None:
    task.execute(
        "drop schema if exists staging cascade; create schema staging; "
        f"create table staging.thing (n int, v {type_name})"
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
    make(task, "text[], ns numeric(5,2)[], days date[]")
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
