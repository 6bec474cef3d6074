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
_MODULES = {path: path.read_text("utf-8") for path in (_ROOT / "dapu").rglob("*.py")}
_CODE = "\n".join(_MODULES.values())


def _is_named_in_parts(name: str) -> bool:
    """Whether a folder that has `f"file.start_{…}"` has the rest of the name as a text.

    The targets of `dapu execute` have a file each, whose name alone stands in the code.
    """
    file, _, label = name.partition(".")
    for folder in {path.parent for path in _MODULES}:
        code = "\n".join(text for path, text in _MODULES.items() if path.parent == folder)
        starts = re.findall(rf'f"{file}\.(\w*)\{{', code)
        if file.startswith("execute_") and f'"{file}"' in code:
            starts.append("")
        rests = (label[len(start) :] for start in starts if label.startswith(start))
        if any(f'"{rest}"' in code for rest in rests):
            return True
    return False


def test_every_statement_that_the_code_names_is_there() -> None:
    named = set(re.findall(rf'"((?:{"|".join(_FILES)})\.[a-z_]+)"', _CODE)) - {"task.yaml"}
    assert named - _DEFINED == set()
    assert len(named) > 50


def test_no_statement_is_there_for_nobody() -> None:
    whole = {name for name in _DEFINED if f'"{name}"' in _CODE}
    assert {name for name in _DEFINED - whole if not _is_named_in_parts(name)} == set()


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
