"""`do: excel` again and again: what is read again, what waits, and what is not a workbook."""

from __future__ import annotations

import io
import shutil
import threading
import time
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import msoffcrypto
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from tests.support.file_task import FileTask


def test_an_unchanged_workbook_is_not_read_again(excel: FileTask) -> None:
    path = excel.share.book("b.xlsx", [["n"], [1]])
    excel.run("workbook: b.xlsx")
    excel.task.execute("update staging.thing set n = 0")
    assert "the source is unchanged and was not read" in excel.task.run()
    assert "the source is unchanged and was not read" in excel.task.events()[-1]
    excel.share.age(path, hours_ago=0.5)
    assert "unchanged" in excel.task.run()  # it was only touched
    excel.share.book("b.xlsx", [["n"], [2]])
    assert "1 row" in excel.task.run()
    assert excel.rows() == [(2,)]


def test_full_a_new_definition_and_a_lost_table_read_it_again(excel: FileTask) -> None:
    excel.share.book("b.xlsx", [["n"], [1]])
    excel.run("workbook: b.xlsx")
    assert "1 row" in excel.task.run(full=True)
    assert "1 row" in excel.run("workbook: b.xlsx\nconstant: {year: 2026}")
    excel.task.execute("drop table staging.thing")
    assert "1 row, table made" in excel.task.run()


def test_periods_of_the_workbook_are_replaced_as_a_whole(excel: FileTask) -> None:
    options = """
        workbook: invoices.xlsx
        load: period
        period: {column: invoice_date, by: month}
        columns: {Day: {name: invoice_date, type: date}, Sum: {name: amount, type: decimal}}
    """
    days = [date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2)]
    excel.share.book("invoices.xlsx", [["Day", "Sum"], *([day, 1] for day in days)])
    excel.run(options)
    excel.share.book("invoices.xlsx", [["Day", "Sum"], ["29.02.2024", "5,5"], ["1.3.2024", 7]])
    assert "2 months replaced, 2 old rows gone" in excel.task.run()
    found = [(str(day), float(amount)) for day, amount in excel.rows()]
    assert found == [("2024-01-31", 1), ("2024-02-29", 5.5), ("2024-03-01", 7)]


def test_workbooks_are_appended_once_and_replaced_when_they_change(excel: FileTask) -> None:
    excel.share.book("a.xlsx", [["n"], [1]])
    excel.share.book("b.xlsx", [["n"], [2]])
    excel.run('workbook: "*.xlsx"\nload: append')
    excel.share.book("c.xlsx", [["n"], [3]])
    assert "1 row" in excel.task.run()
    excel.share.book("b.xlsx", [["n"], [20], [21]])
    assert "2 rows" in excel.task.run()
    assert "1 row of files that were read before replaced" in excel.task.events()[-2:][0]
    expected = [(1, "a.xlsx", 2), (3, "c.xlsx", 2), (20, "b.xlsx", 2), (21, "b.xlsx", 3)]
    assert excel.rows("n, _file, _row") == expected
    excel.task.run(full=True)
    assert excel.rows("n, _file, _row") == expected
    (excel.share.path / "a.xlsx").unlink()
    assert "unchanged" in excel.task.run()


def test_one_of_several_workbooks_changes_or_goes(excel: FileTask) -> None:
    excel.share.book("a.xlsx", [["n"], [1]])
    excel.share.book("b.xlsx", [["n", "m"], [2, "x"]])
    excel.run('workbook: "*.xlsx"')
    assert excel.rows("n, m, _file") == [(1, None, "a.xlsx"), (2, "x", "b.xlsx")]
    (excel.share.path / "a.xlsx").unlink()
    assert "1 row" in excel.task.run()
    assert "unchanged" in excel.task.run()
    excel.share.book("a.xlsx", [["n"], [1]])
    assert "2 rows" in excel.task.run()


@pytest.mark.parametrize(
    ("lock", "content", "by"),
    [
        ("~$b.xlsx", b"\x0aMari Maasi" + b" " * 44, " by Mari Maasi"),
        (".~lock.b.xlsx#", b",juhan,desk,21.11.2026 01:23,file:///home;", " by juhan"),
    ],
)
def test_a_workbook_that_is_open_waits(excel: FileTask, lock: str, content: bytes, by: str) -> None:
    excel.share.book("b.xlsx", [["n"], [1]])
    excel.share.put(lock, content)
    said = excel.fails('workbook: "*.xlsx"')
    assert f"b.xlsx in `source` ({excel.share.path}) is open in its editor{by}" in said
    (excel.share.path / lock).unlink()
    assert "1 row" in excel.task.run()


def test_a_workbook_that_is_still_written_waits(excel: FileTask) -> None:
    whole = excel.share.book("whole.xlsx", [["n"], [1]]).read_bytes()
    growing = excel.share.path / "b.xlsx"
    growing.write_bytes(whole[:100])
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.05):
            with growing.open("ab") as file:
                file.write(b"more")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "b.xlsx in `source`" in (said := excel.fails("workbook: b.xlsx"))
        assert "is being written; it is read when it no longer changes" in said
    finally:
        done.set()
        writer.join()
    growing.write_bytes(whole)
    began = time.monotonic()
    assert "1 row" in excel.task.run()
    assert time.monotonic() - began < 10


def test_what_is_not_a_workbook_is_reported(excel: FileTask, tmp_path: Path) -> None:
    whole = excel.share.book("whole.xlsx", [["n"], [1]]).read_bytes()
    secret = io.BytesIO()
    OOXMLFile(io.BytesIO(whole)).encrypt("password", secret)
    assert msoffcrypto.OfficeFile(secret).is_encrypted()
    broken = {
        "secret.xlsx": (secret.getvalue(), "is protected with a password; save it without"),
        "half.xlsx": (whole[: len(whole) // 2], "is broken, or is not all there yet"),
        "empty.xlsx": (b"", "is empty (0 bytes); is it still being copied?"),
        "page.xls": (b"<html><table></table></html>", "is not a workbook; is it a web page or CSV"),
        "half.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is broken, or is not all"),
    }
    for name, (content, message) in broken.items():
        excel.share.put(name, content)
        assert f"{name} {message}" in excel.fails(f"workbook: {name}")
    cut = io.BytesIO()
    with ZipFile(io.BytesIO(whole)) as source, ZipFile(cut, "w") as target:
        for member in source.namelist():
            content = source.read(member)
            is_sheet = member == "xl/worksheets/sheet1.xml"
            target.writestr(member, content[: content.index(b"</c>")] if is_sheet else content)
    excel.share.put("cut.xlsx", cut.getvalue())
    assert "cut.xlsx, sheet 'Costs' is broken, or is not" in excel.fails("workbook: cut.xlsx")
    excel.share.put("misnamed.xls", whole)
    assert "1 row" in excel.run("workbook: misnamed.xls")


def test_what_is_missing_is_reported(excel: FileTask) -> None:
    excel.share.book("b.xlsx", [["n"], [1]])
    place = f"in `source` ({excel.share.path})"
    assert f"there is no file a.xlsx {place}" in excel.fails("workbook: a.xlsx")
    assert f"no file matches a*.xlsx {place}" in excel.fails('workbook: "a*.xlsx"')
    said = excel.fails("workbook: b.xlsx\nsheet: budget")
    assert "b.xlsx has no sheet 'budget'; known are: Costs" in said
    said = excel.fails("workbook: b.xlsx\nsheet: costs 2024")
    assert "b.xlsx has no sheet 'costs 2024'; did you mean `Costs`?" in said
    assert "ends before its header, row 5: it has 2 rows" in excel.fails(
        "workbook: b.xlsx\nheader: 5"
    )
    assert "is not a path below the folder" in excel.fails("workbook: ../b.xlsx")
    shutil.rmtree(excel.share.path)
    assert "does not exist: is the share mounted?" in excel.fails("workbook: b.xlsx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("workbook: b.xlsx\nheader: 0", "header: "),
        ("workbook: b.xlsx\nheader: [3, 2]", "`header` gives its rows from top to bottom"),
        ("workbook: b.xlsx\nheader: 2\nstart_row: 2", "`start_row` is below the header"),
        ("workbook: b.xlsx\ncolumns: {a: x, b: x}", "two columns would be called x"),
        ("workbook: b.xlsx\ncolumns: {a: {name: x, type: money}}", "type"),
        ("workbook: b.xlsx\nload: append\norigin: false", "`load: append` needs the columns of"),
        ("workbook: b.xlsx\nload: merge\nkey: [a]\nwatermark: {column: a}", "have no `watermark`"),
        ("workbok: b.xlsx", "unknown key `workbok`; did you mean `workbook`?"),
        ("workbook: b.xlsx\nquery: missing.sql", "there is no file missing.sql"),
    ],
)
def test_faulty_options_are_reported_before_anything_runs(
    excel: FileTask, options: str, message: str
) -> None:
    excel.has(options)
    assert message in excel.task.is_refused()
