"""The servers and fixtures that all other tests stand on."""

import os
from contextlib import closing

import psycopg2.extensions
import pytest

from tests.conftest import Database, MakeWarehouse
from tests.services import unavailable
from tests.services.mariadb import MariaDB
from tests.services.postgres import Postgres, running_postgres


def show(server: Postgres, setting: str) -> str:
    with closing(psycopg2.connect(server.uri())) as connection, connection.cursor() as cursor:
        cursor.execute("select current_setting(%s)", (setting,))
        row = cursor.fetchone()
        assert row is not None
        return str(row[0])


@pytest.mark.parametrize("_again", ["first", "second"])
def test_each_test_has_a_database_without_traces_of_another(
    connection: psycopg2.extensions.connection, _again: str
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create table trace (id int)")


def test_a_database_is_dropped_though_a_connection_stays_open(database: Database) -> None:
    database.connect()


def test_the_shared_server_is_fast_and_recent(postgres_server: Postgres) -> None:
    assert show(postgres_server, "fsync") == "off"
    assert show(postgres_server, "server_version").startswith("18")


@pytest.mark.slow
def test_a_server_is_durable_unless_told_otherwise_and_leaves_nothing() -> None:
    with running_postgres() as server:
        assert show(server, "fsync") == "on"
        assert show(server, "synchronous_commit") == "on"
    assert not server.socket_directory.exists()


def test_mariadb_answers_on_its_port(mariadb: MariaDB) -> None:
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select current_user()")
        assert cursor.fetchall() == (("dapu@%",),)


def test_a_warehouse_directory_gets_what_was_not_given(
    make_warehouse: MakeWarehouse, database: Database
) -> None:
    folder = make_warehouse({"routes/a/route.yaml": "\n    name: A\n    connection: main\n"})
    assert (folder / "warehouse.yaml").read_text() == ""
    assert f"database: {database.name}\n" in (folder / "connections.yaml").read_text()
    assert (folder / "routes/a/route.yaml").read_text() == "\nname: A\nconnection: main\n"


def test_a_warehouse_directory_keeps_what_was_given(make_warehouse: MakeWarehouse) -> None:
    folder = make_warehouse({"connections.yaml": "[]"}, name="other")
    assert folder.name == "other"
    assert (folder / "connections.yaml").read_text() == "[]"


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_a_missing_server_leaves_tests_out_but_never_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setitem(os.environ, "CI", ci)
    with pytest.raises(outcome, match="no such server"):
        unavailable("no such server")
