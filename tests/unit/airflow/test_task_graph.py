"""The graph that DapuDag reads: tasks, routes, and what is no graph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dapu.airflow import task_graph
from dapu.airflow.task_graph import read_task_graph
from dapu.components import graph
from dapu.errors import ConfigurationError


def written(folder: Path, **masters: list[str]) -> Path:
    """A file of `dapu graph`; `__` in names stands for a point."""
    tasks = [
        {"task": task.replace("__", "."), "masters": above, "tags": []}
        for task, above in masters.items()
    ]
    file = folder / "graph.json"
    graph.write_graph({"format": graph.FORMAT, "warehouse": "shop", "tasks": tasks}, file)
    return file


def test_tasks_and_routes_have_their_masters(tmp_path: Path) -> None:
    file = written(tmp_path, erp__s__sale=[], erp__s__day=["erp.s.sale"], m__s__x=["erp.s.day"])
    found = read_task_graph(file)
    assert found.warehouse == "shop"
    assert found.masters["erp.s.day"] == ["erp.s.sale"]
    assert found.routes == {"erp": ["erp.s.sale", "erp.s.day"], "m": ["m.s.x"]}
    assert found.route_masters() == {"erp": [], "m": ["erp"]}


def test_routes_that_depend_on_each_other_are_refused_by_name(tmp_path: Path) -> None:
    file = written(tmp_path, a__s__x=[], b__s__y=["a.s.x"], a__s__z=["b.s.y"])
    with pytest.raises(ConfigurationError, match=r"a → b → a|b → a → b"):
        read_task_graph(file).route_masters()


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format": 99}'])
def test_what_is_no_graph_says_how_to_write_one(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "graph.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match="graph"):
        read_task_graph(file)


def test_a_file_that_says_the_same_stays(tmp_path: Path) -> None:
    file = written(tmp_path, erp__s__sale=[])
    assert graph.write_graph(json.loads(file.read_text()), file) is False
    assert [one.name for one in tmp_path.iterdir()] == ["graph.json"]
    assert task_graph.FORMAT == graph.FORMAT


def test_the_public_names_are_known_without_airflow() -> None:
    import dapu.airflow

    with pytest.raises(AttributeError):
        dapu.airflow.__getattr__("DapuTask")
    assert "DapuDag" in dapu.airflow.__all__
