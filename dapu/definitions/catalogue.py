"""All definitions of a warehouse, judged together: what is new, unchanged, or wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from dapu.definitions.folders import ROUTE_FILE, Scan, TaskFolder
from dapu.definitions.graph import find_cycles
from dapu.definitions.models import Route
from dapu.definitions.reader import Definition, DefinitionReader
from dapu.errors import Fault, FaultyFile
from dapu.suggest import nearest
from dapu.warehouse.connections import FILE as CONNECTIONS_FILE
from dapu.warehouse.yamlfile import Document, read_document

_MOST_NEAREST = 20


@dataclass
class Catalogue:
    """The tasks below routes/ as they are now.

    registered: for each task in the registry its hash; None where it must be read anew.
    definitions: those that are new or changed, and right.
    unchanged: ids of those that are as they were registered.
    faulty: what is wrong, by task id; these are in neither of the two.
    postponed: ids of those that are right, but must stay for now as they were registered.
    """

    found: Scan
    registered: Mapping[str, str | None]
    routes: dict[str, Route] = field(default_factory=dict)
    faulty_routes: dict[str, list[Fault]] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    faulty: dict[str, list[Fault]] = field(default_factory=dict)
    postponed: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[Fault]:
        """All that is wrong, each once: tasks may share the fault of what they inherit."""
        lists = [self.found.faults, *self.faulty_routes.values(), *self.faulty.values()]
        return list(dict.fromkeys(fault for faults in lists for fault in faults))

    @property
    def gone(self) -> list[str]:
        """Registered tasks that are defined no more; a faulty one is still defined."""
        there = self.unchanged.union(self.definitions, self.faulty, self.postponed)
        return [task for task in self.registered if task not in there and not self.is_left(task)]

    def is_left(self, task: str) -> bool:
        """Whether the Registrar is to leave the task's route as it is."""
        route = self.routes.get(task.partition(".")[0])
        return route is not None and "registrar" in route.disabled

    def leave_out(self, task: str, *faults: Fault) -> None:
        """Takes a task out, for what is wrong with it."""
        self.unchanged.discard(task)
        self.definitions.pop(task, None)
        self.faulty[task] = list(faults)

    def postpone(self, task: str) -> None:
        """Takes a task out that cannot be registered now."""
        del self.definitions[task]
        self.postponed.append(task)


def read_catalogue(
    found: Scan,
    reader: DefinitionReader,
    connections: Collection[str],
    registered: Mapping[str, str | None],
) -> Catalogue:
    """Reads what is new or changed; `check_dependencies` is to be called after it.

    connections: the names of those in connections.yaml.
    registered: for each task in the registry its hash; None where it must be read anew.
    """
    catalogue = Catalogue(found, registered, faulty_routes=dict(found.faulty_routes))
    for name, route in found.routes.items():
        if route.connection in connections:
            catalogue.routes[name] = route
        else:
            document = read_document(found.root / name / ROUTE_FILE)
            fault = _unknown_connection(document, route.connection, connections, "connection")
            catalogue.faulty_routes[name] = [fault]
    for task, faults in found.faulty_tasks.items():
        if not catalogue.is_left(task):
            catalogue.leave_out(task, *faults)
    for folder in _without_doubles(catalogue):
        if folder.route in catalogue.faulty_routes:
            catalogue.leave_out(folder.id, *catalogue.faulty_routes[folder.route])
        elif not catalogue.is_left(folder.id):
            _read(folder, reader, connections, catalogue)
    return catalogue


def _read(
    folder: TaskFolder,
    reader: DefinitionReader,
    connections: Collection[str],
    catalogue: Catalogue,
) -> None:
    route, known_hash = catalogue.routes[folder.route], catalogue.registered.get(folder.id)
    try:
        is_known = known_hash is not None and reader.hash(folder, route) == known_hash
        if is_known and not reader.may_be_auto(folder, route):
            catalogue.unchanged.add(folder.id)
            return
        definition = reader.read(folder, route)
    except FaultyFile as error:
        catalogue.leave_out(folder.id, *error.faults)
        return
    if definition is not None:
        catalogue.definitions[folder.id] = definition
        faults = list(_connection_faults(definition, connections))
        if faults:
            catalogue.leave_out(folder.id, *faults)


def _connection_faults(definition: Definition, known: Collection[str]) -> Iterator[Fault]:
    for position, action in enumerate(definition.task.actions):
        for option, name in action.connections.items():
            if name is not None and name not in known:
                document = read_document(definition.folder.file)
                steps = ("actions", position, option)
                yield _unknown_connection(document, name, known, *steps)


def _unknown_connection(
    document: Document, name: str, known: Collection[str], *steps: int | str
) -> Fault:
    message = f"there is no connection `{name}` in {CONNECTIONS_FILE}{nearest(name, known)}"
    return document.fault(message, *steps)


def _without_doubles(catalogue: Catalogue) -> Iterator[TaskFolder]:
    """Two tasks may not fill one table: a registered one keeps it, else the first has it."""
    registered, tasks = catalogue.registered, catalogue.found.tasks
    owners = {_table_of(task): task for task in registered if catalogue.is_left(task)}
    for task in sorted(tasks, key=lambda task: task not in registered):
        owner = owners.setdefault(_table_of(task), task)
        if owner == task:
            yield tasks[task]
        else:
            message = f"duplicate: {_table_of(task)} is the table of {owner} already"
            catalogue.leave_out(task, Fault(tasks[task].file, 1, message))


def _table_of(task: str) -> str:
    return task.partition(".")[2]


def check_dependencies(catalogue: Catalogue, masters: Mapping[str, list[str]]) -> None:
    """Leaves out what depends on something that does not exist, until nothing more falls.

    masters: what each registered task depends on.
    """
    graph = {task: masters.get(task, []) for task in catalogue.unchanged}
    graph |= {task: one.task.depends for task, one in catalogue.definitions.items()}
    for cycle in find_cycles(graph):
        text = " -> ".join([*cycle, cycle[0]])
        for task, master in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            _leave_out(catalogue, task, master, f"in a cycle: {text}")
    reasons: dict[str, str] = {}
    while missing := list(_missing(catalogue, graph)):
        for task, master in missing:
            if master not in reasons:
                # To look for the nearest of thousands of ids takes a while.
                near = catalogue.found.tasks if len(reasons) < _MOST_NEAREST else ()
                reasons[master] = _why_missing(catalogue, master, near)
            _leave_out(catalogue, task, master, reasons[master])


def _missing(catalogue: Catalogue, graph: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """(task, master) where the master does not exist, one for each task.

    A registered master that is faulty now exists: its dependents wait until it is fixed.
    """
    present = catalogue.unchanged | set(catalogue.definitions)
    waited_for = {
        task for task in catalogue.registered if task in catalogue.faulty or catalogue.is_left(task)
    }
    for task in present:
        for master in graph[task]:
            if master not in present and master not in waited_for:
                yield task, master
                break


def _leave_out(catalogue: Catalogue, task: str, master: str, why: str) -> None:
    document = read_document(catalogue.found.tasks[task].file)
    written = (document.parse() or {}).get("depends") or []
    steps = ("depends", written.index(master)) if master in written else ("depends",)
    catalogue.leave_out(task, document.fault(f"depends on {master}, {why}", *steps))


def _why_missing(catalogue: Catalogue, master: str, near: Collection[str]) -> str:
    found = catalogue.found
    if master in catalogue.faulty:
        return "which has a fault itself"
    if master in found.to_delete:
        return "which tasks_to_delete.txt takes away"
    if catalogue.is_left(master):
        return "which is not registered, and its route has `disabled: [registrar]`"
    if master in found.tasks:
        return "whose status is not `active`"
    return f"which is not a task{nearest(master, near)}"
