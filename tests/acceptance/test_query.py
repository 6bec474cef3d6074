"""`dapu query`, for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import dapu, here
from tests.support.components import rows


def test_query_reads_from_standard_input_and_keeps_wide_lines_whole(
    make_warehouse: MakeWarehouse,
) -> None:
    columns = ", ".join(f"repeat('x', 50) as column_{number}" for number in range(10))
    done = dapu("query", make_warehouse(), "-", stdin=f"select {columns}")
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) > 500
    assert "   ".join(["x" * 50] * 10) in done.out


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select nothing", 'the query fails: column "nothing" does not exist\nLINE 1: '),
        ("create table t (i int)", "cannot execute CREATE TABLE in a read-only transaction"),
        ("select 1; select 1 / 0", "division by zero"),
        (
            "commit; create table t (i int)",
            "cannot execute CREATE TABLE in a read-only transaction",
        ),
    ],
)
def test_a_query_that_fails_says_why(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str], query: str, message: str
) -> None:
    done = here(capsys, "query", make_warehouse(), query)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "query", ["select 1; commit; create table t ()", "reset role", "/* none */"]
)
def test_a_query_with_a_limit_is_one(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str], query: str
) -> None:
    done = here(capsys, "query", make_warehouse(), query, "--limit", "3")
    assert done.status == 2
    assert "one that gives rows" in done.err


def test_a_query_with_a_limit_may_say_how_it_would_run(make_warehouse: MakeWarehouse) -> None:
    assert "Result" in dapu("query", make_warehouse(), "explain select 1", "--limit", "3").out


def test_query_is_not_for_a_registry_of_another_version(
    ran: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(connection, "insert into meta.migration values ('registry', 999, '999_new.sql', 'x')")
    assert "a newer dapu was here" in here(capsys, "query", ran, "select 1").err
