"""Sources behind ODBC, shown on PostgreSQL's own driver for it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conftest import Database
from tests.services import unavailable
from tests.support.command import here
from tests.support.one_task import OneTask

_DRIVER = "PostgreSQL Unicode"
_SALES = """
create schema shop;
create table shop.sale (id int primary key, "Full name" text, amount numeric(12, 2),
    at timestamp, day date, paid boolean, photo bytea);
insert into shop.sale values (1, 'Ülo "Ü"', 12345678.10, '2024-01-02 03:04:05.000006',
    '2024-02-29', true, '\\x00ff'), (2, null, null, null, null, null, null);
"""


@pytest.fixture
def odbc_keys(database: Database) -> str:
    """The keys of a connection to the test's database, through ODBC."""
    try:
        import pyodbc
    except ImportError as error:
        unavailable(f"pyodbc cannot be imported ({error})")
    if _DRIVER not in pyodbc.drivers():
        unavailable("psqlODBC is not installed (Debian's odbc-postgresql)")
    server = database.server
    return (
        f"url: odbc://{server.username}:none@/{database.name}\n"
        f"extra: {{DRIVER: {_DRIVER}, Servername: '{server.socket_directory}', "
        f"Port: {server.port}, BoolsAsChar: 0, ByteaAsLongVarBinary: 1}}"
    )


def test_values_arrive_as_they_are(task: OneTask, odbc_keys: str) -> None:
    query = 'select id, "Full name" as name, amount, at, day, paid from shop.sale'
    task.has(odbc_keys, "do: database\nquery: q.sql", {"q.sql": query})
    task.execute(_SALES)
    task.run()
    first, second = task.rows(
        "select id, name, amount, at::text, day::text, paid from staging.thing"
    )
    assert first == (
        1, 'Ülo "Ü"', Decimal("12345678.10"), "2024-01-02 03:04:05.000006", "2024-02-29", True,
    )  # fmt: skip
    assert second[1:] == (None,) * 5


def test_only_what_is_new_is_read(task: OneTask, odbc_keys: str) -> None:
    action = "do: database\nquery: q.sql\nload: merge\nkey: [id]\nwatermark: {column: at}"
    task.has(odbc_keys, action, {"q.sql": "select id, at from shop.sale where at is not null"})
    task.execute(_SALES)
    task.run()
    task.execute("insert into shop.sale (id, at) values (3, '2024-01-03')")
    assert "1 inserted" in task.run()
    assert task.rows("select id from staging.thing order by 1") == [(1,), (3,)]


def test_refused_query_says_what_the_server_says(task: OneTask, odbc_keys: str) -> None:
    task.has(odbc_keys, "do: database\nquery: q.sql", {"q.sql": "select nothing from here"})
    assert 'relation "here" does not exist' in task.fails()


def test_tables_are_found_by_the_catalog_of_the_driver(
    task: OneTask, odbc_keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task.has(odbc_keys, "do: database\nquery: q.sql", {"q.sql": "select 1 as id"})
    task.execute(_SALES)
    found = here(capsys, "discover", task.folder, "source")
    assert found.status == 0, found.text
    assert "Full name" in found.out
    done = here(capsys, "generate", task.folder, "source", "--schema", "raw", "-t", "shop.sale")
    assert done.status == 0, done.text
    made = (task.folder / "routes/source/raw/sale/ver/001_create.sql").read_text()
    assert "amount numeric" in made
    assert "primary key (id)" in made
