"""`do: excel`: sheets of workbooks, as people keep them, become rows."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.support.file_task import FileTask, Rows
from tests.support.xlsb import xlsb

DATA = Path(__file__).parents[3] / "data/workbooks"


def test_a_sheet_becomes_a_table_with_types_that_hold_every_value(excel: FileTask) -> None:
    excel.share.book(
        "Budget.xlsx",
        [
            ["Konto nr", "Käive (EUR)", "Paid", "Day", "When", "Code", "Took"],
            [1001, 12.5, True, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), "007", time(3, 4)],
            [1002, 7, False, date(2024, 2, 29), date(2024, 1, 3), " 8", timedelta(hours=30)],
        ],
    )
    assert excel.run("workbook: Budget.xlsx").startswith("2 rows, table made")
    assert excel.task.types() == {
        "konto_nr": "bigint",
        "kaive_eur": "numeric",
        "paid": "boolean",
        "day": "date",
        "when": "timestamp without time zone",
        "code": "text",
        "took": "text",
    }
    assert excel.rows() == [
        (1001, Decimal("12.5"), True, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), "007",
         "03:04:00"),
        (1002, 7, False, date(2024, 2, 29), datetime(2024, 1, 3), "8", "30:00:00"),
    ]  # fmt: skip


def test_columns_by_header_or_letters_get_names_and_types(excel: FileTask) -> None:
    excel.share.book(
        "Budget.xlsx",
        [
            [" Cost  centre ", "2024", None, "Note"],
            ["IT", "1 234,50", "02.01.2024", 5],
            ["HR", 7, date(2024, 1, 3), "x"],
        ],
    )
    excel.run("""
        workbook: Budget.xlsx
        columns:
          cost centre: centre
          2024: {name: amount, type: decimal}
          C: {name: day, type: date}
          Note: {name: note, type: text}
    """)
    assert excel.rows() == [
        ("HR", 7, date(2024, 1, 3), "x"),
        ("IT", Decimal("1234.50"), date(2024, 1, 2), "5"),
    ]


def test_a_value_that_does_not_fit_is_reported_by_its_cell(excel: FileTask) -> None:
    rows: list[list[Any]] = [["Account", "A", "B", "Amount"]]
    rows += [[f"line\n{number}", "", "", number] for number in range(2, 17)]
    rows += [["x", "", "", "n/a"], ["y", "", "", 1]]
    excel.share.book("Budget 2026.xlsx", rows)
    options = "workbook: Budget*.xlsx\ncolumns: {Account: a, Amount: {name: amount, type: decimal}}"
    message = "Budget 2026.xlsx, sheet 'Costs', D17: 'n/a' is not a decimal"
    assert message in excel.fails(options)
    assert not excel.task.has_table()
    assert "1 row with bad values nulled" in excel.run(f"{options}\non_bad_value: 'null'")
    assert len(excel.rows()) == 17
    assert "1 row rejected" in excel.run(f"{options}\non_bad_value: reject")
    assert len(excel.rows()) == 16
    reject = excel.task.rows("select record->>'amount' from staging.thing__rejected")
    assert reject == [("n/a",)]
    where = "select data from meta.event where data ? 'bad rows' order by event"
    assert [row["where"] for row in excel.task.rows(where)[-1][0]["bad rows"]] == [
        "Budget 2026.xlsx, sheet 'Costs', D17"
    ]


def test_rejected_values_are_as_in_the_workbook_and_each_has_its_cell(excel: FileTask) -> None:
    rows: Rows = [["n", "d"], [1, "02/03/2026"], ["1,234", "2026-01-02"], [3, "2026-01-02"]]
    excel.share.book("a.xlsx", rows)
    columns = "columns: {n: {name: n, type: decimal}, d: {name: d, type: date}}"
    older = "rejected_at timestamptz default now(), reason text, record jsonb"
    excel.task.make_table(older, "staging.thing__rejected")
    said = excel.run(f"workbook: a.xlsx\non_bad_value: reject\n{columns}")
    fault = "d: '02/03/2026' does not fit date (day or month first? say `dates`)"
    assert fault in said
    assert excel.rows("n") == [(3,)]
    put = "select reason, record, place from staging.thing__rejected order by place"
    assert excel.task.rows(put) == [
        (
            "n: '1,234' does not fit numeric (a decimal comma or thousands? say `decimal`)",
            {"n": "1,234", "d": "2026-01-02"},
            "a.xlsx, sheet 'Costs', A3",
        ),
        (fault, {"n": "1", "d": "02/03/2026"}, "a.xlsx, sheet 'Costs', B2"),
    ]


def test_what_can_mean_two_things_is_not_guessed(excel: FileTask) -> None:
    rows: Rows = [
        ["n", "d"],
        ["1,234", None],
        [None, "02/03/2024"],
        [None, datetime(2024, 1, 2, 3)],
    ]
    options = "columns: {n: {name: n, type: decimal}, d: {name: d, type: date}}\nworkbook: b.xlsx"
    excel.share.book("b.xlsx", rows)
    assert (
        "A2: '1,234' is not a decimal (a decimal comma or thousands? say `decimal`), for the "
        "column n" in excel.fails(options)
    )
    excel.share.book("b.xlsx", [rows[0], *rows[2:]])
    said = excel.fails(options)
    assert "B2: '02/03/2024' is not a date (day or month first? say `dates`)" in said
    excel.share.book("b.xlsx", [rows[0], *rows[3:]])
    said = excel.fails(options)
    assert "B2: '2024-01-02 03:00:00' is not a date (a time of day, which a date does" in said


def test_what_was_said_of_numbers_and_dates_is_heeded(excel: FileTask) -> None:
    rows: Rows = [
        ["n", "d", "f"],
        ["1,234", "02/03/2024", "3.1.24"],
        ["1.234,5", date(2024, 1, 2), None],
    ]
    excel.share.book("b.xlsx", rows)
    excel.run("""
        workbook: b.xlsx
        decimal: ","
        dates: month first
        columns:
          n: {name: n, type: decimal}
          d: {name: d, type: date}
          f: {name: f, type: date, format: ["%d.%m.%y"]}
    """)
    assert excel.rows() == [
        (Decimal("1.234"), date(2024, 2, 3), date(2024, 1, 3)),
        (Decimal("1234.5"), date(2024, 1, 2), None),
    ]


def test_errors_of_formulas_are_values_that_do_not_fit(excel: FileTask) -> None:
    excel.share.book("b.xlsx", [["n", "t"], [1, "a"], ["#REF!", "#N/A"], [None, "b"]])
    options = "workbook: b.xlsx\ncolumns: {n: {name: n, type: decimal}, t: t}"
    assert "b.xlsx, sheet 'Costs', A3: '#REF!' is not a decimal" in excel.fails(options)
    excel.run(f"{options}\non_bad_value: 'null'")
    assert sorted(excel.rows("t")) == [("#N/A",), ("a",), ("b",)]


def test_merged_headers_hidden_sheets_and_blank_rows(excel: FileTask) -> None:
    workbook = openpyxl.Workbook()
    hidden = workbook.worksheets[0]
    hidden.title, hidden.sheet_state = "Secret", "hidden"
    sheet = workbook.create_sheet("Plan ")
    for row in (
        ["Budget of the town"],
        ["Account", "Costs", None, "Note"],
        [None, "Jan", "Feb", None],
        [1, 10, 20, None],
        [None, None, "  ", None],
        [2, 11, 21, "x"],
    ):
        sheet.append(row)
    for cells in ("A1:D1", "A2:A3", "B2:C2", "D2:D3"):
        sheet.merge_cells(cells)
    sheet["D9"].value = " "
    excel.share.save(workbook, "b.xlsx")
    excel.run("workbook: b.xlsx\nheader: [2, 3]\nsheet: plan")
    assert list(excel.task.types()) == ["account", "costs_jan", "costs_feb", "note"]
    assert excel.rows() == [(1, 10, 20, None), (2, 11, 21, "x")]
    excel.run("workbook: b.xlsx\nheader: [2, 3]\nend_when: blank row\norigin: true")
    assert excel.rows("account, note, _file, _sheet, _row") == [(1, None, "b.xlsx", "Plan ", 4)]
    assert "b.xlsx has 1 visible sheets, and no 2" in excel.fails("workbook: b.xlsx\nsheet: 2")
    excel.run("workbook: b.xlsx\nsheet: Secret\nheader: none\nconstant: {year: 2026}")


def test_duplicate_headers_are_kept_apart(excel: FileTask) -> None:
    excel.share.book("b.xlsx", [["a", "Amount", "amount ", None], [1, 2, 3, 4]])
    excel.run("workbook: b.xlsx")
    assert list(excel.task.types()) == ["a", "amount", "amount_2", "column_d"]
    said = excel.fails("workbook: b.xlsx\ncolumns: {Amount: x}")
    assert "b.xlsx, sheet 'Costs' has 2 columns 'Amount'; name them B and C" in said
    said = excel.fails("workbook: b.xlsx\ncolumns: {Amuont: x}")
    assert "has no column 'Amuont' in its header (row 1); did you mean `Amount`?" in said


def test_sheets_by_pattern_and_constants(excel: FileTask) -> None:
    excel.share.book(
        "b.xlsx",
        {"Jan 24": [["n"], [1]], "Feb 24": [["n"], [2]], "Total": [["n"], [3]]},
    )
    excel.run("""
        workbook: b.xlsx
        sheet: "* 24"
        origin: true
        constant: {source: budget, year: 2026, share: 0.1, since: 2024-01-31, sure: true}
    """)
    assert excel.rows("n, source, year, share, since, sure, _sheet") == [
        (1, "budget", 2026, Decimal("0.1"), date(2024, 1, 31), True, "Jan 24"),
        (2, "budget", 2026, Decimal("0.1"), date(2024, 1, 31), True, "Feb 24"),
    ]


def test_computed_columns_are_a_query_over_the_rows(excel: FileTask) -> None:
    excel.share.book("b.xlsx", [["Account", "Jan", "Feb"], ["a", 10, 20.5], ["b", 1, None]])
    unpivot = """
        select account, month, amount, round(amount / 12, 2) as monthly
        from {{ rows }}, lateral (values (1, jan::numeric), (2, feb)) as m (month, amount)
        where amount is not null"""
    excel.has("workbook: b.xlsx\nquery: unpivot.sql", {"unpivot.sql": unpivot})
    excel.run()
    assert excel.rows() == [
        ("a", 1, 10, Decimal("0.83")),
        ("a", 2, Decimal("20.5"), Decimal("1.71")),
        ("b", 1, 1, Decimal("0.08")),
    ]
    excel.has("workbook: b.xlsx\nquery: q.sql", {"q.sql": "select 1 / (jan - jan) from {{ rows }}"})
    assert "q.sql:1: division by zero" in excel.fails()
    excel.has("workbook: b.xlsx\nquery: q.sql", {"q.sql": "select marc from {{ rows }}"})
    assert 'q.sql:1: column "marc" does not exist' in excel.fails()


def test_personal_codes_are_hashed_with_a_secret(
    excel: FileTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    excel.share.book("b.xlsx", [["Code", "n"], [38001085718, 1], [" 38001085718 ", 2], [None, 3]])
    excel.has("workbook: b.xlsx\nhash: [code]")
    assert "`hash` needs a secret: set `hash_key: ${DAPU_HASH_KEY}`" in excel.fails()
    (excel.task.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")
    monkeypatch.setenv("DAPU_HASH_KEY", "correct horse battery staple")
    excel.task.run()
    codes = dict(excel.rows("n, code"))
    # printf 38001085718 | openssl dgst -sha256 -hmac 'correct horse battery staple'
    expected = "9dbbaef77781f47d3d10cffeae03ad98f1d4f05ee83fe6ae75965197f34fd4dd"
    assert codes == {1: expected, 2: expected, 3: None}
    events = "".join(excel.task.events())
    assert "38001085718" not in events
    assert "correct horse" not in events


@pytest.mark.parametrize("name", ["people.xlsx", "people.xls", "people.ods"])
def test_what_spreadsheet_programs_write(excel: FileTask, name: str) -> None:
    """Merged headers, formulas with their results and errors, numbers and dates as texts."""
    excel.share.put(name, (DATA / name).read_bytes())
    options = f"""
        workbook: {name}
        header: [2, 3]
        columns:
          Account: account
          Costs Jan: {{name: jan, type: decimal}}
          Costs Feb: {{name: feb, type: decimal}}
          Day: {{name: day, type: date}}
          Paid: {{name: paid, type: boolean}}
          Total: {{name: total, type: decimal}}
    """
    assert f"{name}, sheet 'Costs', F5: '#DIV/0!' is not a decimal" in excel.fails(options)
    excel.run(f"{options}\n        on_bad_value: 'null'")
    assert excel.rows() == [
        ("1001", 10, Decimal("20.25"), date(2026, 1, 31), True, Decimal("30.25")),
        ("1002", Decimal("1234.50"), None, date(2026, 2, 28), False, None),
        ("Käibemaks", -3, Decimal("0.1"), date(2026, 3, 1), None, None),
    ]


def test_the_binary_format(excel: FileTask) -> None:
    rows: Rows = [["n", "day", "note"], [1.5, date(2024, 2, 29), "õ"], ["#N/A", None, "x"]]
    excel.share.put("b.xlsb", xlsb(rows))
    options = "workbook: b.xlsb\ncolumns: {n: {name: n, type: decimal}, day: day, note: note}"
    assert "b.xlsb, sheet 'Costs', A3: '#N/A' is not a decimal" in excel.fails(options)
    excel.run(f"{options}\non_bad_value: 'null'")
    assert excel.rows() == [(Decimal("1.5"), date(2024, 2, 29), "õ"), (None, None, "x")]


def test_dates_from_1904_on(excel: FileTask) -> None:
    workbook = openpyxl.Workbook()
    workbook.epoch = datetime(1904, 1, 1)
    sheet = workbook.worksheets[0]
    sheet.append(["day"])
    sheet.append([date(2024, 2, 29)])
    excel.share.save(workbook, "old.xlsx")
    excel.run("workbook: old.xlsx")
    assert excel.rows() == [(date(2024, 2, 29),)]


def test_a_number_that_its_column_would_round_is_reported_by_its_cell(excel: FileTask) -> None:
    excel.share.book("a.xlsx", [["n"], [1.5], [1.239]])
    excel.task.make_table("n numeric(6, 2)")
    message = "a.xlsx, sheet 'Costs', A3: '1.239' would be rounded in the column n"
    assert message in excel.fails("workbook: a.xlsx")


def test_one_column_of_a_sheet_makes_several(
    excel: FileTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAPU_HASH_KEY", "correct horse battery staple")
    excel.share.book("b.xlsx", [["Code", "Day"], [38001085718, "02.01.2024"]])
    excel.has("""
        workbook: b.xlsx
        columns:
          Code: [code, hashed]
          Day: [said, {name: day, type: date, format: '%d.%m.%Y'}]
        hash: [hashed]
    """)
    (excel.task.folder / "warehouse.yaml").write_text("hash_key: ${DAPU_HASH_KEY}\n")
    excel.task.run()
    [row] = excel.rows("code, hashed, said, day::text")
    assert row == (38001085718, "9dbbaef77781f47d3d10cffeae03ad98f1d4f05ee83fe6ae75965197f34fd4dd",
                   "02.01.2024", "2024-01-02")  # fmt: skip
    excel.has("workbook: b.xlsx\ncolumns: {Code: [code, code]}")
    assert "two columns would be called code" in excel.task.is_refused()
