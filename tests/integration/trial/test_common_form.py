"""The text of a row that `dapu verify` hashes: another row never has the same.

So a form that is wrong costs bytes, since rows are read, but hides no difference.
"""

from __future__ import annotations

import itertools

import duckdb
import pytest
from psycopg2.extensions import connection as PgSession

from dapu.rows.rows import Column
from dapu.sources.databases.blocks import common_form
from dapu.sources.databases.blocks.common_form import CommonForm, Pair
from dapu.sources.databases.blocks.key import BlockKey
from dapu.statement import Statement
from dapu.trial.verified import verify_and_keep
from dapu.trial.verify import _Table
from dapu.warehouse.warehouse import open_warehouse
from tests.support.components import rows
from tests.support.one_task import TASK, OneTask

VALUES = {
    "text": ["", "a", "|", "1:a", "0:", "null", "a ", "A", "true", "1"],
    "bytea": ["", r"\x00", r"\x0000", r"\x6e756c6c", r"\x7c"],
    "double precision": ["0", "-0", "1", "1.0000000000000002", "nan", "inf", "-inf", "0.1"],
    "numeric": ["0", "1", "1.0", "1.00", "nan", "1e20", "0.1"],
    "bigint": ["0", "1", "-1", "10", "11"],
    "boolean": ["true", "false"],
    "date": ["2024-01-01", "2024-01-01 BC", "infinity", "-infinity", "12024-01-01"],
    "timestamp without time zone": [
        "2024-01-01 00:00:00.00002", "2024-01-01 00:00:00.000002", "2024-01-01 00:00:00 BC",
        "2024-01-01", "infinity", "-infinity",
    ],
    "timestamp with time zone": [
        "2024-10-27 02:30:00+02", "2024-10-27 02:30:00+03", "infinity", "2024-01-01 BC",
    ],
    "interval": ["1 mon", "30 days", "720 hours", "1 mon 1 day", "-1 mon 1 day", "1 us"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174001"],
}  # fmt: skip
"""Values of a type that are not the same; `null` is one more of each."""


def form_of(session: PgSession, pairs: list[Pair], other: str) -> str:
    columns = [Column(pair.name, pair.source) for pair in pairs]
    table = _Table(session.cursor())
    key = BlockKey("a", "postgresql")
    return CommonForm(table, Statement(("",)), key, columns, pairs, other)._columns()


@pytest.mark.parametrize("other", ["mysql", "duckdb"])
@pytest.mark.parametrize("kind", VALUES)
def test_other_values_are_other_texts(connection: PgSession, kind: str, other: str) -> None:
    """Those of two columns, too: neither runs into the other."""
    rows(connection, "set timezone to 'Europe/Tallinn'")
    form = form_of(connection, [Pair("a", kind, kind), Pair("b", kind, kind)], other)
    values = [f"{one}::{kind}" for one in ("null", *map("'{}'".format, VALUES[kind]))]
    listed = ", ".join(f"({a}, {b})" for a, b in itertools.product(values, values))
    found = rows(connection, f"select concat_ws('|', {form}) from (values {listed}) as t (a, b)")
    assert len(set(found)) == len(values) ** 2


@pytest.mark.parametrize("wrong", ["'x' || random()", "'same'"])
def test_a_wrong_form_of_the_source_hides_nothing(
    task: OneTask, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Rows are compared where hashes differ, for whatever reason they do."""
    task.has(
        "url: duckdb:///d.duckdb",
        "do: database\nquery: q.sql\nload: merge\nkey: [id]",
        {"q.sql": "select n as id, 'item ' || n as name from range(50) t (n)"},
    )
    duckdb.connect(str(task.folder / "d.duckdb")).close()
    task.run()
    monkeypatch.setattr(common_form, "duckdb_form", lambda *_, **__: wrong)
    same = verify_and_keep(open_warehouse(task.folder), TASK, 5)
    assert (same.row.verdict, same.row.rows_read) == ("same", 50)
    task.execute("update staging.thing set name = 'other' where id = 7")
    found = verify_and_keep(open_warehouse(task.folder), TASK, 5)
    assert (found.row.verdict, found.row.differing) == ("different", 1)
