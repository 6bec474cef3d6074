"""`dapu generate`: what it writes is valid, registers and loads, untouched."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from psycopg2.extensions import connection as PgSession
from pyarrow import parquet

from dapu.generate.definitions.names import RESERVED
from tests.conftest import Database
from tests.services.mapserver import Layer, MapServer
from tests.support.command import DAPU
from tests.support.generating import Generating
from tests.support.maria_shop import Shop
from tests.support.rentals import RENTALS

MUSIC = """
create table Artist (ArtistId integer primary key, Name varchar(120));
create table Track (
    TrackId integer not null primary key, Name varchar(200) not null, ArtistId integer,
    UnitPrice numeric(10, 2) not null, Bytes integer,
    foreign key (ArtistId) references Artist (ArtistId));
create table PlaylistTrack (
    PlaylistId integer not null, TrackId integer not null, primary key (PlaylistId, TrackId));
create table Invoice (
    InvoiceId integer not null primary key, InvoiceDate timestamp not null, Total numeric(10, 2));
insert into Artist values (1, 'AC/DC'), (2, 'Motörhead');
insert into Track values (1, 'Balls to the Wall', 2, 0.99, 5510424), (2, 'Overkill', 2, 1.99, null);
insert into PlaylistTrack values (1, 1), (1, 2);
insert into Invoice values (1, '2021-01-01 00:00:00', 1.98);
"""


def sqlite(path: Path, script: str) -> str:
    """Makes a SQLite file; returns the connection to it."""
    with closing(sqlite3.connect(path)) as session:
        session.executescript(script)
    return f"url: sqlite:///{path}"


def postgres(database: Database, script: str) -> str:
    """Runs a script in the tests' database; returns a connection to it."""
    with closing(database.connect()) as session, session:
        session.cursor().execute(script)
    return (
        f"driver: pg\nhost: {database.server.socket_directory}\n"
        f"database: {database.name}\nusername: {database.server.username}"
    )


def test_the_rentals_of_mariadb(generating: Generating, shop: Shop) -> None:
    shop.run("set time_zone = '+00:00'", *filter(str.strip, RENTALS.split(";\n")))
    generating.reads(f"url: {shop.url}")
    done = generating.generate("--load", "merge")
    assert "generate: 8 new" in done.out
    generating.load()
    assert generating.types("film") == {
        "film_id": "integer",
        "title": "text",
        "description": "text",
        "release_year": "smallint",
        "language_id": "smallint",
        "rental_rate": "numeric(4,2)",
        "length": "integer",
        "rating": "text",
        "special_features": "text",
        "last_update": "timestamp with time zone",
    }
    [film] = generating.rows(
        "select title, release_year, rental_rate, rating, special_features, last_update::text "
        "from staging.film where film_id = 1"
    )
    assert film[:3] == ("ACADEMY DINOSAUR", 2006, Decimal("0.99"))
    assert film[3:5] == ("PG", "Trailers,Deleted Scenes")
    assert generating.rows("select count(*) from staging.film_actor") == [(2,)]
    assert generating.rows("select picture from staging.staff where active = '1'") != [(None,)]
    assert generating.rows("select fid, actors from staging.film_list order by 1") == [
        (1, "NICK, PENELOPE"),
        (2, None),
    ]
    comment = "select obj_description('staging.actor'::regclass), col_description(%s::regclass, 2)"
    assert generating.rows(comment.replace("%s", "'staging.film'")) == [
        ('Who plays; "stars" too', "As on the poster")
    ]
    assert 'description: Who plays; "stars" too' in generating.file("actor/task.yaml").read_text()


def test_a_watermark_is_proposed_where_name_type_and_index_say_so(
    generating: Generating, shop: Shop
) -> None:
    shop.run(*filter(str.strip, RENTALS.split(";\n")))
    generating.reads(f"url: {shop.url}")
    generating.generate("--load", "merge", "--tables", "film", "--tables", "actor")
    film, actor = (generating.file(f"{name}/task.yaml").read_text() for name in ("film", "actor"))
    assert "    key: [film_id]\n    watermark: {column: last_update}\n" in film
    assert "watermark" not in actor  # without an index each run would look through the table


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_music_of(
    generating: Generating, database: Database, tmp_path: Path, kind: str
) -> None:
    if kind == "sqlite":
        generating.reads(sqlite(tmp_path / "music.db", MUSIC))
    else:
        generating.reads(postgres(database, MUSIC))
    generating.generate("--exclude", "migration", "--tables", "[AaTtPpIi]*", "--exclude", "meta.*")
    generating.load()
    assert generating.rows("select * from staging.artist") == [(1, "AC/DC"), (2, "Motörhead")]
    assert generating.rows("select trackid, unitprice, bytes from staging.track order by 1") == [
        (1, Decimal("0.99"), 5510424),
        (2, Decimal("1.99"), None),
    ]
    keys = (
        "select relname, pg_get_constraintdef(c.oid) from pg_constraint c "
        "join pg_class t on t.oid = conrelid where contype = 'p' "
        "and connamespace = 'staging'::regnamespace order by 1"
    )
    assert generating.rows(keys) == [
        ("artist", "PRIMARY KEY (artistid)"),
        ("invoice", "PRIMARY KEY (invoiceid)"),
        ("playlisttrack", "PRIMARY KEY (playlistid, trackid)"),
        ("track", "PRIMARY KEY (trackid)"),
    ]


HOSTILE = [
    'Unit "Price" ($)',
    "order",
    "Order",
    "user",
    "ctid",
    "имя",
    "Имя",
    "1st",
    "…",
    "a b",
    "a;b",
    "a--b",
    "it's",
    "back`tick",
    "$dollar$",
    "100%s",
    "%(x)s",
    "{{ watermark }}",
    "{% raw %}",
    "a{% endraw %}b",
    "{# x #}",
    "valid_from",
    "_deleted_at",
    "n" * 62,
    "N" * 62,
    "ü" * 31,
]


def hostile_tables(quote: str, names: list[str]) -> list[str]:
    """For each name a table that is called so; the first has a column of each name."""

    def quoted(name: str) -> str:
        return quote + name.replace(quote, 2 * quote) + quote

    statements = []
    for number, name in enumerate(names):
        columns = names if number == 0 else [name]
        values = ", ".join(str(value) for value in range(len(columns)))
        definitions = ", ".join(f"{quoted(column)} int" for column in columns)
        statements += [
            f"create table {quoted(name)} ({definitions})",
            f"insert into {quoted(name)} values ({values})",
        ]
    return statements


def check_hostile(generating: Generating, names: list[str], *options: str) -> None:
    done = generating.generate(*options)
    assert f"{len(names)} new" in done.out
    generating.load()
    tables = [path.parent.name for path in sorted(generating.file("").glob("*/task.yaml"))]
    assert len(tables) == len(names)
    counts = [generating.rows(f'select count(*) from staging."{name}"') for name in tables]
    assert counts == [[(1,)]] * len(names)
    [widest] = generating.rows("select * from staging.unit_price")
    assert widest == tuple(range(len(names)))
    again = generating.generate(*options)
    assert f"{len(names)} unchanged" in again.out


def test_hostile_names_in_postgresql(generating: Generating, database: Database) -> None:
    names = [name for name in HOSTILE if name != "ctid"]
    statements = hostile_tables('"', names)
    connection = postgres(
        database,
        'create schema "Odd; schema"; set search_path = "Odd; schema";' + ";".join(statements),
    )
    generating.reads(connection)
    check_hostile(generating, names, "--tables", "Odd; schema.*")


def test_hostile_names_in_sqlite(generating: Generating, tmp_path: Path) -> None:
    names = [name for name in HOSTILE if name not in ("Order", "N" * 62)]  # the same to SQLite
    generating.reads(sqlite(tmp_path / "odd.db", ";".join(hostile_tables('"', names))))
    check_hostile(generating, names)


def test_hostile_names_in_mariadb(generating: Generating, shop: Shop) -> None:
    names = [name for name in HOSTILE if name not in ("Order", "N" * 62, "Имя")]
    names += ["m" * 64]
    for statement in hostile_tables("`", names):
        shop.run(statement)
    generating.reads(f"url: {shop.url}")
    check_hostile(generating, names)


def test_postgresql_reserves_no_other_words(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("select word from pg_get_keywords() where catcode in ('R', 'T')")
        words = {row[0] for row in cursor.fetchall()}
        cursor.execute(
            "select attname from pg_attribute where attrelid = 'pg_class'::regclass and attnum < 0"
        )
        words |= {row[0] for row in cursor.fetchall()}
    assert words - RESERVED == set()


ITEM = "create table item (id integer primary key, name text); insert into item values (1, 'x');"


@pytest.fixture
def item(generating: Generating, tmp_path: Path) -> Any:
    """A generated task, loaded; gives what runs SQL in its source."""
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    generating.generate()
    generating.load()

    def change(script: str) -> None:
        with closing(sqlite3.connect(tmp_path / "erp.db")) as session:
            session.executescript(script)

    return change


def test_a_column_that_the_source_gained_becomes_the_next_step(
    generating: Generating, item: Any
) -> None:
    item("alter table item add column Price numeric; update item set Price = 1.5")
    shown = generating.generate("--diff").out
    assert "+alter table staging.item add column price" in shown
    assert not generating.file("item/ver/002_add_column.sql").exists()
    assert "erp.staging.item: changed" in generating.generate().out
    generating.run("registrar")
    generating.run("run", "erp.staging.item")
    assert generating.rows("select * from staging.item") == [(1, "x", Decimal("1.5"))]
    assert "1 unchanged" in generating.generate().out


def test_what_a_person_changed_stays(generating: Generating, item: Any) -> None:
    task = generating.file("item/task.yaml")
    task.write_text(task.read_text() + "checks: [{unique: [id]}]\n")
    mine = task.read_text()
    item("alter table item add column price numeric")
    done = generating.generate("--load", "merge")
    assert "task.yaml stays as a person wrote it" in done.out
    assert task.read_text() == mine
    assert generating.file("item/ver/002_add_column.sql").is_file()
    generating.load()


def test_a_query_that_a_person_changed_gets_no_new_column(
    generating: Generating, item: Any
) -> None:
    query = generating.file("item/extract.sql")
    query.write_text("select id from item\n")
    item("alter table item add column price numeric")
    done = generating.generate()
    assert "the source has gained price" in done.out
    assert query.read_text() == "select id from item\n"
    assert not generating.file("item/ver/002_add_column.sql").exists()


def test_line_ends_of_another_system_are_no_change(generating: Generating, item: Any) -> None:
    for name in ("task.yaml", "extract.sql"):
        path = generating.file(f"item/{name}")
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    item("alter table item add column price numeric")
    assert "erp.staging.item: changed" in generating.generate().out
    assert "price" in generating.file("item/extract.sql").read_text()


def test_a_task_that_a_person_wrote_stays(generating: Generating, item: Any) -> None:
    generating.file("item/generated.yaml").unlink()
    done = generating.generate("--load", "merge")
    assert "erp.staging.item: kept; a person wrote it" in done.out


def test_a_column_and_a_table_that_the_source_lost(generating: Generating, item: Any) -> None:
    item("alter table item drop column name; create table other (a int)")
    assert "erp.staging.item: changed" in generating.generate("--tables", "item").out
    generating.load()
    assert generating.rows("select id, name from staging.item") == [(1, None)]
    item("drop table item")
    assert "erp.staging.item: gone; the source has no main.item" in generating.generate().out


def test_a_load_mode_without_what_it_needs_is_replaced_with_a_remark(
    generating: Generating, tmp_path: Path
) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", "create table loose (a int)"))
    generating.generate("--load", "merge")
    text = generating.file("loose/task.yaml").read_text()
    assert "# `load: merge` needs a key" in text
    assert "    load: replace\n" in text
    generating.load()


def test_history(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    generating.generate("--load", "history")
    generating.load()
    rows = generating.rows("select id, name, is_current, began_by from staging.item")
    assert rows == [(1, "x", True, "new")]


def test_templates_of_the_project(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    own = tmp_path / "templates"
    own.mkdir()
    (own / "task.yaml.j2").write_text(
        "status: draft\nactions: [{do: database, query: extract.sql, load: replace}]\n"
        "description: {{ table.label | yaml }}\n"
    )
    (own / "README.md.j2").write_text("{{ table.columns | length }} columns\n")
    generating.generate("--templates", str(own))
    assert "description: main.item\n" in generating.file("item/task.yaml").read_text()
    assert generating.file("item/README.md").read_text() == "2 columns\n"
    assert generating.file("item/ver/001_create.sql").is_file()
    (own / "task.yaml.j2").write_text("{{ nothing }}")
    done = generating.generate("--templates", str(own), status=2)
    assert "task.yaml.j2:1: the template fails: 'nothing' is undefined" in done.err


def test_new_makes_one_task_of_a_table(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    generating.run("new", "erp.mart.things", "--from", "Item", "--load", "merge")
    text = (generating.folder / "routes/erp/mart/things/task.yaml").read_text()
    assert "    load: merge\n    key: [id]\n" in text
    generating.load()
    assert generating.rows("select * from mart.things") == [(1, "x")]
    done = generating.run("new", "erp.mart.things", "--from", "item", status=2)
    assert "routes/erp/mart/things is there already" in done.err


def test_new_asks_on_a_terminal_for_what_is_not_given(
    generating: Generating, tmp_path: Path
) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    (generating.folder / "routes/erp").mkdir(parents=True)
    (generating.folder / "routes/erp/route.yaml").write_text("connection: erp")
    ours, its = pty.openpty()
    command = [*DAPU, "new", str(generating.folder), "erp.mart.things"]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        shown = b""
        for question, answer in ((b"none: a query", b"item"), (b"Load mode", b"merge")):
            while question not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, answer + b"\n")
        with suppress(OSError):  # how a terminal ends whose other side is closed
            while more := os.read(ours, 1000):
                shown += more
        assert process.wait() == 0, shown
    os.close(ours)
    assert b"routes/erp/mart/things/task.yaml" in shown
    text = (generating.folder / "routes/erp/mart/things/task.yaml").read_text()
    assert "    load: merge\n    key: [id]\n" in text


def test_new_without_a_source_is_a_query(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    (generating.folder / "routes/reports").mkdir(parents=True)
    (generating.folder / "routes/reports/route.yaml").write_text("")
    generating.run("new", "reports.mart.revenue")
    generating.load()
    assert generating.rows("select * from mart.revenue") == [(1,)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["erp.item"], "'erp.item' is not a task id"),
        (["erp.Staging.item"], "the schema name 'Staging' must be lower-case"),
        (["erp.s.item", "--from", "itm"], "has no table `itm`; did you mean `item`?"),
        (["erp.s.item"], "`erp` is a connection and not a route"),
        (["erq.s.item"], "no route `erq`"),
        (["erp.s.item", "--load", "merge"], "`--load` goes with `--from`"),
        (["main.s.item", "--from", "migration", "--load", "period"], "'period' is not one of"),
    ],
)
def test_new_refuses(generating: Generating, tmp_path: Path, options: list[str], says: str) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    assert says in generating.run("new", *options, status=2).err


def test_sheets_and_files(generating: Generating, tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "2024").mkdir(parents=True)
    (share / "2024" / "sales [EU].csv").write_text("Id;Amount;On\n1;1,50;2024-01-31\n")
    (share / "people.json").write_text('[{"name": "Mari", "born": 1990}]')
    parquet.write_table(pa.table({"id": [1], "name": ["x"]}), share / "a.parquet")
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Cost centres"
    book.active.append(["Code", "Total (EUR)"])
    book.active.append(["A1", 12.5])
    book.save(share / "Budget.xlsx")
    (share / "notes.md").write_text("nothing")
    generating.reads(f"driver: files\npath: {share}")
    assert "generate: 4 new" in generating.generate().out
    generating.load()
    assert generating.rows("select * from staging.budget_cost_centres") == [("A1", Decimal("12.5"))]
    assert generating.rows("select id, amount from staging.sales_eu") == [(1, Decimal("1.50"))]
    assert generating.types("sales_eu")["on"] == "date"
    assert generating.rows("select id, name from staging.a") == [(1, "x")]
    assert "4 unchanged" in generating.generate().out


def test_the_layers_of_a_wfs(
    generating: Generating, mapserver: MapServer, postgis_database: Database
) -> None:
    with closing(postgis_database.connect()) as session, session:
        session.cursor().execute(
            "create table roads as select 1 as id, 'E20' as name, "
            "st_setsrid(st_makepoint(542000, 6589000), 3301)::geometry(Point, 3301) as geom;"
            "alter table roads add primary key (id)"
        )
    source = (
        f"host={postgis_database.server.socket_directory} user=postgres "
        f"dbname={postgis_database.name}"
    )
    mapserver.serve([Layer("roads", "roads", "POINT"), Layer("lakes", "lakes")], source)
    generating.reads(f"driver: wfs\nurl: {mapserver.url}")
    generating.generate("--tables", "ROADS")
    text = generating.file("roads/task.yaml").read_text()
    assert text == (
        "description: roads\nactions:\n  - do: wfs\n    layer: ms:roads\n    load: replace\n"
    )
    assert not generating.file("roads/ver").exists()
    generating.load()
    assert generating.rows("select name from staging.roads") == [("E20",)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["nowhere", "--schema", "s"], "no route `nowhere`"),
        (["erp"], "Missing option '--schema'"),
        (["erp", "--schema", "Staging"], "the schema name 'Staging' must be lower-case"),
        (["erp", "--schema", "pg_x"], "the schema name 'pg_x' belongs to PostgreSQL"),
        (["erp", "--schema", "s", "-t", "itm"], "has no table `itm`; did you mean `item`?"),
        (["erp", "--schema", "s", "-x", "*"], "has no table what is not excluded"),
        (["erp", "--schema", "s", "--load", "period"], "'period' is not one of"),
        (["erp", "--schema", "s", "--templates", "/nowhere"], "no folder /nowhere"),
        (["api", "--schema", "s"], "does not say what it has"),
    ],
)
def test_generate_refuses(
    generating: Generating, tmp_path: Path, options: list[str], says: str
) -> None:
    connection = sqlite(tmp_path / "erp.db", ITEM)
    generating.reads(connection + "\n- {name: api, driver: rest, url: 'http://127.0.0.1:9'}\n#")
    done = generating.run("generate", *options, status=2)
    assert says in done.err
    assert not (generating.folder / "routes/erp").exists()


def test_of_the_warehouse_itself_the_registry_is_left_out(
    generating: Generating, database: Database
) -> None:
    postgres(database, "create schema erp; create table erp.item (id int)")
    generating.reads("driver: files\npath: .")
    done = generating.run("generate", "main", "--schema", "copies")
    assert "generate: 1 new" in done.out
