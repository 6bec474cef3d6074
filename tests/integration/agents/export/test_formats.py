"""`do: export`: queries of the warehouse become files."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.export_task import ExportTask
from tests.support.one_task import OneTask

CONTROL = "a\u0001b\rc_x0041_"


@pytest.fixture
def export(task: OneTask, tmp_path: Path) -> ExportTask:
    """A task that exports."""
    return ExportTask(task, tmp_path / "out")


def cells(export: ExportTask, query: str) -> list[Any]:
    """The values of a query's one row, as openpyxl reads them from a workbook."""
    export.writes("file: a.xlsx", query)
    return [cell.value for cell in export.book().worksheets[0][2]]


def test_a_workbook_is_made_to_be_read_by_people(export: ExportTask) -> None:
    said = export.writes(
        "file: reports/sales.xlsx\nsheets: {By shop: query.sql, All sales: all.sql}",
        "select * from (values ('Tallinn', 1234567.5::numeric(12, 2), 3)) s (shop, amount, sales)",
        all="select date '2026-01-31' as day, 'Ann' as name from generate_series(1, 3)",
    )
    assert said.startswith("4 rows, reports/sales.xlsx (")
    assert "bytes) to `source`" in said
    book = export.book("reports/sales.xlsx")
    assert book.sheetnames == ["By shop", "All sales"]
    shop, sales = book.worksheets
    assert [cell.value for cell in shop[1]] == ["shop", "amount", "sales"]
    assert shop["A1"].font.b
    assert shop["A1"].fill.fgColor.rgb == "FFE7EBF0"
    assert (shop["B2"].value, shop["B2"].number_format) == (1234567.5, "#,##0.00")
    assert (shop["C2"].value, shop["C2"].number_format) == (3, "0")
    assert (shop.freeze_panes, shop.auto_filter.ref) == ("A2", "A1:C2")
    assert shop.column_dimensions["B"].width == len("1234567.50") + 3
    assert (sales["A4"].value, sales["A4"].number_format) == (datetime(2026, 1, 31), "yyyy-mm-dd")
    assert sales.auto_filter.ref == "A1:B4"
    assert export.names() == ["reports/sales.xlsx"]


@pytest.mark.parametrize("header", ["true", "false"])
def test_a_query_without_rows_makes_a_sheet_without_rows(export: ExportTask, header: str) -> None:
    said = export.writes(f"file: a.xlsx\nheader: {header}", "select 1 as n, 'x' as t where false")
    assert said.startswith("0 rows, a.xlsx (")
    [sheet] = export.book().worksheets
    assert list(sheet.values) == ([("n", "t")] if header == "true" else [])


def test_numbers_keep_all_their_digits_in_a_workbook(export: ExportTask) -> None:
    query = """
        select 123456789012345::bigint as a, 1234567890123456::bigint as b, 12.50::numeric as c,
            0.1234567890123456789 as d, 'NaN'::numeric as e, '-Infinity'::float8 as f,
            0.1::float8 + 0.2::float8 as g, 1e300::float8 as h, 1e-310::float8 as i,
            1000000000000000000000::numeric as j, 0.1::float4 as k, -7::smallint as l,
            null::int as m, 4.5::numeric(5, 1) as n
    """
    assert cells(export, query) == [
        123456789012345, "1234567890123456", 12.5,
        "0.1234567890123456789", "NaN", "-Infinity",
        0.1 + 0.2, 1e300, "1e-310",
        10**21, 0.1, -7, None,
        4.5,
    ]  # fmt: skip
    said = export.task.run(full=True)
    assert "thing.b: 1 written as text, since a workbook cannot hold them exactly" in said
    assert export.book().worksheets[0]["N2"].number_format == "#,##0.0"


def test_texts_stay_what_they_are_in_a_workbook(export: ExportTask) -> None:
    texts = ["=1+1", "+1", "@x", "007", "#N/A", " x ", "õ€𝄞", "a\nb", "2026-01-01", "true"]
    values = ", ".join(f"'{text}'" for text in texts)
    export.writes("file: a.xlsx\nheader: false", f"select unnest(array[{values}]) as t")
    column = export.book().worksheets[0]["A"]
    assert [cell.value for cell in column] == texts
    assert {cell.data_type for cell in column} == {"s"}
    assert {cell.number_format for cell in column} == {"@"}
    assert export.book().worksheets[0].freeze_panes is None


def test_what_xml_cannot_hold_comes_back_whole(export: ExportTask) -> None:
    """Written as Excel itself does it, and so read by it, and by `do: excel`."""
    literal = CONTROL.replace("\u0001", "' || chr(1) || '").replace("\r", "' || chr(13) || '")
    export.writes(
        "file: a.xlsx", f"select '{literal}' as t, '  ' as blank, '' as empty, null as none"
    )
    raw = [cell.value for cell in export.book().worksheets[0][2]]
    assert raw == ["a_x0001_b_x000D_c_x005F_x0041_", "  ", "", None]
    export.task.has(
        f"driver: files\npath: {export.folder}",
        "do: excel\nworkbook: a.xlsx\ncolumns: {t: {name: t, type: text}}",
    )
    export.task.run()
    assert export.task.rows("select t from staging.thing") == [(CONTROL,)]


def test_dates_and_times_in_a_workbook(export: ExportTask) -> None:
    query = """
        select timestamptz '2026-07-01 12:00:00+00' as a,
            timestamp '2026-01-01 10:00:00.123456' as b, date 'infinity' as c,
            date '1900-02-28' as d, date '1900-03-01' as e,
            timestamp '9999-12-31 23:59:59' as f, time '10:30' as g, time '24:00' as h,
            interval '1 month 2 hours' as i, timestamptz '0044-03-15 00:00:00+00 BC' as j,
            timestamp '2200-01-01 00:00:00.000001' as k, true as l
    """
    export.has("file: a.xlsx", query)
    (export.task.folder / "warehouse.yaml").write_text("timezone: Europe/Tallinn")
    export.task.run()
    row = export.book().worksheets[0][2]
    assert [cell.value for cell in row] == [
        datetime(2026, 7, 1, 15), datetime(2026, 1, 1, 10, 0, 0, 123000),  # openpyxl rounds
        "infinity", "1900-02-28", datetime(1900, 3, 1),
        datetime(9999, 12, 31, 23, 59, 59), time(10, 30), "24:00:00",
        "1 mon 02:00:00", "0044-03-15 01:39:00+01:39 BC",
        "2200-01-01 00:00:00.000001", True,
    ]  # fmt: skip
    assert row[0].number_format == 'yyyy-mm-dd hh:mm:ss"+03"'
    assert row[1].number_format == "yyyy-mm-dd hh:mm:ss.000"


def test_csv_is_what_postgresql_writes(export: ExportTask) -> None:
    query = """
        -- one row of everything
        select 1.10::numeric as n, 'a,"b"\n' as t, '' as empty, null as none, true as yes,
            timestamptz '2026-01-01 00:00+00' as at, 'Infinity'::float8 as inf,
            '\\x00ff'::bytea as b;
    """
    assert "1 row, a.csv" in export.writes("file: a.csv", query)
    assert export.text("a.csv") == (
        "n,t,empty,none,yes,at,inf,b\n"
        '1.10,"a,""b""\n","",,t,2026-01-01 00:00:00+00,Infinity,\\x00ff\n'
    )
    export.writes("file: b.tsv\nheader: false", "select 1 as a, 'x' as b")
    assert export.text("b.tsv") == "1\tx\n"
    export.writes("file: c.txt\nformat: csv\ndelimiter: ';'", "select 1 as a, 'x' as b")
    assert export.text("c.txt") == "a;b\n1;x\n"


def test_packed_files_are_the_same_each_time(export: ExportTask) -> None:
    export.writes("file: a.csv.gz", "select 1 as a")
    before = (export.folder / "a.csv.gz").read_bytes()
    assert gzip.decompress(before) == b"a\n1\n"
    export.task.run(full=True)
    assert (export.folder / "a.csv.gz").read_bytes() == before


def test_ndjson_has_a_row_a_line_and_exact_numbers(export: ExportTask) -> None:
    query = """
        select 12345678901234567890.10 as n, '{"a":\n 1.0}'::json as j, 'x\ny' as t,
            timestamptz '2026-01-01 00:00+00' as at, array[1, 2] as list, null as none
        union all select null, null, null, null, null, null
    """
    export.writes("file: a.ndjson", query)
    first, second, end = export.text("a.ndjson").split("\n")
    assert end == ""
    assert json.loads(first, parse_float=Decimal) == {
        "n": Decimal("12345678901234567890.10"), "j": {"a": Decimal("1.0")}, "t": "x\ny",
        "at": "2026-01-01T00:00:00+00:00", "list": [1, 2], "none": None,
    }  # fmt: skip
    assert set(json.loads(second).values()) == {None}


def test_parquet_has_exact_types(export: ExportTask) -> None:
    export.task.execute("""
        create table kinds (i smallint, d numeric(20, 2), any_digits numeric, at timestamptz,
            local timestamp, day date, clock time, raw bytea, empty text, yes boolean, f float8,
            id uuid, wide numeric(50));
        insert into kinds values (1, 12.50, 0.10, '2026-01-01 10:00:00.123456+02', '2026-01-01',
            '1500-01-01', '10:00:00.5', '\\x00ff', '', true, 'Infinity',
            '00000000-0000-0000-0000-000000000000', 1);
        insert into kinds (any_digits) values (123456.789)
    """)
    export.writes("file: a.parquet", "select * from kinds")
    table = parquet.read_table(export.folder / "a.parquet")
    assert table.schema.types == [
        pa.int16(), pa.decimal128(20, 2), pa.decimal128(38, 3), pa.timestamp("us", "UTC"),
        pa.timestamp("us"), pa.date32(), pa.time64("us"), pa.binary(), pa.string(), pa.bool_(),
        pa.float64(), pa.string(), pa.decimal256(50, 0),
    ]  # fmt: skip
    first, second = table.to_pylist()
    assert list(first.values()) == [
        1, Decimal("12.50"), Decimal("0.100"), datetime(2026, 1, 1, 8, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 1, 1), date(1500, 1, 1), time(10, 0, 0, 500000), b"\x00\xff", "", True,
        inf, "00000000-0000-0000-0000-000000000000", 1,
    ]  # fmt: skip
    assert second.pop("any_digits") == Decimal("123456.789")
    assert set(second.values()) == {None}
    export.writes(
        "file: c.parquet", "select repeat('x', n * 3000000) as t from generate_series(0, 1) n"
    )
    [long] = parquet.read_table(export.folder / "c.parquet")["t"].to_pylist()[1:]
    assert len(long) == 3_000_000
    export.writes("file: b.parquet\ncompression: zstd", "select 1 as n where false")
    assert parquet.read_table(export.folder / "b.parquet").num_rows == 0


def test_names_have_dates_and_variables(export: ExportTask) -> None:
    name = "file: '{{ today.year }}/sales of {{ shop }} {{ now.strftime(\"%m\") }}.csv'"
    export.has(name, "select {{ shop }} as shop")
    task = export.task.folder / "routes/source/staging/thing/task.yaml"
    task.write_text(task.read_text() + "variables: {shop: Tõrva}\n")
    export.task.run()
    [(year, month)] = export.task.rows("select to_char(now(), 'YYYY'), to_char(now(), 'MM')")
    assert export.text(f"{year}/sales of Tõrva {month}.csv") == "shop\nTõrva\n"


def test_an_unchanged_file_is_not_written_again(export: ExportTask) -> None:
    export.writes("file: a.xlsx", "select 1 as n")
    path = export.folder / "a.xlsx"
    before = path.stat()
    assert "a.xlsx in `source`" in (said := export.task.run())
    assert "would be as it is, and was not written again" in said
    assert path.stat() == before
    path.write_bytes(b"somebody's own")
    export.task.run()
    assert export.book().worksheets[0]["A2"].value == 1
    path.unlink()
    export.task.run()
    assert path.exists()
    export.writes("file: a.xlsx", "select 2 as n")
    assert export.book().worksheets[0]["A2"].value == 2


def test_a_file_that_is_there_may_be_kept(export: ExportTask) -> None:
    options = "file: a.csv\noverwrite: false"
    (export.folder / "a.csv").write_text("n\n1\n")
    export.writes(options, "select 1 as n")  # it is the same
    said = export.fails(options, "select 2 as n")
    assert "a.csv is in `source`" in said
    assert "already, with other content, and `overwrite: false` keeps it" in said
    assert export.text("a.csv") == "n\n1\n"


def test_a_file_is_not_there_when_a_later_action_or_a_check_fails(
    export: ExportTask, task: OneTask
) -> None:
    export.has("file: a.csv")
    definition = task.folder / "routes/source/staging/thing/task.yaml"
    sound = definition.read_text()
    definition.write_text(f"{sound}checks: [{{sql: query.sql}}]\n")
    assert "query.sql" in task.fails()
    assert export.names() == []
