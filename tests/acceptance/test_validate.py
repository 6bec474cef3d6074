"""Definitions checked without a database: `dapu validate`, and the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.acceptance.conftest import TASKS
from tests.conftest import MakeWarehouse
from tests.support.command import dapu, here
from tests.support.components import ROUTE, a_task, write

STARTER = Path(__file__).parents[2] / "definitions"


def test_validate_needs_no_database(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = "- {name: main, driver: pg, host: 192.0.2.1, database: none}\n"
    folder = make_warehouse({**TASKS, "connections.yaml": nowhere})
    done = here(capsys, "validate", folder)
    assert (done.status, done.out) == (0, "3 tasks without fault; 0 faults\n")
    write(folder, {"routes/r/s/bad/task.yaml": "actions: [{do: sql, fill: run.sql}]"})
    done = here(capsys, "validate", folder)
    assert done.status == 1
    assert f"{folder}/routes/r/s/bad/task.yaml:1: " in done.err
    assert "unknown key `fill`; did you mean `file`?" in done.err


def test_the_schema_accepts_every_task_of_the_examples(
    capsys: pytest.CaptureFixture[str],
) -> None:
    schema = json.loads(here(capsys, "schema").out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    tasks = sorted(STARTER.glob("*/routes/*/*/*/task.yaml"))
    assert len(tasks) > 5
    for task in tasks:
        faults = [
            error.message for error in validator.iter_errors(yaml.safe_load(task.read_text()))
        ]
        assert faults == [], task
    wrong = {"actions": [{"do": "sql", "fill": "run.sql"}]}
    assert not validator.is_valid(wrong)


def test_grants_are_checked_and_have_a_schema(
    make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = json.loads(here(capsys, "schema", "--file", "grants.yaml").out)
    validator = jsonschema.Draft202012Validator(schema)
    right = "groups: {readers: {reads: [{schema: mart, exclude: x, columns: [a]}], members: [b]}}"
    assert not list(validator.iter_errors(yaml.safe_load(right)))
    assert list(validator.iter_errors({"groups": {"readers": {"read": []}}}))
    folder = make_warehouse({**TASKS, "grants.yaml": "groups: {readers: {read: []}}"})
    done = here(capsys, "validate", folder)
    assert done.status == 1
    assert f"{folder}/grants.yaml:1: groups.readers: unknown key `read`" in done.err


def test_a_test_of_another_suffix_is_reported(make_warehouse: MakeWarehouse) -> None:
    """Else it would be passed over, and its task taken for tested."""
    folder = make_warehouse({**ROUTE, **a_task("r.s.t"), "routes/r/s/t/tests/first.yml": "{}"})
    for command in ("validate", "test"):
        done = dapu(command, folder)
        assert done.status != 0
        assert "first.yml:1: is to be called first.yaml" in done.out + done.err
