"""`--json`: data for other programs, and nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import MakeWarehouse
from tests.support.command import here


def test_json_is_all_that_is_printed(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, *arguments in (
        ["versioner"],
        ["registrar"],
        ["manager"],
        ["cleaner"],
        ["status"],
        ["status", "r.s.bad"],
        ["validate"],
        ["query", "select 1 as one"],
        ["retry", "1"],
        ["cancel", "3"],
        ["pause"],
        ["pause", "--route", "r", "--wait"],
        ["resume"],
    ):
        done = here(capsys, name, ran, *arguments, "--json")
        assert done.status == 0, done.text
        assert json.loads(done.out)


VALUES = """
    select 12.50 as exact, 123456789012345678901234567890 as big, 2::int as whole,
        'NaN'::float8 as none, 1.5::float8 as half, true as yes, null as nothing,
        date '2024-02-29' as day, timestamptz '2024-02-29 12:00+02' as moment,
        interval '90 seconds' as span, '\\xff00'::bytea as bytes, array[1, 2] as list,
        '{"a": [1.10, "x"]}'::jsonb as document, 'ä' as letter
"""


def test_query_gives_exact_json(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "query", make_warehouse(), VALUES, "--json")
    assert done.status == 0, done.text
    assert '"exact": 12.50' in done.out
    [row] = json.loads(done.out, parse_float=str, parse_int=str)
    assert row == {
        "exact": "12.50",
        "big": "123456789012345678901234567890",
        "whole": "2",
        "none": "nan",
        "half": "1.5",
        "yes": True,
        "nothing": None,
        "day": "2024-02-29",
        "moment": "2024-02-29T10:00:00+00:00",
        "span": "00:01:30",
        "bytes": "\\xff00",
        "list": ["1", "2"],
        "document": {"a": ["1.10", "x"]},
        "letter": "ä",
    }


def test_json_has_no_place_for_two_columns_of_one_name(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "query", make_warehouse(), "select 1 as a, 2 as a", "--json")
    assert (done.status, done.err) == (2, "dapu: two columns are called a; rename one\n")
