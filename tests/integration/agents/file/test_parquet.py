"""`do: file` with Parquet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.support.file_task import FileTask


def test_maps_of_parquet_are_objects(files: FileTask) -> None:
    inner = pa.map_(pa.string(), pa.list_(pa.map_(pa.int32(), pa.float64())))
    table = pa.table(
        {
            "id": [1, 2, 3],
            "m": pa.array([[("k", [[(1, 0.5)]])], None, []], inner),
            "s": pa.array([{"a": [("x", None)]}] * 3, pa.struct({"a": pa.map_("string", "int8")})),
        }
    )
    parquet.write_table(table, files.share.path / "a.parquet")
    files.share.age(files.share.path / "a.parquet")
    files.run("file: a.parquet")
    nested = {"a": {"x": None}}
    assert files.rows() == [
        (1, {"k": [{"1": 0.5}]}, nested),
        (2, None, nested),
        (3, {}, nested),
    ]


def test_parquet_keeps_its_types(files: FileTask) -> None:
    table = pa.table(
        {
            "Id": pa.array([2**64 - 1, 1], pa.uint64()),
            "amount": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "at": pa.array([datetime(2024, 1, 2, 3, 4, 5, 6), None], pa.timestamp("ns")),
            "seen": pa.array([datetime(2024, 1, 2, tzinfo=UTC), None], pa.timestamp("ms", "UTC")),
            "day": pa.array([date(2024, 2, 29), None]),
            "took": pa.array([timedelta(hours=30), None], pa.duration("ms")),
            "raw": pa.array([b"\x00\xff", b""]),
            "tags": pa.array([[{"n": 1.5}], None], pa.list_(pa.struct([("n", pa.float64())]))),
            "real": pa.array([0.1, float("inf")]),
            "word": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    parquet.write_table(table, files.share.path / "a.parquet")
    files.share.age(files.share.path / "a.parquet")
    files.run("file: a.parquet")
    assert files.task.types() == {
        "id": "numeric(20,0)",
        "amount": "numeric(10,2)",
        "at": "timestamp without time zone",
        "seen": "timestamp with time zone",
        "day": "date",
        "took": "interval",
        "raw": "bytea",
        "tags": "jsonb",
        "real": "double precision",
        "word": "text",
    }
    first = files.rows('id, amount, at, seen, day, took, raw, tags, "real", word')[1]
    assert (*first[:6], bytes(first[6]), *first[7:]) == (
        2**64 - 1, Decimal("1.50"), datetime(2024, 1, 2, 3, 4, 5, 6),
        datetime(2024, 1, 2, tzinfo=UTC), date(2024, 2, 29), timedelta(hours=30), b"\x00\xff",
        [{"n": 1.5}], 0.1, "a",
    )  # fmt: skip


def test_broken_parquet_is_reported(files: FileTask) -> None:
    table = pa.table({"at": pa.array([1], pa.timestamp("ns"))})
    parquet.write_table(table, files.share.path / "a.parquet")
    files.share.age(files.share.path / "a.parquet")
    said = files.fails("file: a.parquet")
    assert "a.parquet, column at: PostgreSQL keeps no parts of a microsecond" in said
    files.share.put("a.parquet", (files.share.path / "a.parquet").read_bytes()[:-9])
    assert "a.parquet is not a Parquet file, or is cut off" in files.fails()


def test_a_name_in_parquet_that_is_not_text_is_reported(files: FileTask, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"amount": [1]}), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    files.share.put("broken.parquet", whole.replace(b"amount", b"am\xf5unt"))
    assert "broken.parquet is" in files.fails("file: broken.parquet")


def test_a_value_in_parquet_that_is_not_text_is_reported(files: FileTask, tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "name": ["O'Hara", "Ann"]})
    parquet.write_table(table, tmp_path / "whole.parquet", compression="none")
    whole = (tmp_path / "whole.parquet").read_bytes()
    files.share.put("a.parquet", whole.replace(b"O'Hara", b"O\x81Hara"))
    assert "0x81" in files.fails("file: a.parquet")


def test_a_parquet_whose_list_of_columns_contradicts_itself_ends_no_worker(
    files: FileTask, tmp_path: Path
) -> None:
    """Arrow ends the process when asked for a column with one level more than its schema has."""
    text = "x" * 5000  # so that the sizes of columns are asked for
    parquet.write_table(pa.table({"id": [1, 2], "tags": [[text, text], [text]]}), tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    footer = whole[-8 - length : -8].replace(b"\x19\x46", b"\x19\x56\x00")
    assert len(footer) == length + 1
    end = len(footer).to_bytes(4, "little") + b"PAR1"
    files.share.put("a.parquet", whole[: -8 - length] + footer + end)
    assert "a.parquet is broken" in files.fails("file: a.parquet")
