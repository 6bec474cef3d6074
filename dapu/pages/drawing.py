"""The walk from a table as a drawing: a column of boxes for each step, and lines between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dapu.lineage.graph import LineageGraph, Step

if TYPE_CHECKING:
    from dapu.pages.lineage import Node

_COLUMNS = 6  # that fit on a wide screen
_BELOW = 2  # of them below the table, where there are any
_ROWS = 8  # boxes in a column
_WIDTH, _HEIGHT = 168, 44  # of a box, in pixels
_ACROSS, _DOWN = 38, 12  # between boxes
_EDGE = 3  # around all, for the mark of what has the focus
_TABLE, _SCHEMA = 19, 12  # characters that fit


class Box(NamedTuple):
    """A table in the drawing."""

    x: int
    y: int
    node: Node

    @property
    def place(self) -> str:
        """The schema, or the connection of a source."""
        return _short(_parts(self.node.table)[0], _SCHEMA)

    @property
    def name(self) -> str:
        """The table, as far as it fits."""
        return _short(_parts(self.node.table)[1], _TABLE)


class More(NamedTuple):
    """That a column has more tables than it shows. is_above: they are in the list of those."""

    x: int
    y: int
    number: int
    is_above: bool


class Line(NamedTuple):
    """That one table is read for another. path: of the SVG. is_bad: it brings trouble."""

    path: str
    is_bad: bool


@dataclass(frozen=True)
class Drawing:
    """All of it; boxes in the order in which a keyboard walks through them."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[Line]
    more: list[More]
    box_width: int = _WIDTH
    box_height: int = _HEIGHT


def draw(graph: LineageGraph, own: Node, above: Sequence[Node], below: Sequence[Node]) -> Drawing:
    """The drawing. above, below: those in trouble first, as boxes stand in their columns."""
    columns, hidden = _columns(graph, own, above, below)
    first, last = min(columns), max(columns)
    rows = max(len(nodes) + (hidden[step] > 0) for step, nodes in columns.items())
    height = rows * (_HEIGHT + _DOWN) - _DOWN
    boxes: list[Box] = []
    more: list[More] = []
    for step in range(first, last + 1):
        x = _EDGE + (step - first) * (_WIDTH + _ACROSS)
        taken = (len(columns[step]) + (hidden[step] > 0)) * (_HEIGHT + _DOWN) - _DOWN
        y = _EDGE + (height - taken) // 2
        for node in columns[step]:
            boxes.append(Box(x, y, node))
            y += _HEIGHT + _DOWN
        if hidden[step]:
            more.append(More(x, y, hidden[step], step < 0))
    width = (last - first + 1) * (_WIDTH + _ACROSS) - _ACROSS
    lines = sorted(_lines(graph, boxes, _troubled(graph, own, above)), key=lambda one: one.is_bad)
    return Drawing(width + 2 * _EDGE, height + 2 * _EDGE, boxes, lines, more)


def _columns(
    graph: LineageGraph, own: Node, above: Sequence[Node], below: Sequence[Node]
) -> tuple[dict[int, list[Node]], dict[int, int]]:
    """The boxes of each column, from the farthest above on, and how many more each has."""
    after = min(max((node.steps for node in below), default=0), _BELOW)
    before = min(max((node.steps for node in above), default=0), _COLUMNS - 1 - after)
    columns: dict[int, list[Node]] = {step: [] for step in range(-before, after + 1)}
    columns[0] = [own]
    for sign, nodes in ((-1, above), (1, below)):
        for node in nodes:
            if sign * node.steps in columns:
                columns[sign * node.steps].append(node)
    hidden = {step: max(len(nodes) - _ROWS, 0) for step, nodes in columns.items()}
    ranks: dict[str, float] = {own.table: 0.5}
    for step in sorted(columns, key=abs):
        towards = graph.read_by if step < 0 else graph.reads
        chosen = columns[step][:_ROWS]
        if step:
            chosen.sort(key=lambda node: (not node.is_bad, _rank(node, towards, ranks), node.table))
        columns[step] = chosen
        ranks |= {node.table: (at + 0.5) / len(chosen) for at, node in enumerate(chosen)}
    return columns, hidden


def _rank(node: Node, towards: Mapping[str, list[Step]], ranks: dict[str, float]) -> float:
    """How far down its column it would stand best: beside what it is connected with."""
    found = [ranks[table] for table, _ in towards.get(node.table, ()) if table in ranks]
    return sum(found) / len(found) if found else 1.0


def _troubled(graph: LineageGraph, own: Node, above: Sequence[Node]) -> set[str]:
    """The tables above that are in trouble, or have such a table above them."""
    ours = {node.table for node in above}
    ahead = [node.table for node in above if node.is_bad]
    met = set(ahead)
    for table in ahead:
        for reader, _ in graph.read_by.get(table, ()):
            if reader in ours and reader not in met:
                met.add(reader)
                ahead.append(reader)
    return met - {own.table}


def _lines(graph: LineageGraph, boxes: Sequence[Box], troubled: set[str]) -> Iterator[Line]:
    places = {box.node.table: box for box in boxes}
    for box in boxes:
        for table, _ in graph.reads.get(box.node.table, ()):
            master = places.get(table)
            if master is not None and master is not box:
                yield Line(_path(master, box), table in troubled)


def _path(one: Box, other: Box) -> str:
    """From the right of a box to the left of another, or around where they stand in one column."""
    half = _HEIGHT // 2
    if one.x < other.x:
        x, y, to, at = one.x + _WIDTH, one.y + half, other.x, other.y + half
        bend = max((to - x) // 2, _ACROSS // 2)
        return f"M{x} {y}C{x + bend} {y} {to - bend} {at} {to} {at}"
    y, at, bend = one.y + half, other.y + half, _ACROSS - 8
    return f"M{one.x} {y}C{one.x - bend} {y} {other.x - bend} {at} {other.x} {at}"


def _parts(table: str) -> tuple[str, str]:
    """Schema and table; of a source its connection, and what it is called there."""
    mark = ":" if ":" in table else "."
    before, _, name = table.partition(mark)
    return before, name


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
