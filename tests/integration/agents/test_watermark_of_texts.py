"""A watermark on texts that are times or numbers: no row is passed over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.mariadb import MariaDB
from tests.support.maria_shop import Shop
from tests.support.one_task import OneTask

ACTION = "do: database\nquery: q.sql\nload: append\nwatermark: {column: at}"
Insert = Callable[[str, str], None]
"""Takes an id and a value, both in SQL."""


@pytest.fixture
def lite(task: OneTask, tmp_path: Path) -> Insert:
    path = tmp_path / "src.db"
    with closing(sqlite3.connect(path)) as session, session:
        session.execute("create table t (id integer primary key, at datetime)")
    task.has(f'url: "sqlite:///{path}"', ACTION, {"q.sql": "select id, at from t"})

    def insert(number: str, value: str) -> None:
        with closing(sqlite3.connect(path)) as session, session:
            session.execute(f"insert into t values ({number}, {value})")

    return insert


def read_both(task: OneTask, insert: Insert, first: str, then: str) -> str | int:
    """The number of rows after two runs, or why the second failed."""
    insert("1", first)
    task.run()
    insert("2", then)
    outcome = task.outcome()
    if outcome.status == "failed":
        assert task.rows("select count(*) from staging.thing") == [(1,)]
        return outcome.message
    return int(task.rows("select count(*) from staging.thing")[0][0])


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("2024-01-01T09:00:00", "2024-01-01 11:00:00"),
        ("2024-01-01T10:00:00+02:00", "2024-01-01T09:30:00+00:00"),
        ("2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00-08:00"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00.500Z"),
        ("2024-01-01 10:00:00.25", "2024-01-01 10:00:00.25+00:00"),
        ("2024-01-01T10:00Z", "2024-01-01T10:00:30Z"),
        ("2024-9-30", "2024-10-01"),
        ("31.01.2024", "01.02.2024"),
        ("12/31/2024", "01/01/2025"),
        ("2024-01-01 10:00:00 Europe/Tallinn", "2024-01-01 11:00:00 Europe/Rome"),
    ],
)
def test_times_that_do_not_sort_as_texts_are_refused(
    task: OneTask, lite: Insert, first: str, then: str
) -> None:
    message = read_both(task, lite, f"'{first}'", f"'{then}'")
    assert isinstance(message, str)
    assert repr(first) in message
    assert repr(then) in message


def test_a_number_beside_a_text_is_refused(task: OneTask, lite: Insert) -> None:
    message = read_both(task, lite, "'2024-01-01 10:00:00'", "1704200000")
    assert "has '2024-01-01 10:00:00' and 1704200000" in str(message)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("2024-01-01", "2024-01-02"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00.5"),
        ("2024-01-01T10:00:00.999999", "2024-01-01T10:00:01"),
        ("2024-01-01 10:00", "2024-01-02"),
        ("2024-01-01T10:00:00+00:00", "2024-01-01T11:00:00+00:00"),
        ("2024-01-01-B7", "2024-01-02-A13"),
        ("A9", "B10"),
    ],
)
def test_texts_of_one_form_are_read_on(task: OneTask, lite: Insert, first: str, then: str) -> None:
    assert read_both(task, lite, f"'{first}'", f"'{then}'") == 2


def test_a_query_that_asks_for_the_watermark_itself_is_looked_at_without(
    task: OneTask, lite: Insert
) -> None:
    query = "select id, at from t {% if watermark %}where at > {{ watermark }}{% endif %}"
    (task.folder / "routes/source/staging/thing/q.sql").write_text(query)
    message = read_both(task, lite, "'2024-01-01T09:00:00'", "'2024-01-01 11:00:00'")
    assert "2024-01-01 11:00:00" in str(message)


@pytest.mark.parametrize(
    ("first", "then", "wanted"),
    [
        ("'9'", "'10'", "'10'"),
        ("'-1'", "'-2'", "'-2'"),
        ("'08'", "'10'", 2),
        ("'1e2'", "'9'", "'9'"),
    ],
)
def test_numbers_in_texts(task: OneTask, first: str, then: str, wanted: str | int) -> None:
    """PostgreSQL compares them as texts too."""
    task.execute("create table public.t (id int, at text)")
    task.has(f"url: {task.database.uri}", ACTION, {"q.sql": "select id, at from public.t"})

    def insert(number: str, value: str) -> None:
        task.execute(f"insert into public.t values ({number}, {value})")

    found = read_both(task, insert, first, then)
    assert found == wanted if isinstance(wanted, int) else wanted in str(found)


@pytest.mark.parametrize(
    ("column", "first", "then", "wanted"),
    [
        ("enum('low', 'mid', 'high')", "'mid'", "'high'", "'high'"),
        ("enum('2023', '2024')", "'2023'", "'2024'", 2),
        ("enum('9', '10')", "'9'", "'10'", "'10'"),
        ("varchar(20)", "'9'", "'10'", "'10'"),
        ("varchar(20)", "'a'", "'b'", 2),
        ("varchar(40)", "'2024-01-01 10:00:00'", "'2024-01-01 10:00:00.5'", 2),
    ],
)
def test_mariadb(
    task: OneTask, mariadb: MariaDB, column: str, first: str, then: str, wanted: str | int
) -> None:
    shop = Shop(mariadb)
    shop.run(f"create table t (id int, at {column})")
    task.has(f"url: {shop.url}", ACTION, {"q.sql": "select id, at from t"})

    def insert(number: str, value: str) -> None:
        shop.run(f"insert into t values ({number}, {value})")

    found = read_both(task, insert, first, then)
    assert found == wanted if isinstance(wanted, int) else wanted in str(found)
