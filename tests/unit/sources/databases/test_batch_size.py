"""Rows that hold whole documents leave a source a few at a time."""

from __future__ import annotations

import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from dapu.sources.databases.batch_size import BatchSize
from dapu.sources.databases.sqlalchemy.source import GenericSource
from dapu.sources.databases.sqlite.source import SqliteSource
from dapu.statement import Statement

MEGABYTE = 1 << 20


def test_a_batch_grows_with_short_rows_and_shrinks_with_long_ones() -> None:
    batch, asked = BatchSize(most=50), []
    for size in (100, 100, 100, 100, MEGABYTE, MEGABYTE, 0):
        asked.append(batch.rows)
        batch.took(batch.rows, batch.rows * size)
    assert asked == [1, 4, 16, 50, 50, 1, 1]


@pytest.mark.parametrize("reader", ["native", "generic"])
def test_long_rows_take_little_memory(tmp_path: Path, reader: str) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute("create table document (id integer, body text)")
        shop.executemany(
            "insert into document values (?, ?)", [(n, "x" * MEGABYTE) for n in range(40)]
        )
    native = reader == "native"
    source = (
        SqliteSource("shop", str(path))
        if native
        else GenericSource("shop", make_url(f"sqlite:///{path}"), {})
    )
    into = {"id": "bigint", "body": "text"}
    with closing(source), Path("/dev/null").open("wb") as file:
        rows = source.read(Statement(("select * from document",)), into)
        tracemalloc.start()
        rows.write(file)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 12 * MEGABYTE
