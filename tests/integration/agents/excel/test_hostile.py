"""Workbooks that are larger than they look, broken inside, or not what their ending says."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
import xlwt

from dapu.errors import JobError
from dapu.sources.files.formats import raw_sheet
from dapu.sources.files.formats.workbook import Workbooks
from tests.support.file_task import FileTask
from tests.support.xlsb import xlsb


def _rewritten(book: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """A workbook with other content in its members; None leaves a member out."""
    packed = io.BytesIO()
    with ZipFile(io.BytesIO(book)) as source, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        for member in source.namelist():
            content = change(member, source.read(member))
            if content is not None:
                target.writestr(member, content)
    return packed.getvalue()


def _with_stray_cell(excel: FileTask, row: int, column: int) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for cells in (["account", "amount"], ["a", 1], ["b", 2]):
        sheet.append(cells)
    sheet.cell(row, column, "x")
    excel.share.save(book, "stray.xlsx")


def test_a_stray_cell_is_read_with_its_column(excel: FileTask) -> None:
    _with_stray_cell(excel, 3000, 300)
    assert "3 rows" in excel.run("workbook: stray.xlsx\norigin: false")
    assert excel.rows("account, amount, column_kn") == [
        ("a", 1, None),
        ("b", 2, None),
        (None, None, "x"),
    ]


def test_a_sheet_beyond_all_memory_ends_its_own_job_and_says_where_it_ends(
    excel: FileTask,
) -> None:
    _with_stray_cell(excel, 1_048_576, 16_384)
    said = excel.fails("workbook: stray.xlsx")
    assert "stray.xlsx, sheet 'Sheet' cannot be read: it needs more than" in said
    assert "its last cell is XFD1048576" in said
    excel.share.book("good.xlsx", [["n"], [1]])
    assert "1 row" in excel.run("workbook: good.xlsx")


def test_a_workbook_that_unpacks_to_more_than_it_can_be_is_not_unpacked(
    excel: FileTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_blanks(member: str, content: bytes) -> bytes:
        blanks = b"<sheetData>" + bytes(20_000_000).replace(b"\0", b" ")
        return content.replace(b"<sheetData>", blanks) if "sheet1" in member else content

    book = excel.share.book("bomb.xlsx", [["n"], [1]])
    excel.share.put("bomb.xlsx", _rewritten(book.read_bytes(), with_blanks))
    assert "1 row" in excel.run("workbook: bomb.xlsx"), "what is not large is read"
    monkeypatch.setattr(raw_sheet, "_LARGE", 10_000_000)
    with pytest.raises(Exception, match=r"bomb.xlsx unpacks to .* times its size"):
        raw_sheet.check_size("bomb.xlsx", excel.share.path / "bomb.xlsx")


def test_what_is_broken_inside_is_reported_with_its_part(excel: FileTask) -> None:
    whole = excel.share.book("whole.xlsx", [["n"], [1]]).read_bytes()
    changes: dict[str, Callable[[str, bytes], bytes | None]] = {
        "relations": lambda name, old: old[:90] if name.endswith("workbook.xml.rels") else old,
        "book": lambda name, old: old[:200] if name == "xl/workbook.xml" else old,
        "styles": lambda name, old: b"<x" if name == "xl/styles.xml" else old,
        "sheet": lambda name, old: None if "sheet1" in name else old,
    }
    for name, change in changes.items():
        excel.share.put(f"{name}.xlsx", _rewritten(whole, change))
        said = excel.fails(f"workbook: {name}.xlsx")
        assert said.startswith(f"{name}.xlsx"), said
        assert "fault of dapu" not in said
    at = whole.index(b"xl/worksheets/sheet1.xml") + 40
    excel.share.put("bits.xlsx", whole[:at] + bytes(30) + whole[at + 30 :])
    assert excel.fails("workbook: bits.xlsx").startswith("bits.xlsx")


def _xls_of_excel_2007() -> bytes:
    """An .xls with a zip archive in its record THEME (0x0896), as Excel 2007 writes it."""
    theme = io.BytesIO()
    with ZipFile(theme, "w") as archive:
        archive.writestr("theme/theme/theme1.xml", "<a/>")
    body = struct.pack("<HHQI", 0x0896, 0, 0, 0) + theme.getvalue()
    book = xlwt.Workbook()
    country = book._Workbook__country_rec
    book._Workbook__country_rec = lambda: country() + struct.pack("<HH", 0x0896, len(body)) + body
    sheet = book.add_sheet("Costs")
    sheet.write(0, 0, "account")
    sheet.write(0, 1, "amount")
    sheet.write(1, 0, "A")
    sheet.row(1).set_cell_error(1, 0x17)
    sheet.row(2).set_cell_error(0, 0x2A)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def test_errors_of_an_xls_that_holds_a_zip_archive_are_seen(excel: FileTask) -> None:
    excel.share.put("theme.xls", _xls_of_excel_2007())
    said = excel.fails("workbook: theme.xls\ncolumns: {amount: {name: amount, type: decimal}}")
    assert "theme.xls, sheet 'Costs', B2: '#REF!' is not a decimal" in said
    excel.run(
        "workbook: theme.xls\ncolumns: {account: account, amount: {name: amount, type: text}}"
    )
    assert set(excel.rows()) == {("A", "#REF!"), ("#N/A", None)}


@pytest.mark.parametrize("ending", ["xlsx", "xls", "xlsb"])
def test_a_number_below_0_in_a_cell_of_a_time_is_a_duration(excel: FileTask, ending: str) -> None:
    """A balance of -1:30 is -0.0625 days. It is neither 22:30 nor a date."""
    balances = [0.0625, -0.0625, -0.25, -1.25, -1.0, -0.07]
    if ending == "xlsx":
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.append(["balance", "plain"])
        for row, value in enumerate(balances, start=2):
            sheet.cell(row, 1, value).number_format = "h:mm"
            sheet.cell(row, 2, value)
        excel.share.save(book, "b.xlsx")
    elif ending == "xls":
        old = xlwt.Workbook()
        page = old.add_sheet("Costs")
        page.write(0, 0, "balance")
        page.write(0, 1, "plain")
        style = xlwt.easyxf(num_format_str="h:mm")
        for row, value in enumerate(balances, start=1):
            page.write(row, 0, value, style)
            page.write(row, 1, value)
        packed = io.BytesIO()
        old.save(packed)
        excel.share.put("b.xls", packed.getvalue())
    else:
        rows = [[timedelta(days=value), value] for value in balances]
        excel.share.put("b.xlsb", xlsb([["balance", "plain"], *rows]))
    excel.run(f"workbook: b.{ending}")
    found = dict(excel.rows("plain::float8, balance"))
    assert found == {
        0.0625: "01:30:00",
        -0.0625: "-01:30:00",
        -0.25: "-06:00:00",
        -1.25: "-30:00:00",
        -1.0: "-24:00:00",
        -0.07: "-01:40:48",
    }


def test_a_cell_beyond_all_sheets_is_refused_by_its_place(excel: FileTask) -> None:
    far = '<c r="XFE1"><v>1</v></c></row>'
    book = excel.share.book("far.xlsx", [["n"], [1]]).read_bytes()

    def with_far_cell(member: str, content: bytes) -> bytes:
        changed = content.replace(b"</row>", far.encode(), 1)
        return changed if "sheet1" in member else content

    excel.share.put("far.xlsx", _rewritten(book, with_far_cell))
    said = excel.fails("workbook: far.xlsx")
    assert said.startswith("far.xlsx, sheet 'Costs' is broken")


def test_a_reader_that_does_not_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "b.xlsx").write_bytes(b"PK")
    with Workbooks(seconds=0.001) as books, pytest.raises(JobError, match=r"b.xlsx .* longer than"):
        books.open("b.xlsx", tmp_path / "b.xlsx")


def test_an_xlsb_whose_records_break_off_is_refused(excel: FileTask) -> None:
    """Its reader gives the cells before the break, and says nothing."""

    def broken(member: str, content: bytes) -> bytes:
        return content.replace(b"\x05\x10", b"\x0d\x10", 1) if "sheet1" in member else content

    excel.share.put("a.xlsb", _rewritten(xlsb([["n"], [1], [2], [3]]), broken))
    said = excel.fails("workbook: a.xlsb")
    assert said.startswith("a.xlsb, sheet 'Costs' is broken")
    assert "after row 2" in said


def test_a_cell_with_two_values_is_refused_by_its_place(excel: FileTask) -> None:
    book = excel.share.book("two.xlsx", [["n"], [1], [2]]).read_bytes()

    def with_two_values(name: str, content: bytes) -> bytes:
        return content.replace(b"<v>2</v>", b"<v>2</v><v>22</v>") if "sheet1" in name else content

    excel.share.put("two.xlsx", _rewritten(book, with_two_values))
    said = excel.fails("workbook: two.xlsx")
    assert "two.xlsx, sheet 'Costs', A3: " in said
    assert "its cell has another value too" in said
