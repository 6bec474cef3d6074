"""Which types hold which: nothing may be cut off or rounded."""

from __future__ import annotations

import pytest

from dapu.rows.types import holds, widened


@pytest.mark.parametrize(
    ("target", "source", "least"),
    [
        ("bigint", "integer", "bigint"),
        ("integer", "bigint", "bigint"),
        ("integer", "numeric(9,0)", "numeric"),
        ("numeric(10,2)", "numeric(8,2)", "numeric(10,2)"),
        ("numeric(10,2)", "numeric(8,4)", "numeric"),
        ("numeric(12,2)", "integer", "numeric(12,2)"),
        ("numeric(11,2)", "integer", "numeric"),
        ("numeric", "bigint", "numeric"),
        ("double precision", "bigint", "numeric"),
        ("double precision", "integer", "double precision"),
        ("real", "double precision", "double precision"),
        ("character varying(5)", "character varying(9)", "character varying(9)"),
        ("character varying", "date", "character varying"),
        ("text", "jsonb", "text"),
        ("date", "timestamp", "timestamp"),
        ("timestamp without time zone", "timestamp", "timestamp without time zone"),
        ("timestamp without time zone", "timestamp with time zone", "text"),
        ("integer", "text", "text"),
        ("integer[]", "bigint[]", "text"),
        ("uuid", "integer", "text"),
    ],
)  # fmt: skip
def test_the_least_type_that_holds_both(target: str, source: str, least: str) -> None:
    assert widened(target, source) == least
    assert holds(least, target)
    assert holds(least, source) or least == "text" or least == "numeric"
