"""All definitions of a warehouse, judged together: what is new, unchanged, or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dapu.definitions.folders import Scan, TaskFolder
from dapu.definitions.models import Route
from dapu.definitions.reader import Definition, DefinitionReader
from dapu.errors import Fault, FaultyFile
from dapu.yamlfile import line_of, nearest, read_text


@dataclass
class Catalogue:
    """The tasks below routes/ as they are now.

    definitions: those that are new or changed, and right.
    unchanged: ids of those that are as they were registered.
    faulty: what is wrong, by task id; these are in neither of the two.
    untouched_routes: routes that the Registrar is to leave alone.
    """

    routes: dict[str, Route] = field(default_factory=dict)
    definitions: list[Definition] = field(default_factory=list)
    unchanged: set[str] = field(default_factory=set)
    faulty: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    untouched_routes: set[str] = field(default_factory=set)

    def leave_out(self, definition: Definition, fault: Fault) -> None:
        """Takes a definition out, for what is wrong with it."""
        self.definitions.remove(definition)
        self.add_fault(definition.folder.id, [fault])

    def add_fault(self, task: str, faults: list[Fault]) -> None:
        """Notes that a task is faulty."""
        self.unchanged.discard(task)
        self.faulty[task] = "\n".join(map(str, faults))
        self.faults += faults


def compile_catalogue(
    found: Scan,
    reader: DefinitionReader,
    known: Mapping[str, str],
    masters: Mapping[str, list[str]],
) -> Catalogue:
    """Reads what is new or changed, and checks how all tasks depend on each other.

    known: hash of each task that is registered and right.
    masters: what each registered task depends on.
    """
    catalogue = Catalogue(routes=found.routes, faults=list(found.faults))
    catalogue.untouched_routes = {
        name for name, route in found.routes.items() if "registrar" in route.disabled
    }
    for task, folder in found.tasks.items():
        if folder.route not in catalogue.untouched_routes:
            _read(folder, found.routes[folder.route], reader, known.get(task), catalogue)
    _Dependencies(catalogue, found, known, masters).check()
    return catalogue


def _read(
    folder: TaskFolder,
    route: Route,
    reader: DefinitionReader,
    known_hash: str | None,
    catalogue: Catalogue,
) -> None:
    if known_hash is not None and reader.hash(folder, route) == known_hash:
        catalogue.unchanged.add(folder.id)
        return
    try:
        definition = reader.read(folder, route)
    except FaultyFile as error:
        catalogue.add_fault(folder.id, error.faults)
        return
    if definition.task.status == "active":
        catalogue.definitions.append(definition)


@dataclass
class _Dependencies:
    catalogue: Catalogue
    found: Scan
    known: Mapping[str, str]
    masters: Mapping[str, list[str]]

    def check(self) -> None:
        """Leaves out what depends on something that is not there, until nothing more falls."""
        self._leave_out_cycles()
        while faults := list(self._missing()):
            for task, master in faults:
                self._fail(task, f"depends on {master}, {self._why_missing(master)}")

    def _missing(self) -> Iterator[tuple[str, str]]:
        graph = self._graph()
        there = set(graph) | {
            task for task in self.known if task.partition(".")[0] in self.catalogue.untouched_routes
        }
        # A registered master that is faulty now keeps its place: its dependents wait for it.
        there |= {task for task in self.catalogue.faulty if task in self.masters_registered()}
        for task, masters in graph.items():
            for master in masters:
                if master not in there:
                    yield task, master
                    break

    def masters_registered(self) -> set[str]:
        """Tasks that stand in the registry, faulty ones among them."""
        return set(self.known) | {m for masters in self.masters.values() for m in masters}

    def _graph(self) -> dict[str, list[str]]:
        graph = {task: list(self.masters.get(task, [])) for task in self.catalogue.unchanged}
        graph |= {one.folder.id: one.task.depends for one in self.catalogue.definitions}
        return graph

    def _leave_out_cycles(self) -> None:
        for cycle in find_cycles(self._graph()):
            text = " -> ".join([*cycle, cycle[0]])
            for task in cycle:
                self._fail(task, f"depends on itself in a cycle: {text}")

    def _fail(self, task: str, message: str) -> None:
        folder = self.found.tasks[task]
        fault = Fault(folder.file, line_of(read_text(folder.file), ("depends",)), message)
        for definition in self.catalogue.definitions:
            if definition.folder.id == task:
                self.catalogue.leave_out(definition, fault)
                return
        self.catalogue.add_fault(task, [fault])

    def _why_missing(self, master: str) -> str:
        if master in self.catalogue.faulty:
            return "which has a fault itself"
        if master in self.found.tasks:
            return "whose status is not `active`"
        return f"which is no task{nearest(master, self.found.tasks)}"


def find_cycles(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """The cycles of a graph, one for each group of nodes that reach each other.

    Depth-first search without recursion: a chain of tasks may be long.
    """
    done: set[str] = set()
    cycles: list[list[str]] = []
    for start in sorted(graph):
        path: list[str] = []
        on_path: dict[str, int] = {}
        stack: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            _enter(start, graph, path, on_path, stack)
        while stack:
            node, following = stack[-1]
            step = next(following, None)
            if step is None:
                stack.pop()
                path.pop()
                del on_path[node]
                done.add(node)
            elif step in on_path:
                cycles.append(path[on_path[step] :])
            elif step in graph and step not in done:
                _enter(step, graph, path, on_path, stack)
    return _distinct(cycles)


def _enter(
    node: str,
    graph: Mapping[str, list[str]],
    path: list[str],
    on_path: dict[str, int],
    stack: list[tuple[str, Iterator[str]]],
) -> None:
    on_path[node] = len(path)
    path.append(node)
    stack.append((node, iter(graph[node])))


def _distinct(cycles: list[list[str]]) -> list[list[str]]:
    """Without those that share a task with one before them: one message a task is enough."""
    taken: set[str] = set()
    distinct = []
    for cycle in cycles:
        if not taken & set(cycle):
            distinct.append(cycle)
            taken |= set(cycle)
    return distinct
