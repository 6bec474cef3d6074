"""`Lineage`: what a table is made of and what is made of it, with how each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dapu.lineage.graph import Impact, LineageGraph, Neighbour, table_of
from dapu.pages.all_tasks import BAD, AllTasks
from dapu.pages.drawing import Drawing, draw
from dapu.pages.frame import Reading
from dapu.registry.overview import Overview
from dapu.registry.why import Why, reasons

SOURCE, UNKNOWN = "source", "not registered"
_LISTED = 300  # tables above, and below, each in a line
_EXPLAINED = 20  # tables in trouble, each with its reason
_FOUND = 100  # tables to begin with


class Node(NamedTuple):
    """A table of the walk.

    task: that makes it; None for a table of a source. condition: of the task, in a word.
    steps, via, by: see Neighbour.
    """

    table: str
    task: str | None
    condition: str
    steps: int
    via: str
    by: str
    done_at: datetime | None

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at it."""
        return self.condition in BAD


class Trouble(NamedTuple):
    """A table above that failed or is late: what is wrong, and why it does not run now."""

    node: Node
    what: str
    since: datetime | None
    why: str


class MadeOf(NamedTuple):
    """A column, and what it is made of: tables with their tasks, and a column of each."""

    name: str
    origins: list[tuple[str, str | None, str]]


@dataclass(frozen=True)
class Walk:
    """What is above and below a table, the nearest first, those in trouble before others."""

    task: str
    condition: str
    above: list[Node]
    below: list[Node]
    drawing: Drawing | None

    @property
    def table(self) -> str:
        """`schema.table`."""
        return table_of(self.task)

    @property
    def troubled(self) -> list[Node]:
        """Those above that failed or are late."""
        return [node for node in self.above if node.is_bad]


@dataclass(frozen=True)
class LineagePage:
    """The walk from one table.

    why: why its own task does not run now. trouble: the first of those above.
    is_known: its files have no fault. is_whole: all of its SQL could be read.
    impact: what depends on `column`, where one is asked for.
    """

    walk: Walk
    why: Why | None
    trouble: list[Trouble]
    columns: list[MadeOf]
    is_known: bool
    is_whole: bool
    column: str
    impact: Impact | None
    listed: int = _LISTED


@dataclass(frozen=True)
class LineageStart:
    """Where no table is chosen yet. found: tables that fit the search. fault: of the search."""

    search: str
    found: list[Node]
    total: int
    fault: str = ""
    is_reading: bool = False


def walk_from(graph: LineageGraph, known: AllTasks, task: str) -> Walk:
    """What is above and below a task's table."""
    above = _nodes(graph.upstream(task), known)
    below = _nodes(graph.downstream(task), known)
    own = Node(table_of(task), task, _condition(known, task), 0, "", "", None)
    drawing = draw(graph, own, above, below) if above or below else None
    return Walk(task, own.condition, above, below, drawing)


def made_of(graph: LineageGraph, task: str) -> list[MadeOf]:
    """The columns of a task's table, as far as its SQL says, and what each is made of."""
    if task not in graph.tasks:
        return []
    return [
        MadeOf(
            one.name or "?",
            [
                (table, graph.by_table.get(table), name)
                for table, name in graph.origins(one)
                if table
            ],
        )
        for one in graph.tasks[task].outputs
    ]


def lineage_page(
    reading: Reading, graph: LineageGraph, known: AllTasks, name: str, column: str = ""
) -> LineagePage | None:
    """The page of a task, or of the one whose table it is; None where there is none."""
    task = name if name in known.by_name else graph.by_table.get(name, name)
    is_known = task in graph.tasks
    if not is_known and task not in known.by_name:
        return None
    walk = walk_from(graph, known, task)
    troubled = walk.troubled[:_EXPLAINED]
    names = [task, *(node.task for node in troubled if node.task)]
    settings = reading.warehouse.settings
    why = reasons(reading.cursor, reading.registry, settings, names, reading.frame.at)
    return LineagePage(
        walk,
        why.get(task),
        [_trouble(node, known, why) for node in troubled],
        made_of(graph, task),
        is_known,
        is_known and graph.tasks[task].is_whole,
        column,
        graph.impact(task, column) if column and is_known else None,
    )


def lineage_start(known: AllTasks, search: str) -> LineageStart:
    """Tables to begin with, those in trouble first.

    Raises ConfigurationError for a selector that names none.
    """
    found = known.chosen(search, "")
    nodes = [_node(table_of(one.task), one.task, known) for one in found[:_FOUND]]
    return LineageStart(search, nodes, len(found))


def _nodes(found: Sequence[Neighbour], known: AllTasks) -> list[Node]:
    nodes = [
        _node(one.table, one.task, known)._replace(steps=one.steps, via=one.via, by=one.by)
        for one in found
    ]
    return sorted(nodes, key=lambda node: (not node.is_bad, node.steps, node.table))


def _node(table: str, task: str | None, known: AllTasks) -> Node:
    overview = known.by_name.get(task or "")
    done_at = overview.last_done_at if overview else None
    return Node(table, task, _condition(known, task), 0, "", "", done_at)


def _condition(known: AllTasks, task: str | None) -> str:
    return known.conditions.get(task, UNKNOWN) if task is not None else SOURCE


def _trouble(node: Node, known: AllTasks, why: dict[str, Why]) -> Trouble:
    overview = known.by_name[str(node.task)]
    what, since = _what(overview, known.at)
    reason = why.get(overview.task)
    return Trouble(node, what, since, reason.sentence if reason else "")


def _what(overview: Overview, at: datetime) -> tuple[str, datetime | None]:
    """What is wrong with a task, and since when."""
    late = overview.late_since(at)
    if overview.condition(at) == "late" and late:
        return late
    if overview.state == "faulty":
        return f"a fault in its files: {overview.fault}", None
    message = overview.now_message if overview.now and overview.tries else overview.message
    return message or "its last run did not end well", overview.last_ended_at
