"""Tasks that depend on each other: cycles, and masters that are not there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.components import a_task, write
from tests.support.read_definitions import Read, told

TASK = "routes/r/s/t/task.yaml"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return Read(tmp_path)


def faults_of_graph(read: Read, folder: Path, graph: Mapping[str, str], **known: Any) -> list[str]:
    files: dict[str, str] = {}
    for name, depends in graph.items():
        files |= a_task(f"r.s.{name}", depends=depends)
    messages = told(read(files, **known), folder)
    return [message.replace("routes/r/s/", "").replace("/task.yaml", "") for message in messages]


def test_a_cycle_is_named(read: Read, tmp_path: Path) -> None:
    graph = {"a": "[r.s.b]", "b": "[r.s.c]", "c": "[r.s.a]", "d": "[]", "e": "[r.s.e]"}
    in_cycle = "in a cycle: r.s.a -> r.s.b -> r.s.c -> r.s.a"
    assert faults_of_graph(read, tmp_path, graph) == [
        f"a:2: depends on r.s.b, {in_cycle}",
        f"b:2: depends on r.s.c, {in_cycle}",
        f"c:2: depends on r.s.a, {in_cycle}",
        "e:2: depends on r.s.e, in a cycle: r.s.e -> r.s.e",
    ]


def test_a_change_that_closes_a_cycle_with_unchanged_tasks_is_reported(
    read: Read, tmp_path: Path
) -> None:
    first = read({**a_task("r.s.a"), **a_task("r.s.b", depends="[r.s.a]")})
    known = {name: one.hash for name, one in first.definitions.items()}
    found = read(a_task("r.s.a", depends="[r.s.b]"), known, {"r.s.b": ["r.s.a"]})
    assert sorted(found.faulty) == ["r.s.a", "r.s.b"]


def test_what_depends_on_something_that_is_not_there_is_reported(
    read: Read, tmp_path: Path
) -> None:
    graph = {"right": "[]", "b": "[r.s.right, r.s.rigth]", "c": "[r.s.b]", "d": "[r.s.draft]"}
    write(tmp_path, {"routes/r/s/draft/task.yaml": "status: draft"})
    assert sorted(faults_of_graph(read, tmp_path, graph)) == [
        "b:2: depends on r.s.rigth, which is not a task; did you mean `r.s.right`?",
        "c:2: depends on r.s.b, which has a fault itself",
        "d:2: depends on r.s.draft, whose status is not `active`",
    ]


def test_the_line_is_that_of_the_master(read: Read, tmp_path: Path) -> None:
    found = read(
        a_task(
            "r.s.t",
            {"task.yaml": "depends:\n  - r.s.u\n  - r.s.x\nactions: [{do: sql, file: run.sql}]"},
        )
        | a_task("r.s.u")
    )
    assert told(found, tmp_path)[0].startswith(f"{TASK}:3: depends on r.s.x, which is not a task")


def test_dependents_wait_for_a_registered_master_that_is_faulty_now(
    read: Read, tmp_path: Path
) -> None:
    graph = {"master": "[]\nstatus: wrong", "b": "[r.s.master]"}
    [fault] = faults_of_graph(read, tmp_path, graph, registered={"r.s.master": None})
    assert fault.startswith("master:3: status: must be")
    # One that was never registered has no place to keep.
    assert len(faults_of_graph(read, tmp_path, graph)) == 2


def test_an_unchanged_task_whose_master_vanished_is_faulty(read: Read, tmp_path: Path) -> None:
    first = read({**a_task("r.s.a"), **a_task("r.s.b", depends="[r.s.a]")})
    known = {name: one.hash for name, one in first.definitions.items()}
    for file in (tmp_path / "routes/r/s/a").iterdir():
        file.unlink()
    found = read({}, known, {"r.s.b": ["r.s.a"]})
    assert found.gone == ["r.s.a"]
    assert told(found, tmp_path) == [
        "routes/r/s/b/task.yaml:2: depends on r.s.a, which is not a task; did you mean `r.s.b`?"
    ]
