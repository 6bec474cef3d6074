"""MariaDB as a source: the server writes the lines, and every value arrives as it was."""

from __future__ import annotations

import json
import math
import random
import struct
from contextlib import closing

import pytest
from psycopg2.extensions import connection as PgSession
from sqlalchemy.engine import make_url

from dapu.errors import JobError
from dapu.sources.databases.native_first import NativeFirst
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.statement import Statement
from tests.support.maria_shop import Shop
from tests.support.pull import NASTY, make_target, pull

ALL_BITS = "b'" + "1" * 64 + "'"


GEOMETRY = "st_geomfromtext('POINT(1 -2)'{})"


COORDINATES = "000000000000f03f00000000000000c0"


ALL_BYTES = bytes(range(1, 256))
# What MySQL calls latin1 is cp1252, and what that leaves open has the code of its byte.
LATIN1 = "".join(
    chr(byte) if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252")
    for byte in ALL_BYTES
)
VALUES: list[tuple[str, str, dict[str, str | None]]] = [
    ("tinyint", "smallint", {"-128": "-128", "127": "127", "null": None}),
    ("tinyint(1)", "smallint", {"0": "0", "1": "1", "2": "2"}),
    ("tinyint unsigned", "smallint", {"255": "255"}),
    ("smallint", "smallint", {"-32768": "-32768"}),
    ("smallint unsigned", "integer", {"65535": "65535"}),
    ("mediumint", "integer", {"-8388608": "-8388608"}),
    ("mediumint unsigned", "integer", {"16777215": "16777215"}),
    ("int", "integer", {"-2147483648": "-2147483648"}),
    ("int unsigned", "bigint", {"4294967295": "4294967295"}),
    ("int(5) zerofill", "bigint", {"42": "42"}),
    ("bigint", "bigint", {"-9223372036854775808": "-9223372036854775808"}),
    ("bigint unsigned", "numeric(20,0)", {"18446744073709551615": "18446744073709551615"}),
    ("decimal(65,30)", "numeric(65,30)", {"9" * 35 + "." + "9" * 30: "9" * 35 + "." + "9" * 30}),
    ("decimal(5,2) unsigned", "numeric(5,2)", {"0.10": "0.10"}),
    ("decimal(6,2) zerofill", "numeric(6,2)", {"1.5": "1.50"}),
    ("decimal(5,0)", "numeric(5,0)", {"-99999": "-99999"}),
    ("float", "real", {"0.1": "0.1", "16777215": "1.6777215e+07", "3.4028234e38": "3.4028235e+38"}),
    ("float(7,2)", "real", {"1.5": "1.5"}),
    ("double", "double precision", {"0.1e0+0.2e0": "0.30000000000000004", "5e-324": "5e-324"}),
    ("double(20,2)", "double precision", {"0.115": "0.12", "-1e17": "-1e+17"}),
    ("bit(1)", "bit(1)", {"b'1'": "1", "b'0'": "0"}),
    ("bit(5)", "bit(5)", {"b'101'": "00101"}),
    ("bit(64)", "bit(64)", {ALL_BITS: "1" * 64, "b'1'": "0" * 63 + "1"}),
    ("year", "smallint", {"2155": "2155", "0": "0"}),
    ("date", "date", {"'0001-01-01'": "0001-01-01", "'9999-12-31'": "9999-12-31"}),
    ("time", "interval", {"'838:59:59'": "838:59:59", "'-838:59:59'": "-838:59:59"}),
    ("time(6)", "interval", {"'-00:00:00.000001'": "-00:00:00.000001"}),
    (
        "datetime(6)",
        "timestamp without time zone",
        {"'0001-01-01 00:00:00.000001'": "0001-01-01 00:00:00.000001"},
    ),
    ("datetime", "timestamp without time zone", {"'9999-12-31 23:59:59'": "9999-12-31 23:59:59"}),
    (
        "timestamp(6) null",
        "timestamp with time zone",
        {"'2024-03-31 01:30:00.123456'": "2024-03-31 01:30:00.123456+00"},
    ),
    ("binary(4)", "bytea", {"x'00ff5c'": "\\x00ff5c00", "''": "\\x00000000"}),
    ("varbinary(4)", "bytea", {"x'00ff5c0a'": "\\x00ff5c0a", "''": "\\x"}),
    ("blob", "bytea", {"x'e9'": "\\xe9", "''": "\\x"}),
    ("enum('a', 'b c', 'é') character set latin1", "text", {"'é'": "é", "'b c'": "b c"}),
    ("set('x', 'y', '\\\\')", "text", {"'x,\\\\'": "x,\\", "''": ""}),
    ("char(5)", "text", {"'ab'": "ab", "''": ""}),
    ("char(5) character set utf8mb3", "text", {"'äöü'": "äöü"}),
    ("varchar(255) character set latin1", "text", {f"x'{ALL_BYTES.hex()}'": LATIN1}),
    ("varchar(9) character set cp1251", "text", {"'дом?'": "дом?"}),
    ("varchar(9) character set utf16", "text", {"'😀\\\\n'": "😀\\n"}),
    ("varchar(9) character set sjis", "text", {"'日本表'": "日本表"}),
    ("varchar(9) character set ascii", "text", {"'a\\tb'": "a\tb"}),
    ("varchar(9) collate utf8mb4_uca1400_ai_ci", "text", {"'😀'": "😀"}),
    ("varchar(9) collate utf8mb4_bin", "text", {"'a '": "a "}),
    ("longtext", "text", {"repeat('é\\n', 40000)": "é\n" * 40000}),
    ("json", "jsonb", {"'{\"a\": 12345678901234567890.10}'": '{"a": 12345678901234567890.10}'}),
    (
        "uuid",
        "uuid",
        {"'123e4567-e89b-12d3-a456-426655440000'": "123e4567-e89b-12d3-a456-426655440000"},
    ),
    ("inet6", "inet", {"'2001:db8::ff00:42:8329'": "2001:db8::ff00:42:8329/128"}),
    ("inet4", "inet", {"'10.0.0.255'": "10.0.0.255/32"}),
    ("geometry", "bytea", {GEOMETRY.format(""): f"\\x0101000000{COORDINATES}"}),
    ("point", "bytea", {GEOMETRY.format(", 4326"): f"\\x0101000020e6100000{COORDINATES}"}),
]


def test_each_type_arrives_as_it_was(shop: Shop, connection: PgSession) -> None:
    shop.run("set sql_mode = ''", "set time_zone = '+00:00'")
    columns = ", ".join(f"c{number} {column}" for number, (column, *_) in enumerate(VALUES))
    shop.run(f"create table t (id int auto_increment primary key, {columns})")
    for number, (_, _, values) in enumerate(VALUES):
        shop.run(f"insert into t (c{number}) values {', '.join(f'({v})' for v in values)}")
    arrived = shop.pulled(connection, "select * from t order by id")
    assert arrived.how == "MySQL, lines written by the server"
    start = 0
    for number, (column, type_name, values) in enumerate(VALUES):
        texts = arrived.column(f"c{number}")
        assert texts[start : start + len(values)] == list(values.values()), column
        assert set(texts[:start] + texts[start + len(values) :]) <= {None}, column
        assert arrived.types[f"c{number}"] == type_name, column
        start += len(values)
    assert shop.pulled(connection, "select * from t order by id") == arrived


ODD_MODES = ["ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "ORACLE", "ANSI", "", "PAD_CHAR_TO_FULL_LENGTH"]


@pytest.mark.parametrize("mode", ODD_MODES)
def test_text_arrives_whatever_the_servers_mode(
    shop: Shop, connection: PgSession, mode: str
) -> None:
    shop.run("create table t (id int auto_increment primary key, v text)")
    for value in NASTY:
        shop.run("insert into t (v) values (%s)", values=(value,))
    shop.run("insert into t (v) values (null)")
    source = shop.open(sql_mode=mode, init_command="set time_zone = '+05:45', sql_select_limit = 2")
    arrived = pull(connection, source, "select v from t order by id")
    assert arrived.column("v") == [*NASTY, None]


def test_a_timestamp_is_the_same_moment_whatever_the_zones(
    shop: Shop, connection: PgSession
) -> None:
    shop.has("timestamp null", "'2024-03-31 01:30:00'", "'2024-10-27 01:30:00'", "null")
    expected = ["2024-03-31 01:30:00+00", "2024-10-27 01:30:00+00", None]
    source = shop.open(init_command="set time_zone = '-03:30'")
    assert pull(connection, source, "select v from t order by id").column("v") == expected
    with connection, connection.cursor() as cursor:
        cursor.execute("alter table staging.pulled alter v type timestamp; set timezone = 'Iran'")
    in_utc = [text and text.removesuffix("+00") for text in expected]
    assert shop.pulled(connection).column("v") == in_utc


def test_numbers_read_back(shop: Shop, connection: PgSession) -> None:
    dice = random.Random(20130101)
    doubles = [struct.unpack("d", dice.randbytes(8))[0] for _ in range(3_000)]
    doubles += [dice.randint(-(10**9), 10**9) / 100 for _ in range(1_000)]
    doubles = [number for number in doubles if math.isfinite(number)]
    singles = [struct.unpack("f", dice.randbytes(4))[0] for _ in doubles]
    singles = [number if math.isfinite(number) else 0.5 for number in singles]
    shop.run("create table t (id int auto_increment primary key, d double, f float)")
    pairs = zip(doubles, singles, strict=True)
    values = ", ".join(f"({d!r} * 1e0, {f!r} * 1e0)" for d, f in pairs)
    shop.run(f"insert into t (d, f) values {values}")
    arrived = shop.pulled(connection, "select d, f from t order by id")
    assert [float(text or "nan") for text in arrived.column("d")] == doubles
    with connection.cursor() as cursor:
        cursor.execute("select f::float8 from staging.pulled")
        assert [row[0] for row in cursor.fetchall()] == singles


def test_what_a_character_set_does_not_define_is_refused(shop: Shop, connection: PgSession) -> None:
    for charset, undefined in [("cp1250", "81"), ("tis620", "fe"), ("ascii", "e9")]:
        shop.has(f"varchar(9) character set {charset}", "'a'", f"x'{undefined}'")
        with pytest.raises(JobError, match=r"row 2.*invalid byte sequence"):
            shop.pulled(connection)
        assert shop.pulled(connection, on_bad_value="null").column("v") == ["a", None]


def test_nul_characters_and_zero_dates_have_their_switches(
    shop: Shop, connection: PgSession
) -> None:
    shop.has("varchar(9)", "'a\\0b'")
    with pytest.raises(JobError, match='invalid byte sequence for encoding "UTF8": 0x00'):
        shop.pulled(connection)
    assert shop.pulled(connection, nul_characters="remove").column("v") == ["ab"]
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table staging.pulled")
    shop.has("datetime", "'2024-01-01'", "'0000-00-00'")
    with pytest.raises(
        JobError, match=r'column v of staging.pulled cannot hold "0000-00-00 00:00:00" \(row 2\)'
    ):
        shop.pulled(connection)
    nulled = shop.pulled(connection, zero_dates="null")
    assert nulled.column("v") == ["2024-01-01 00:00:00", None]


def test_json_keeps_large_numbers(shop: Shop, connection: PgSession) -> None:
    document = '{"n": 123456789012345678901234567890.5, "e": 1e400, "s": "\\ud83d\\ude00\\n"}'
    shop.run("create table t (v json)", "create view w as select v from t")
    shop.run("insert into t values (%s)", values=(document,))
    arrived = shop.pulled(connection, "select v from t")
    assert arrived.types == {"v": "jsonb"}
    with connection.cursor() as cursor:
        cursor.execute("select v = %s::jsonb from staging.pulled", (document,))
        assert cursor.fetchone() == (True,)
        cursor.execute("drop table staging.pulled")
    connection.commit()
    # What a view shows is text to the server, and arrives as it is.
    arrived = shop.pulled(connection, "select v from w")
    assert arrived.types == {"v": "text"}
    assert json.loads(arrived.row()["v"] or "") == json.loads(document)


NAMES = ["Capital", "with space", 'quo"te', "back`tick", "select", "a%b", "a{b}", "ü" * 31, "x'y"]


def test_columns_of_any_name_arrive(shop: Shop, connection: PgSession) -> None:
    quoted = ["`{}`".format(name.replace("`", "``")) for name in NAMES]
    shop.run(f"create table t ({', '.join(f'{name} int' for name in quoted)})")
    shop.run(f"insert into t values ({', '.join(map(str, range(len(NAMES))))})")
    arrived = shop.pulled(connection, "select * from t")
    assert list(arrived.types) == NAMES
    assert arrived.rows == [tuple(map(str, range(len(NAMES))))]
    source = NativeFirst(shop.open(), lambda: GenericSource("shop", make_url(shop.url), {}))
    with closing(source):
        for number, name in enumerate(NAMES):
            query = Statement((f"select max({source.quote(name)}) from t",))
            assert source.value(query) == number


def test_many_columns_and_no_rows(shop: Shop, connection: PgSession) -> None:
    columns = ", ".join(f"c{number} varchar(3) character set latin1" for number in range(300))
    shop.run(f"create table t ({columns})")
    assert shop.pulled(connection, "select * from t").rows == []
    shop.run(f"insert into t values ({', '.join(['null', 'char(233)'] * 150)})")
    assert shop.pulled(connection, "select * from t;").rows == [(None, "é") * 150]


def test_a_table_that_is_there_says_how_values_are_read(shop: Shop, connection: PgSession) -> None:
    shop.run(
        "create table t (b bit(8), u bigint unsigned, y tinyint(1), d decimal(9,2), s varchar(9), "
        "i int, c char(36), x binary(2))",
        "insert into t values (b'101', 7, 1, 1.25, 'ab', 5, '123e4567-e89b-12d3-a456-426655440000',"
        " 'ab')",
    )
    columns = (
        "b integer, u bigint, y boolean, d numeric(9,2), s char(3), i smallint, n integer, "
        "c uuid, x text, m numeric(20,2)"
    )
    make_target(connection, columns)
    query = "select t.*, count(*) as n, sum(d) as m from t group by u"
    arrived = shop.pulled(connection, query)
    assert arrived.row() == {
        "b": "5",
        "u": "7",
        "y": "true",
        "d": "1.25",
        "s": "ab",
        "i": "5",
        "n": "1",
        "c": "123e4567-e89b-12d3-a456-426655440000",
        "x": "\\x6162",
        "m": "1.25",
    }
    # An int of the source is not sure to fit into a smallint, and the policy is to widen.
    assert arrived.types["i"] == "integer"
    expected = dict(column.split(" ", 1) for column in columns.split(", "))
    del expected["i"]
    del expected["s"]
    assert {name: arrived.types[name] for name in expected} == expected
