"""Values as people and programs read them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from dapu.cli.console import one_line, show_json, show_table


def test_numbers_in_documents_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a": Decimal("1.10"), "b": [Decimal("1E+400"), Decimal("NaN")]}
    show_table(["g"], [[document]])
    assert '{"a": 1.10, "b": [1E+400, "NaN"]}' in capsys.readouterr().out
    show_json([document])
    read = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert read == [{"a": Decimal("1.10"), "b": [Decimal("1E+400"), "NaN"]}]


def test_json_is_indented_as_json_itself_does_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It is several times as fast for many tasks."""
    data = {
        "a": 1, "b": [1, [], {}, {"x": None, "y": True}], "c": {"d": 'é\n"', "e": [["q"], ()]},
        "g": {}, "f": 1.5,
    }  # fmt: skip
    show_json(data)
    assert capsys.readouterr().out == json.dumps(data, indent=2) + "\n"
    show_json({"many": [{"n": [n]} for n in range(101)]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == '    {"n": [0]},'
    assert len(lines) == 101 + 4
    show_json([Decimal("1.10"), {"x": [float("inf"), Decimal("1e400")]}])
    assert capsys.readouterr().out == (
        '[\n  1.10,\n  {\n    "x": [\n      "inf",\n      1E+400\n    ]\n  }\n]\n'
    )


def test_a_value_in_one_line_is_as_the_warehouse_has_it() -> None:
    assert one_line({"a": [1, Decimal("2.50")]}) == '{"a": [1, 2.50]}'
    assert one_line(b"\x00a") == "\\x0061"
    assert one_line("two\nlines \x1b[1m") == "two\\nlines \\x1b[1m"
