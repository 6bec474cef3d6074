"""`dapu discover`: what a route's source has."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.conftest import Database, MakeWarehouse
from tests.services.mapserver import Layer, MapServer
from tests.services.mariadb import MariaDB
from tests.services.misbehaving_http import MisbehavingServer
from tests.services.postgres import Postgres
from tests.support.command import Finished, here


class Discover:
    """A warehouse with one route."""

    def __init__(
        self, make: MakeWarehouse, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._make, self._database, self._capsys = make, database, capsys
        self.folder = Path()

    def has(self, connection: str) -> None:
        """Writes the definitions. connection: the keys beside `name`."""
        entry = "- name: source\n" + "".join(f"  {line}\n" for line in connection.splitlines())
        self.folder = self._make(
            {
                "connections.yaml": self._database.connections_yaml() + entry,
                "routes/source/route.yaml": "connection: source",
                "routes/mart/route.yaml": "",
            }
        )

    def run(self, route: str = "source", *options: str) -> Finished:
        """Runs the command."""
        return here(self._capsys, "discover", self.folder, route, *options)

    def text(self, route: str = "source", *options: str) -> str:
        """What the command prints; it must succeed."""
        done = self.run(route, *options)
        assert done.status == 0, done.text
        return done.out

    def items(self, route: str = "source") -> list[dict[str, Any]]:
        """What the command gives to another program."""
        found: list[dict[str, Any]] = json.loads(self.text(route, "--json"))["items"]
        return found


@pytest.fixture
def discover(
    make_warehouse: MakeWarehouse, database: Database, capsys: pytest.CaptureFixture[str]
) -> Discover:
    return Discover(make_warehouse, database, capsys)


@pytest.mark.without_registry
def test_the_tables_of_postgresql(discover: Discover, database: Database) -> None:
    with closing(database.connect()) as session, session:
        session.cursor().execute(
            "create schema erp; create table erp.invoice (id bigint, total numeric(12, 2));"
            "create view erp.paid as select id from erp.invoice;"
            "create materialized view erp.sums as select sum(total) as total from erp.invoice"
        )
    discover.has("driver: files\npath: .")
    sound = {"fault": None}
    assert discover.items("mart") == [
        {
            "schema": "erp",
            "name": "invoice",
            "kind": "table",
            "columns": {"id": "bigint", "total": "numeric(12, 2)"},
            "fault": None,
        },
        {"schema": "erp", "name": "paid", "kind": "view", "columns": {"id": "bigint"}} | sound,
        {"schema": "erp", "name": "sums", "kind": "view", "columns": {"total": "numeric"}} | sound,
    ]
    text = discover.text("mart")
    lines = [line.split(maxsplit=4) for line in text.splitlines()]
    assert ["erp", "invoice", "table", "total", "numeric(12, 2)"] in [
        [word.strip() for word in line] for line in lines
    ]
    assert "3 tables of the connection `main`" in text


def test_the_tables_of_sqlite(discover: Discover, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as session:
        session.execute("create table customer (id integer, name varchar(20))")
    discover.has(f"url: sqlite:///{tmp_path}/erp.db")
    assert discover.items() == [
        {
            "schema": "main",
            "name": "customer",
            "kind": "table",
            "columns": {"id": "integer", "name": "varchar(20)"},
            "fault": None,
        }
    ]


def test_what_is_broken_is_named_and_the_rest_is_there(
    discover: Discover, tmp_path: Path, mariadb: MariaDB
) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db", isolation_level=None)) as session:
        session.executescript(
            "create table a (id integer); create table gone (x);"
            "create view broken as select x from gone; drop table gone; pragma writable_schema = 1;"
            "insert into sqlite_master values "
            "('table', 'odd', 'odd', 0, 'create virtual table odd using no_such_module (a)')"
        )
    discover.has(f"url: sqlite:///{tmp_path}/erp.db")
    faults = {item["name"]: item["fault"] or "" for item in discover.items()}
    assert faults["a"] == ""
    assert "gone" in faults["broken"]
    assert "no_such_module" in faults["odd"]
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("create or replace database with_broken")
        cursor.execute("use with_broken")
        for what in ("a (id int)", "gone (x int)"):
            cursor.execute(f"create table {what}")
        cursor.execute("create view broken as select x from gone")
        cursor.execute("drop table gone")
    discover.has(f"url: {mariadb.url('with_broken')}")
    found = {i["name"]: i["fault"] for i in discover.items() if i["schema"] == "with_broken"}
    assert found["a"] is None
    assert "broken" in found["broken"]
    assert "broken" in discover.text()


def test_a_missing_sqlite_file_is_reported_and_not_made(discover: Discover, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.db"
    discover.has(f"url: sqlite:///{missing}")
    done = discover.run()
    said = f"dapu: the connection `source`: there is no file {missing}\n"
    assert (done.status, done.err) == (1, said)
    assert not missing.exists()


def test_the_tables_of_mariadb(discover: Discover, mariadb: MariaDB) -> None:
    with closing(mariadb.connect()) as session, session.cursor() as cursor:
        cursor.execute("create or replace database discovered")
        cursor.execute("create table discovered.item (id int unsigned, name varchar(9))")
    discover.has(f"url: {mariadb.url('discovered')}")
    (item,) = (item for item in discover.items() if item["schema"] == "discovered")
    assert item["name"] == "item"
    assert list(item["columns"]) == ["id", "name"]
    assert not any(item["schema"] in ("mysql", "sys") for item in discover.items())


def test_files_and_sheets_with_their_columns(discover: Discover, tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "2024").mkdir(parents=True)
    (share / "2024" / "a.csv").write_text("Käive;b\n1;2\n", "utf-8")
    (share / "broken.xlsx").write_text("not a workbook")
    (share / "notes.md").write_text("a,b")
    book = openpyxl.Workbook()
    book.create_sheet("Costs").append(["Cost centre", "Amount"])
    book.save(share / "Budget 2024.xlsx")
    discover.has(f"driver: files\npath: {share}")
    items = {(item["file"], item["sheet"]): item for item in discover.items()}
    assert list(items) == [
        ("2024/a.csv", None),
        ("Budget 2024.xlsx", "Sheet"),
        ("Budget 2024.xlsx", "Costs"),
        ("broken.xlsx", None),
        ("notes.md", None),
    ]
    csv = items["2024/a.csv", None]
    assert (csv["bytes"], csv["columns"], csv["fault"]) == (13, {"kaive": "", "b": ""}, None)
    costs = items["Budget 2024.xlsx", "Costs"]["columns"]
    assert list(costs) == ["cost_centre", "amount"]
    assert "is not a workbook" in items["broken.xlsx", None]["fault"]
    assert any(line.split()[-2:] == ["Costs", "amount"] for line in discover.text().splitlines())


def test_the_columns_of_parquet_have_types(discover: Discover, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": [1], "name": ["x"]}), tmp_path / "a.parquet")
    discover.has(f"driver: files\npath: {tmp_path}")
    columns = [item["columns"] for item in discover.items() if item["file"] == "a.parquet"]
    assert columns == [{"id": "bigint", "name": "text"}]


def test_a_connection_that_no_route_has(discover: Discover, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as session:
        session.execute("create table customer (id integer)")
    discover.has(f"url: sqlite:///{tmp_path}/erp.db")
    (discover.folder / "routes" / "source" / "route.yaml").unlink()
    assert [item["name"] for item in discover.items()] == ["customer"]


def test_the_layers_of_a_wfs(
    discover: Discover, mapserver: MapServer, postgis_server: Postgres
) -> None:
    source = f"host={postgis_server.socket_directory} user=postgres dbname=source"
    mapserver.serve([Layer("roads", "roads", "LINE"), Layer("lakes", "lakes")], source)
    discover.has(f"driver: wfs\nurl: {mapserver.url}")
    assert discover.items() == [
        {"layer": "ms:roads", "title": "roads", "srids": [3301, 4326, 3857]},
        {"layer": "ms:lakes", "title": "lakes", "srids": [3301, 4326, 3857]},
    ]
    assert "2 layers of the connection `source`\nWFS 2.0.0" in discover.text()


def test_a_web_service_gives_a_hint(discover: Discover, server: MisbehavingServer) -> None:
    discover.has(f"driver: rest\nurl: {server.url}/v1")
    assert f"a web service does not say what it has; read the documentation of {server.url}/v1" in (
        discover.text()
    )
    assert server.asked == []


@pytest.mark.parametrize(
    ("connection", "route", "says"),
    [
        (
            "driver: files\npath: .",
            "sauce",
            "no route `sauce`, nor such a connection; did you mean `source`?",
        ),
        ("driver: files\npath: /nowhere", "source", "/nowhere"),
        ("url: nodb://host/x", "source", "needs the driver of nodb"),
        ("url: sqlite:////nowhere/x.db", "source", "there is no file /nowhere/x.db"),
        (
            "url: postgresql://me:s3cr3t@127.0.0.1:9/x",
            "source",
            "the connection `source` is refused",
        ),
        ("driver: wfs\nretries: 0\nurl: http://127.0.0.1:9/wfs", "source", "there is no answer"),
    ],
)
def test_a_source_that_cannot_be_looked_at(
    discover: Discover, connection: str, route: str, says: str
) -> None:
    discover.has(connection)
    done = discover.run(route)
    assert done.status in (1, 2)
    assert says in done.err
    assert "Traceback" not in done.err
    assert "s3cr3t" not in done.text
