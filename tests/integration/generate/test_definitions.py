"""`dapu generate`: what it writes is valid, registers and loads, untouched."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from psycopg2.extensions import connection as PgSession
from pyarrow import parquet

from dapu.generate.definitions.names import RESERVED
from tests.conftest import Database
from tests.services.mapserver import Layer, MapServer
from tests.support.generating import ITEM, Generating, postgres, sqlite
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


def test_the_rentals_of_mariadb(generating: Generating, shop: Shop) -> None:
    shop.run("set time_zone = '+00:00'", *filter(str.strip, RENTALS.split(";\n")))
    generating.reads(f"url: {shop.url}")
    done = generating.generate("--load", "merge")
    assert "generate: 9 new" in done.out
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
    assert generating.rows("select count(*) from staging.film_text") == [(2,)]
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
