"""`hash` and `mask`: of some columns only a hash or a part reaches the warehouse, of any source."""

from __future__ import annotations

import hmac
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dapu.errors import JobError
from dapu.rows.hashed_columns import with_hashes
from dapu.rows.rows import Column, CopyRows
from tests.services.misbehaving_http import MisbehavingServer
from tests.services.rest_task import Crm
from tests.support.maria_shop import Shop
from tests.support.one_task import OneTask

_KEY = "correct horse battery staple"
_CODE = "38001085718"
# printf 38001085718 | openssl dgst -sha256 -hmac 'correct horse battery staple'
_HASH = "9dbbaef77781f47d3d10cffeae03ad98f1d4f05ee83fe6ae75965197f34fd4dd"
_ODD = 'a\tb\\c\n"Ü"'


def hash_of(text: str) -> str:
    return hmac.digest(_KEY.encode(), text.strip().encode(), "sha256").hex()


_EXPECTED: list[Any] = [(1, _HASH), (2, None), (3, hash_of(_ODD)), (4, _HASH)]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAPU_HASH_KEY", _KEY)


def has(task: OneTask, connection: str, query: str, more: str = "") -> None:
    action = f"do: database\nquery: q.sql\nhash: [code]\n{more}"
    task.has(connection, action, {"q.sql": query})
    (task.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")


def values() -> Iterator[str]:
    for number, text in ((1, _CODE), (2, None), (3, _ODD), (4, f" {_CODE} ")):
        escaped = "null" if text is None else "'" + text.replace("'", "''") + "'"
        yield f"({number}, {escaped})"


@pytest.mark.parametrize("more", ["", ", '{}'::jsonb as more"])  # binary, and text
def test_of_postgresql(task: OneTask, more: str) -> None:
    keys = task.database.connections_yaml().replace("- name: main\n", "").replace("\n  ", "\n")
    has(task, keys.strip(), f"select id, code{more} from person", "load: merge\nkey: [id]")
    task.execute(
        f"create table person (id int, code text); insert into person values {','.join(values())}"
    )
    task.run()
    assert task.rows("select id, code from staging.thing order by id") == _EXPECTED
    assert "4 unchanged" in task.run()
    assert _CODE not in "".join(task.events())


def test_of_sqlite(task: OneTask) -> None:
    has(task, "url: sqlite:///people.db", "select id, code from person")
    with sqlite3.connect(task.folder / "people.db") as people:
        people.execute("create table person (id integer, code text)")
        people.execute(f"insert into person values {','.join(values())}")
    task.run()
    assert task.rows("select id, code from staging.thing order by id") == _EXPECTED


@pytest.mark.parametrize("reader", ["native", "generic"])
def test_of_mariadb(task: OneTask, shop: Shop, reader: str) -> None:
    shop.run(
        "drop table if exists person",
        "create table person (id int, code varchar(40))",
        f"insert into person values (1, '{_CODE}'), (2, null)",
    )
    has(task, f"url: {shop.url}", "select id, code from person", f"reader: {reader}")
    task.run()
    assert task.rows("select id, code from staging.thing order by id") == _EXPECTED[:2]


def test_of_a_web_service(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/people", lambda asked: [{"id": 1, "code": _CODE}, {"id": 2, "code": None}])
    crm.has("path: people\ncolumns: {id: id, code: {path: code, type: text}}\nhash: [code]")
    (crm.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")
    crm.run()
    assert crm.rows("select id, code from staging.thing order by id") == _EXPECTED[:2]


def test_what_cannot_be_hashed_is_refused(task: OneTask) -> None:
    has(task, "url: sqlite:///people.db", "select 1 as id, 2 as code")
    sqlite3.connect(task.folder / "people.db").close()
    assert "the column code is" in task.fails()
    assert not task.has_table()
    has(task, "url: sqlite:///people.db", "select 1 as id")
    assert "`hash` names code, which is none of: id" in task.fails()
    (task.folder / "warehouse.yaml").write_text("")
    assert "`hash` needs a secret" in task.fails()


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("do: transform\nquery: q.sql\nhash: [a]", "`hash` is for rows that come from"),
        ("do: database\nquery: q.sql\nload: merge\nkey: [a]\nmask: {a: hide}", "a stands"),
        ("do: database\nquery: q.sql\nload: append\nwatermark: {column: a}\nhash: [a]",
            "a is compared with the source"),
        ("do: database\nquery: q.sql\nload: snapshot\nkey: [a]\nchanges: blocks\nhash: [b]",
            "`hash` and `mask` go without `split` and `changes: blocks`"),
    ],
)  # fmt: skip
def test_what_would_compare_a_hash_with_the_source_is_refused(
    task: OneTask, action: str, says: str
) -> None:
    task.has("driver: files\npath: /", action, {"q.sql": "select 1 as a"})
    assert says in task.is_refused()


_PEOPLE = """
select 1 as id, 'Ann'::text as name, date '1987-05-06' as born,
    timestamp '0044-03-15 10:00 BC' as seen, 'ann@x.ee'::text as email, '5551234'::text as phone
union all select 2, 'a', 'infinity', '294276-12-31', 'b"', E'x\ty\n,"z'
union all select 3, null, null, null, null, null"""
_MASKS = "mask: {name: hide, born: year, seen: year, email: first 2, phone: last 4}"


@pytest.mark.parametrize("more", ["", ", array['{}'::json] as more"])  # binary, and text
def test_parts_that_are_kept(task: OneTask, more: str) -> None:
    keys = task.database.connections_yaml().replace("- name: main\n", "").replace("\n  ", "\n")
    query = f"select p.*{more} from ({_PEOPLE}) p"
    task.has(keys.strip(), f"do: database\nquery: q.sql\n{_MASKS}", {"q.sql": query})
    task.run()
    kept = "select id, name, born::text, seen::text, email, phone from staging.thing order by id"
    assert task.rows(kept) == [
        (1, None, "1987-01-01", "0044-01-01 00:00:00 BC", "an…", "…1234"),
        (2, None, "infinity", "294276-01-01 00:00:00", "…", '…\n,"z'),
        (3, None, None, None, None, None),
    ]


def test_parts_of_what_sqlite_has(task: OneTask) -> None:
    action = "do: database\nquery: q.sql\nmask: {at: year, n: last 1}"
    task.has("url: sqlite:///p.db", action, {"q.sql": "select at, n from p"})
    with sqlite3.connect(task.folder / "p.db") as people:
        people.execute("create table p (at timestamp, n text)")
        people.execute("insert into p values ('2024-03-04 05:06:07.5', 'abc'), (null, null)")
    task.run()
    kept = "select at::text, n from staging.thing order by 1"
    assert task.rows(kept) == [("2024-01-01 00:00:00", "…c"), (None, None)]


def test_of_files_and_of_what_their_query_computes(
    task: OneTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["code;born;email;name", "38-001085718;06.05.1987;'a,b@x.ee';Ann", "2;;;x"]
    (tmp_path / "p.csv").write_text("\n".join(lines).replace("'", '"'))
    query = "select replace(code, '-', '') as code_hash, born, email, name as n from {{ rows }}"
    action = """
        do: file
        file: p.csv
        columns:
          {code: code, born: {name: born, type: date, format: '%d.%m.%Y'}, email: email, name: name}
        query: q.sql
        hash: [code_hash]
        mask: {born: year, email: first 2, n: first 1}
    """
    files = f"driver: files\npath: {tmp_path}"
    task.has(files, action, {"q.sql": query})
    (task.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")
    task.run()
    kept = "select code_hash, born::text, email, n from staging.thing order by 2"
    assert task.rows(kept) == [
        (_HASH, "1987-01-01", "a,…", "A…"),
        (hash_of("2"), None, None, "…"),
    ]
    task.has(files, "do: file\nfile: p.csv\nmask: {nme: hide}")
    assert "`mask` names nme, which is none of: code, born" in task.fails()
    task.has(files, "do: file\nfile: p.csv\nmask: {name: year}")
    assert "`year` is of a date" in task.fails()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_csv_that_arrives_in_pieces(size: int) -> None:
    text = f'1;"{_CODE}";"a;""\n"\n2;;""\r\n3;"a\t""";x\n'.encode()

    def write(file: Any) -> None:
        for at in range(0, len(text), size):
            file.write(text[at : at + size])

    columns = [Column("id", "integer"), Column("code", "text"), Column("n", "text")]
    copy = CopyRows(columns, "csv", write, delimiter=";")
    rows = with_hashes(copy, ["code"], _KEY.encode())
    assert isinstance(rows, CopyRows)
    out = io.BytesIO()
    rows.write(out)
    hashed = hash_of('a\t"')
    assert out.getvalue().decode() == f'1;{_HASH};"a;""\n"\n2;;""\r\n3;{hashed};x\n'


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_rows_that_arrive_in_pieces(size: int) -> None:
    text = f"1\t{_CODE}\tx\n2\t\\N\ty\n3\t\ta\\tb".encode()

    def write(file: Any) -> None:
        for at in range(0, len(text), size):
            file.write(text[at : at + size])
        file.write(b"\n")

    columns = [Column("id", "integer"), Column("code", "character(11)"), Column("n", "text")]
    rows = with_hashes(CopyRows(columns, "text", write), ["code"], _KEY.encode())
    assert isinstance(rows, CopyRows)
    out = io.BytesIO()
    rows.write(out)
    assert out.getvalue().decode() == f"1\t{_HASH}\tx\n2\t\\N\ty\n3\t\\N\ta\\tb\n"
    with pytest.raises(JobError, match=r"text\[\]"):
        with_hashes(CopyRows([Column("code", "text[]")], "text", write), ["code"], b"k")
