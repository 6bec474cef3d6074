"""The statements in sql/queries: each that is used is there, and the other way round."""

from __future__ import annotations

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
_CODE = "\n".join(path.read_text("utf-8") for path in (_ROOT / "dapu").rglob("*.py"))


def test_every_statement_that_the_code_names_is_there() -> None:
    named = set(re.findall(rf'"((?:{"|".join(_FILES)})\.[a-z_]+)"', _CODE)) - {"task.yaml"}
    assert named - _DEFINED == set()
    assert len(named) > 50


@pytest.mark.parametrize("file", ["agenda", "control", "event", "migration", "server", "task"])
def test_no_statement_about_the_registry_is_there_for_nobody(file: str) -> None:
    mine = {name for name in _DEFINED if name.startswith(f"{file}.")}
    assert {name for name in mine if f'"{name}"' not in _CODE} == set()


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
