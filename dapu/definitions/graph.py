"""Cycles among tasks that depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def find_cycles(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """Cycles of a graph, each as its nodes in order; no two of them share a node.

    Every group of nodes that reach each other gives one at least. Depth-first search without
    recursion: a chain of tasks may be long.
    """
    done: set[str] = set()
    cycles: list[list[str]] = []
    for start in sorted(graph):
        if start not in done:
            cycles += _cycles_from(start, graph, done)
    return _distinct(cycles)


def _cycles_from(start: str, graph: Mapping[str, list[str]], done: set[str]) -> list[list[str]]:
    """The cycles met on the way from a node; what was passed is added to `done`."""
    path, on_path = [start], {start: 0}
    ahead: list[Iterator[str]] = [iter(graph[start])]
    cycles = []
    while ahead:
        step = next(ahead[-1], None)
        if step is None:
            ahead.pop()
            node = path.pop()
            del on_path[node]
            done.add(node)
        elif step in on_path:
            cycles.append(path[on_path[step] :])
        elif step in graph and step not in done:
            on_path[step] = len(path)
            path.append(step)
            ahead.append(iter(graph[step]))
    return cycles


def _distinct(cycles: list[list[str]]) -> list[list[str]]:
    """Without those that share a task with one before them: one message a task is enough."""
    taken: set[str] = set()
    distinct = []
    for cycle in cycles:
        if not taken & set(cycle):
            distinct.append(cycle)
            taken |= set(cycle)
    return distinct
