"""`depends: auto`: what a task depends on is what its SQL reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from dapu.definitions.catalogue import Catalogue
from dapu.definitions.models import AUTO
from dapu.definitions.reader import Definition
from dapu.errors import Fault
from dapu.lineage.facts import Facts
from dapu.warehouse.connection_kinds import Connection


def fill_in_depends(
    catalogue: Catalogue,
    connections: Mapping[str, Connection],
    masters: Mapping[str, Collection[str]],
) -> None:
    """Gives the definitions with `depends: auto` their masters.

    masters: what each registered task depends on. One that is as it was registered, masters
    included, is no longer among the definitions. A task whose SQL cannot be read is faulty.
    """
    wanted = {t: one for t, one in catalogue.definitions.items() if one.task.depends == AUTO}
    if not wanted:
        return
    from dapu.lineage.task_facts import facts_of
    from dapu.lineage.warehouse_facts import dialects_of

    dialects = dialects_of(connections)
    owners = {
        task.partition(".")[2]: task for task in (*catalogue.unchanged, *catalogue.definitions)
    }
    for task, definition in wanted.items():
        facts = facts_of(definition, catalogue.routes[definition.folder.route], dialects)
        if facts.problems or not facts.is_whole:
            catalogue.leave_out(task, _fault(definition, facts))
            continue
        read = (owners.get(one.table) for one in facts.reads if one.table != facts.table)
        depends = list(dict.fromkeys(master for master in read if master is not None))
        is_registered = catalogue.registered.get(task) == definition.hash
        if is_registered and sorted(depends) == sorted(masters.get(task, ())):
            del catalogue.definitions[task]
            catalogue.unchanged.add(task)
        else:
            filled = definition.task.model_copy(update={"depends": depends})
            catalogue.definitions[task] = replace(definition, task=filled)


def _fault(definition: Definition, facts: Facts) -> Fault:
    hint = "`depends: auto` needs SQL that says all it reads; name the tasks"
    for problem in facts.problems:
        file = definition.folder.path / problem.place.file
        return Fault(file, problem.place.line, f"{problem.message}: {hint}")
    return Fault(definition.folder.file, 1, f"not all of its SQL can be read: {hint}")
