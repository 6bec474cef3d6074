"""`do: excel`: of a formula its result is read; one that has none is told, in .xlsx and .ods."""

from __future__ import annotations

import pytest

from tests.support.file_task import FileTask
from tests.support.ods import ods

HEADER = [
    f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>'
    for name in "ab"
]
SEVEN = '<table:table-cell office:value-type="float" office:value="7"/>'
FORMULA = """<table:table-cell table:formula="of:=IF([.A2]&gt;1;'7';&quot;&quot;)\""""


@pytest.mark.parametrize("kind", ["decimal", "text", None])
def test_a_formula_without_a_result_is_a_bad_value(excel: FileTask, kind: str | None) -> None:
    excel.share.book("a.xlsx", [["a", "b"], [1, 5], [2, "=A2*2"]])
    options = "workbook: a.xlsx\n"
    if kind:
        options += f"columns: {{a: a, b: {{name: b, type: {kind}}}}}\n"
    said = excel.fails(options)
    assert "a.xlsx, sheet 'Costs', B3: " in said
    assert "it was never computed; open the workbook" in said
    said = excel.run(f'{options}on_bad_value: "null"')
    assert "it was never computed" in said
    assert [str(b) for (b,) in excel.rows("b")] == ["5", "None"]


@pytest.mark.parametrize("attributes", ["", ' office:value-type="float"'])
def test_ods_is_not_exception(excel: FileTask, attributes: str) -> None:
    excel.share.put("a.ods", ods([HEADER, [SEVEN, SEVEN], [SEVEN, f"{FORMULA}{attributes}/>"]]))
    said = excel.fails("workbook: a.ods\ncolumns: {a: a, b: {name: b, type: decimal}}")
    assert "a.ods, sheet 'Costs', B3: " in said
    assert "it was never computed" in said


@pytest.mark.parametrize(
    ("rest", "result"),
    [
        (' office:value-type="float" office:value="8"/>', "8"),
        (' office:value-type="date" office:date-value="2026-01-31"/>', "2026-01-31"),
        (' office:value-type="boolean" office:boolean-value="true"/>', "true"),
        (' office:value-type="string"><text:p>x</text:p></table:table-cell>', "x"),
        (' office:value-type="string"><text:p/></table:table-cell>', None),
    ],
)
def test_a_result_of_ods_is_one_even_if_it_is_an_empty_text(
    excel: FileTask, rest: str, result: str | None
) -> None:
    excel.share.put("a.ods", ods([HEADER, [SEVEN, f"{FORMULA}{rest}"]]))
    excel.run("workbook: a.ods\ncolumns: {a: a, b: {name: b, type: text}}")
    assert excel.rows("b") == [(result,)]


def test_a_last_row_of_formulas_without_results_is_not_passed_over(excel: FileTask) -> None:
    excel.share.book("a.xlsx", [["a", "b"], [1, 5], ["=A2", "=B2"]])
    assert "a.xlsx, sheet 'Costs', A3: " in excel.fails("workbook: a.xlsx")
    excel.share.put("a.ods", ods([HEADER, [SEVEN, SEVEN], [f"{FORMULA}/>", f"{FORMULA}/>"]]))
    assert "a.ods, sheet 'Costs', A3: " in excel.fails("workbook: a.ods")


BROKEN_TYPE = ' office:value-tydate-value="2025-03-16"'


@pytest.mark.parametrize(
    "type_",
    ["", ' office:value-type="colour"', ' office:value-type="float"', BROKEN_TYPE],
)
def test_a_text_in_a_cell_of_ods_without_a_value_is_not_an_empty_cell(
    excel: FileTask, type_: str
) -> None:
    cell = f"<table:table-cell{type_}><text:p>12</text:p></table:table-cell>"
    excel.share.put("a.ods", ods([HEADER, [SEVEN, SEVEN], [SEVEN, cell]]))
    said = excel.fails("workbook: a.ods")
    assert "a.ods, sheet 'Costs', B3" in said
    assert "its cell has no value" in said


def test_a_comment_of_ods_is_no_text_of_its_cell(excel: FileTask) -> None:
    note = "<office:annotation><text:p>to come</text:p></office:annotation>"
    cell = f"<table:table-cell>{note}</table:table-cell>"
    excel.share.put("a.ods", ods([HEADER, [SEVEN, SEVEN], [SEVEN, cell]]))
    excel.run("workbook: a.ods")
    assert [str(b) for (b,) in excel.rows("b")] == ["7", "None"]
