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
