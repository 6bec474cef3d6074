"""Checks as task.yaml says them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dapu.definitions.checks import Check


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "a check is one of `unique`"),
        ({"unique": ["a"], "sql": "x.sql"}, "a check is one of `unique`"),
        ({"sql": "x.sql", "where": "a > 1"}, "`where` belongs into the query"),
        ({"accepted_values": {"a": [1], "b": [2]}}, "a check of its own"),
        ({"accepted_values": {"a": []}}, "at least 1 item"),
        ({"expression": "1 = 1) or (2 = 2"}, "closes a bracket that it does not open"),
        ({"expression": "a in (1, 2"}, "does not close each bracket"),
        ({"expression": "a = 'b"}, "does not close a quote"),
        ({"expression": "a = 1 /* b"}, "does not close a quote or a comment"),
        ({"expression": "true; drop table b"}, "has no `;`"),
        ({"expression": "-- a = 1"}, "is empty"),
        ({"row_count": {"at_least": 1}, "where": "a) -- ("}, "closes a bracket"),
        ({"row_count": {"at_least": 1}, "where": "a {# ) #}"}, "closes a bracket"),
        ({"accepted_values": {"a": [None]}}, "see `not_null`"),
        ({"accepted_values": {"a": [[1]]}}, "is not a value of a column"),
        ({"relationships": {"a": "customer.id"}}, "pattern"),
        ({"row_count": {}}, "one or more of"),
        ({"row_count": {"at_least": 2, "at_most": 1}}, "more than `at_most`"),
        ({"row_count": {"usual": "20"}}, "pattern"),
        ({"fresh_within": {"a": "soon"}}, "not a length of time"),
        ({"unique": ["a"], "severity": "info"}, "'fail' or 'warn'"),
    ],
)
def test_a_check_that_says_too_little_or_too_much(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Check.model_validate(given)


def test_its_label_is_what_task_yaml_says() -> None:
    check = Check.model_validate({"row_count": {"at_least": 1, "usual": "20 %"}, "where": "a > 1"})
    assert check.label == "row_count: at_least 1, usual 20 % where a > 1"


@pytest.mark.parametrize(
    "condition",
    ["a in (1, 2)", "a = ')' -- :)", "lower(\"a)\") ~ '[(]'", "f(a /* ) */)", "a = $$ ) $$"],
)
def test_what_only_looks_like_a_bracket_is_none(condition: str) -> None:
    assert Check.model_validate({"expression": condition}).expression == condition
