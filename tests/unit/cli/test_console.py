"""Values as people and programs read them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from dapu.cli.console import show_json, show_table


def test_numbers_in_documents_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a": Decimal("1.10"), "b": [Decimal("1E+400"), Decimal("NaN")]}
    show_table(["g"], [[document]])
    assert '{"a": 1.10, "b": [1E+400, "NaN"]}' in capsys.readouterr().out
    show_json([document])
    read = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert read == [{"a": Decimal("1.10"), "b": [Decimal("1E+400"), "NaN"]}]
