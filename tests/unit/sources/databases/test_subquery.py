"""A query of a source inside another one."""

from __future__ import annotations

from dapu.sources.databases.subquery import between, highest
from dapu.statement import Statement


def _quote(name: str) -> str:
    return f'"{name}"'


def test_the_query_is_wrapped_and_its_bounds_are_bound() -> None:
    query = Statement(("select * from t where x = ", " -- a note;\n;  "), ("y",))
    wrapped = between(query, "at", 1, 9, _quote)
    text, values = wrapped.for_driver("qmark", _quote)
    assert " ".join(text.split()) == (
        "select * from ( select * from t where x = ? ) dapu_query "
        'where (dapu_query."at" >= ? and dapu_query."at" <= ? or dapu_query."at" is null)'
    )
    assert values == ("y", 1, 9)


def test_rows_without_a_value_can_be_left() -> None:
    query = Statement(("select 1 as at",))
    for low in (None, 1):
        text, _ = between(query, "at", low, None, _quote, nulls=False).for_driver("qmark", _quote)
        assert "is null" not in text
        assert 'dapu_query."at"' in text
    assert between(query, "at", None, None, _quote) is query


def test_the_highest_value_is_asked_for() -> None:
    text, _ = highest(Statement(("select 1 as at;",)), "at", _quote).for_driver("qmark", _quote)
    assert text == 'select max(dapu_query."at") from (\nselect 1 as at\n) dapu_query'
