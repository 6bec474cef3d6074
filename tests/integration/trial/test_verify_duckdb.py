"""`dapu verify` of DuckDB: each value is hashed as the text that PostgreSQL makes of it.

Where it were not, rows would be read whose hashes are of the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dapu.trial.verified import Verified, verify_and_keep
from dapu.warehouse.warehouse import open_warehouse
from tests.support.one_task import TASK, OneTask

ACTION = """
    do: database
    query: q.sql
    load: merge
    key: [id]
    """
TABLE = """
    create or replace table thing (id varchar primary key, tiny utinyint, big bigint, huge ubigint,
        exact decimal(38,10), half double, small float, flag boolean, day date, moment timestamp,
        fine timestamp_ns, stamp timestamptz, clock time, zoned timetz, length interval,
        data blob, name varchar, kind enum('a', '|'), guid uuid, flags bit)
    """
EXTREMES = """
    insert into thing values
    ('least', 0, -9223372036854775808, 0, -9999999999999999999999999999.9999999999, 5e-324, 1e-45,
     false, '4713-01-01 (BC)', '0044-03-15 (BC) 00:00:00.000001', '1677-09-22',
     '0001-01-01 00:00:00+00', '00:00:00', '00:00:00+15:59', interval '1 month -1 second',
     '', '', 'a', '00000000-0000-0000-0000-000000000000', '0'),
    ('most', 255, 9223372036854775807, 18446744073709551615,
     9999999999999999999999999999.9999999999, 1.7976931348623157e308, 3.4028234e38, true,
     '9999-12-31', '12345-06-07 08:09:10.1', '2262-04-11 23:47:16', '1800-06-01 12:00:00.5+00',
     '23:59:59.999999', '23:59:59.1-15:59', interval '14 months 3 days 1.5 seconds',
     '\\x00\\x7C\\xFF', '|1:a|', '|', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '0101'),
    ('infinite', null, null, null, null, 'inf', '-inf', null, 'infinity', '-infinity', null,
     'infinity', null, null, null, null, '\U0001f600', null, null, null),
    ('odd', null, null, null, 0, 'nan', 'nan', null, '-infinity', 'infinity', null,
     '-infinity', '12:00:00.120', '12:00:00.102030+05:30', interval '0 days', null, ' a\t', null,
     null, null),
    ('negative zero', null, null, null, null, '-0', 1e16, null, null, null, null,
     '2024-10-27 02:30:00.25+02', null, null, interval '100 hours', null, 'é', null, null, null),
    ('nothing', null, null, null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null, null)
    """


@pytest.fixture
def file(task: OneTask, tmp_path: Path) -> Path:
    task.has(f"url: duckdb:///{tmp_path}/d.duckdb", ACTION, {"q.sql": "select * from thing"})
    run(tmp_path / "d.duckdb", TABLE)
    return tmp_path / "d.duckdb"


def run(file: Path, statement: str, values: Sequence[Any] = ()) -> None:
    with duckdb.connect(str(file)) as session:
        session.execute(statement, values)


def verified(task: OneTask) -> Verified:
    return verify_and_keep(open_warehouse(task.folder), TASK, 5)


def test_extreme_values_are_written_alike(task: OneTask, file: Path) -> None:
    run(file, EXTREMES)
    task.run()
    found = verified(task)
    assert (found.row.verdict, found.row.blocks, found.row.rows_read) == ("same", 1, 0)


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("half", "3.0000000000000004"),
        ("small", "'-0'"),
        ("data", "''"),
        ("name", "''"),
        ("flag", "false"),
        ("moment", "'2024-01-01 00:00:00.000001'"),
        ("exact", "1.0000000001"),
        ("clock", "'10:05:04.02249'"),
        ("stamp", "'2024-10-27 01:30:00+00'"),
    ],
)
def test_the_least_difference_is_found(task: OneTask, file: Path, column: str, other: str) -> None:
    """A null beside an empty text, and the sign of a zero, too."""
    run(
        file,
        "insert into thing (id, half, small, moment, exact, stamp, flag, clock) "
        "values ('a', 3, 0, '2024-01-01', 1, '2024-10-27 00:30:00+00', true, '10:05:04.022409')",
    )
    task.run()
    assert verified(task).row.verdict == "same"
    task.execute(f"update staging.thing set {column} = {other}")
    row = verified(task).row
    assert (row.verdict, row.columns, row.rows_read) == ("different", [column], 1)


def test_documents_are_read(task: OneTask, file: Path) -> None:
    run(file, "create or replace table thing as select 'a' as id, [1, 2] as list")
    task.run()
    found = verified(task)
    assert (found.row.verdict, found.row.rows_read) == ("same", 1)
    assert found.found
    assert (found.found.why_every_row or "").endswith("otherwise than PostgreSQL: list")


ROW = st.tuples(
    st.integers(-(2**63), 2**63 - 1) | st.none(),
    st.decimals("-1e27", "1e27", places=10) | st.none(),
    st.floats() | st.none(),
    st.floats(width=32) | st.none(),
    st.dates() | st.none(),
    st.datetimes() | st.none(),
    st.datetimes(timezones=st.just(UTC)) | st.none(),
    st.times() | st.none(),
    st.binary(max_size=20) | st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.none(),
)


@settings(max_examples=6, phases=[Phase.generate],
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                                 HealthCheck.data_too_large])  # fmt: skip
@given(rows=st.lists(ROW, min_size=20, max_size=60))
def test_any_values_are_written_alike(task: OneTask, file: Path, rows: list[Any]) -> None:
    with duckdb.connect(str(file)) as session:
        session.execute("delete from thing")
        session.executemany(
            "insert into thing (id, big, exact, half, small, day, moment, stamp, clock, data, "
            "name) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(f"{n}", *row) for n, row in enumerate(rows)],
        )
    task.execute("drop table if exists staging.thing")
    task.run(full=True)
    row = verified(task).row
    assert (row.verdict, row.rows_read) == ("same", 0)
