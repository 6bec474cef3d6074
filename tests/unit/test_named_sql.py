"""The statements in sql/queries: each that is used is there, and the other way round."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dapu.named_sql import compose, registry_scripts, sql_folder, statement

_ROOT = Path(__file__).parents[2]
_FILES = sorted(entry.name.removesuffix(".sql") for entry in sql_folder("queries").iterdir())
_DEFINED = {
    f"{file}.{name}"
    for file in _FILES
    for name in re.findall(
        r"(?m)^-- name: *(\w+) *$", sql_folder("queries").joinpath(f"{file}.sql").read_text("utf-8")
    )
}
# Texts that are no statement, though they look like one.
_OTHERS = {"task.yaml", "watermark."}


# Files and statements for other databases than PostgreSQL, or for any.
_NOT_POSTGRESQL = re.compile(
    r"(mysql|sqlite|execute_mssql|execute_databricks|execute_snowflake|execute_sqlite|abi_snowflake"
    r"|casts)\."
    r"|blocks\.(lows(_mssql)?|(mysql|sqlite|mssql|oracle|duckdb)(_\w+)?)$|subquery\.|generate\.has_nulls$"
)
# What the grammar itself knows, and PostgreSQL looks up in pg_catalog only; and names of types.
_WORDS = {
    *("any", "array", "bit", "cast", "coalesce", "extract", "greatest", "least"),
    *("nullif", "numeric", "position", "row"),
}
_LITERAL = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"")
_CALL = re.compile(r"(?<![\w.}])([a-z_]\w*)\(")
# `substring(… from …)`, and an `unnest` of several arrays, which has no other name.
_GRAMMAR = re.compile(r"substring\(\S+ from |unnest\((%\(|[^()])*\)?s?::[\w.]+\[\], ")


def unqualified_calls(text: str) -> list[str]:
    """The functions that a statement of PostgreSQL calls without saying whose they are."""
    bare = _GRAMMAR.sub("", _LITERAL.sub("''", text))
    return [name for name in _CALL.findall(bare) if name not in _WORDS]


def _named() -> set[str]:
    """Every text in the code that begins like the name of a statement: a search finds it."""
    texts = {
        node.value
        for path in (_ROOT / "dapu").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    pattern = re.compile(rf"({'|'.join(_FILES)})\.[a-z_0-9]*")
    return {text for text in texts if pattern.fullmatch(text)} - _OTHERS


def test_each_statement_is_named_where_it_is_used_and_each_name_is_there() -> None:
    assert _named() == _DEFINED


def test_functions_are_qualified_so_that_none_of_somebody_else_is_taken_for_them() -> None:
    found = {
        name: calls
        for name in sorted(_DEFINED)
        if not _NOT_POSTGRESQL.match(name) and (calls := unqualified_calls(statement(name)))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("select lower(a), pg_catalog.upper(b) -- length(c)", ["lower"]),
        ("select 'now()' from unnest(a::text[])", ["unnest"]),
        ("select * from unnest(%(a)s::text[], %(b)s::oid[]) as x (a, b)", []),
        ("select substring(a from b), substring(a, 1, 2)", ["substring"]),
        ("create function pg_temp.mine(a text) returns text", []),
        ("select coalesce(a, (select max(b) from c))", ["max"]),
    ],
)
def test_an_unqualified_call_is_seen(text: str, calls: list[str]) -> None:
    assert unqualified_calls(text) == calls


def test_a_statement_is_text_without_its_name_and_semicolon() -> None:
    assert statement("control.clear") == "delete from {control} where name = %(name)s"
    with pytest.raises(KeyError):
        statement("control.no_such")


def test_identifiers_are_put_into_their_braces() -> None:
    from psycopg2 import sql

    with pytest.raises(KeyError):
        compose("server.create_schema")
    assert "schema" in repr(compose("server.create_schema", schema=sql.Identifier("a")))


def test_the_registry_s_scripts_are_numbered_from_one_without_gaps() -> None:
    scripts = registry_scripts()
    assert [script.number for script in scripts] == list(range(1, len(scripts) + 1))
    assert all(re.fullmatch(r"\d{3}_\w+\.sql", script.name) for script in scripts)
