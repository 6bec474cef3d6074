"""Where names are looked up: dapu's own in pg_catalog, those of others as they have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.warehouse.postgres_session import OWN_PATH, Session, given_path, reset
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse

_SHOWS = "select current_setting('search_path')"


@pytest.fixture(params=[False, True], ids=["own first", "others first"])
def session(request: pytest.FixtureRequest, make_warehouse: MakeWarehouse) -> Iterator[Session]:
    folder: Path = make_warehouse({})
    found = open_warehouse(folder).connect("test", for_jobs=request.param)
    yield found
    found.close()


def shown(cursor: Cursor) -> str:
    cursor.execute(_SHOWS)
    [(path,)] = cursor.fetchall()
    return str(path)


def test_each_has_its_own(session: Session) -> None:
    given = session.given_path
    for _ in range(2):
        with session, session.cursor() as cursor:
            with given_path(cursor):
                assert shown(cursor) == given
            assert shown(cursor) == OWN_PATH
            with given_path(cursor):
                assert shown(cursor) == given
                with given_path(cursor):
                    assert shown(cursor) == given
                assert shown(cursor) == given
            assert shown(cursor) == OWN_PATH
    with session.cursor() as cursor:
        assert shown(cursor) == OWN_PATH


def test_what_others_made_of_it_is_theirs_until_the_transaction_ends(session: Session) -> None:
    for end in (session.commit, session.rollback):
        with session.cursor() as cursor:
            with given_path(cursor):
                cursor.execute("set local search_path to ''")
            assert shown(cursor) == OWN_PATH
            with given_path(cursor):
                assert shown(cursor) == '""'
            end()
            with given_path(cursor):
                assert shown(cursor) == session.given_path
            session.rollback()


def test_what_others_set_for_good_ends_with_a_reset(session: Session) -> None:
    with session, session.cursor() as cursor:
        with given_path(cursor):
            cursor.execute("set search_path to public; set timezone to 'Asia/Tokyo'")
        reset(cursor)
        assert shown(cursor) == OWN_PATH
        with given_path(cursor):
            assert shown(cursor) == session.given_path
    with session.cursor() as cursor:
        with given_path(cursor):
            assert shown(cursor) == session.given_path
        cursor.execute("show timezone")
        assert cursor.fetchall() == [("UTC",)]


def test_after_an_error(session: Session) -> None:
    with session.cursor() as cursor:
        with pytest.raises(Exception, match="zero"), given_path(cursor):
            cursor.execute("select 1 / 0")
        session.rollback()
        assert shown(cursor) == OWN_PATH


def test_after_going_back_to_a_savepoint(session: Session) -> None:
    with session.cursor() as cursor:
        cursor.execute("savepoint before")
        with given_path(cursor):
            cursor.execute("savepoint within")
        for name in ("within", "before"):
            with pytest.raises(Exception, match="zero"):
                cursor.execute("select 1 / 0")
            cursor.execute(f"rollback to savepoint {name}")
            assert shown(cursor) == OWN_PATH
            with given_path(cursor):
                assert shown(cursor) == session.given_path


def test_in_autocommit_and_from_a_cursor_of_the_server(session: Session) -> None:
    with session.cursor("by_name") as cursor:
        assert shown(cursor) == OWN_PATH
    session.rollback()
    session.autocommit = True
    with session.cursor() as cursor:
        assert [shown(cursor), shown(cursor)] == [OWN_PATH, OWN_PATH]


def test_a_percent_sign_in_a_name_is_no_place_of_a_value(session: Session) -> None:
    name = sql.Identifier("a %(b)s %c")
    with session.cursor() as cursor:
        query = sql.SQL("select x.{0}, {1} from (select %(n)s as {0}) as x")
        cursor.execute(query.format(name, sql.Literal("5 %")), {"n": 7})
        assert cursor.fetchone() == (7, "5 %")
        assert cursor.description is not None
        assert cursor.description[0].name == "a %(b)s %c"
