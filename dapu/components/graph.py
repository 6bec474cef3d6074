"""The tasks and what depends on what, as one JSON file for schedulers that plan by themselves."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor as Cursor

from dapu.registry.selectors import Selectable, selectable
from dapu.registry.store import Registry
from dapu.registry.version import check_registry, registry_of
from dapu.warehouse.warehouse import Warehouse

FORMAT = 1


def read_graph(warehouse: Warehouse) -> dict[str, Any]:
    """The registered tasks. It holds no time, so that the same tasks give the same file."""
    registry = registry_of(warehouse)
    with warehouse.session("graph") as session, session.cursor() as cursor:
        check_registry(cursor, registry)
        return {
            "format": FORMAT,
            "warehouse": warehouse.name,
            "tasks": _tasks(cursor, registry),
        }


def _tasks(cursor: Cursor, registry: Registry) -> list[dict[str, Any]]:
    found = selectable(cursor, registry)
    known = {one.task for one in found}
    return [_task(one, known) for one in found]


def _task(one: Selectable, known: set[str]) -> dict[str, Any]:
    masters = [master for master in one.masters if master in known]
    return {"task": one.task, "masters": masters, "tags": one.tags}


def as_text(graph: dict[str, Any]) -> str:
    """The graph as JSON, a task a line: git shows what changed."""
    head = {name: value for name, value in graph.items() if name != "tasks"}
    tasks = ",\n".join(json.dumps(task, ensure_ascii=False) for task in graph["tasks"])
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "tasks": [\n{tasks}\n]}}\n'


def write_graph(graph: dict[str, Any], file: Path) -> bool:
    """Replaces the file whole, where it says something else; returns whether it did."""
    text = as_text(graph)
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return False
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    return True
