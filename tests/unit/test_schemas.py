"""The JSON Schemas for editors: no false alarm in any file that dapu takes, and no silence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dapu.agents.installed import known_agents
from dapu.components.schemas import WHERE, schema_of, write_schemas
from dapu.warehouse.settings import Settings
from dapu.warehouse.yamlfile import read_document

_DEFINITIONS = Path(__file__).parents[2] / "definitions"


@cache
def validator(file: str) -> Draft7Validator:
    return Draft7Validator(schema_of(file, known_agents(Settings()).options(())))


def files(pattern: str) -> list[Path]:
    return [path for path in _DEFINITIONS.rglob(pattern) if path.name in WHERE]


def first_fault(file: str, value: Any) -> str:
    found = sorted(validator(file).iter_errors(value), key=lambda error: -len(error.path))
    return found[0].message if found else ""


@pytest.mark.parametrize("file", WHERE)
def test_what_dapu_ships_is_right(file: str) -> None:
    for path in files(file):
        assert first_fault(file, read_document(path).parse()) == "", path


def with_action(**keys: Any) -> Mapping[str, Any]:
    return {"actions": [{"do": "database", "query": "x.sql", **keys}]}


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("task.yaml", {**with_action(), "run": {"timeout": "1 Hour 5 min", "when": "night"}}),
        ("task.yaml", {**with_action(), "run": {"timeout": 0}}),
        ("task.yaml", with_action(watermark={"column": "at", "overlap": 5})),
        ("task.yaml", with_action(on_bad_value=None)),
        ("route.yaml", {"defaults": {"run": {"retries": 5}}}),
        ("warehouse.yaml", {"worker": {"processes": "${PROCESSES}"}}),
        (
            "connections.yaml",
            [
                {"name": "main", "driver": "pg", "database": "${D}", "port": "${PORT}"},
                {"name": "erp", "url": "mysql+pymysql://${U}@h/x"},
            ],
        ),
    ],
)
def test_what_dapu_takes_is_right(file: str, value: Any) -> None:
    assert first_fault(file, value) == ""


@pytest.mark.parametrize(
    ("file", "value", "says"),
    [
        ("task.yaml", with_action(laod="merge"), "'laod' was unexpected"),
        ("task.yaml", with_action(load="merg"), "'merg' is not one of"),
        ("task.yaml", {"actions": [{"do": "databas"}]}, "'databas' is not one of"),
        ("task.yaml", {**with_action(), "run": {"timeout": "5 mintes"}}, "does not match"),
        ("task.yaml", {**with_action(), "run": {"timeout": 5}}, "5 is greater than the maximum"),
        ("task.yaml", {**with_action(), "depends": "a.b.c"}, "is not valid under any"),
        ("route.yaml", {"defaults": {"run": {"retrys": 5}}}, "'retrys' was unexpected"),
        ("connections.yaml", [{"name": "a", "driver": "pg", "hots": "x"}], "'hots'"),
        ("connections.yaml", [{"name": "a", "driver": "postgres"}], "'postgres'"),
        ("grants.yaml", {"group": {}}, "'group' was unexpected"),
    ],
)
def test_what_dapu_refuses_is_marked(file: str, value: Any, says: str) -> None:
    assert says in first_fault(file, value)


def test_they_are_written_anew_and_settings_of_a_person_stay(tmp_path: Path) -> None:
    actions = known_agents(Settings()).options(())
    assert len(write_schemas(tmp_path, actions)) == len(WHERE) + 2
    (tmp_path / ".vscode/settings.json").write_text("{}")
    assert len(write_schemas(tmp_path, actions)) == len(WHERE)
    assert (tmp_path / ".vscode/settings.json").read_text() == "{}"
