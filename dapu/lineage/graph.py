"""The facts of all tasks together: what is above and below a task or column, and what is amiss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from dapu.definitions.models import AUTO
from dapu.lineage.facts import Facts, Origin, Output, Place, Use
from dapu.lineage.warehouse_facts import Links
from dapu.suggest import nearest

# What loads add to a table, beside the columns of the query.
_LOADER_COLUMNS = {
    *("_deleted_at", "valid_from", "valid_to", "is_current", "began_by", "ended_by"),
    *("_file", "_sheet", "_row"),
}


class Edge(NamedTuple):
    """That a task reads a table. by: where that is said."""

    task: str
    table: str
    by: Literal["sql", "depends"]


Step = tuple[str, Literal["sql", "depends"]]
"""To a table, and by where that is said."""


class Neighbour(NamedTuple):
    """A task or table above or below another; steps: how far."""

    steps: int
    table: str
    task: str | None
    via: str
    by: str


class Impact(NamedTuple):
    """What depends on a column.

    columns: (task, column) that are made of it, directly or not. uses: where SQL names it.
    unclear: tasks that read its table in a way that could not be understood.
    """

    columns: list[tuple[str, str]]
    uses: list[tuple[str, Use]]
    unclear: list[str]


@dataclass(frozen=True)
class Finding:
    """Something in a task's files. level: a fault is certain to fail; a note is to be looked at."""

    level: Literal["fault", "warning", "note"]
    task: str
    place: Place
    message: str


def table_of(task: str) -> str:
    """`schema.table` of a task."""
    return task.partition(".")[2]


@dataclass
class LineageGraph:
    """The facts and the links of all tasks, by task."""

    tasks: Mapping[str, Facts]
    links: Mapping[str, Links]
    _columns: dict[str, list[str] | None] = field(default_factory=dict)

    @cached_property
    def by_table(self) -> dict[str, str]:
        """The task of each table."""
        return {table_of(task): task for task in self.tasks}

    @cached_property
    def edges(self) -> list[Edge]:
        """Each table that a task reads, by its SQL or its `depends`."""
        return [edge for task in self.tasks for edge in self._edges_of(task)]

    def _edges_of(self, task: str) -> Iterator[Edge]:
        depends, tables = self.links[task]
        for table in tables:
            yield Edge(task, table, "sql")
        for master in depends:
            table = table_of(master)
            if table not in tables and depends != AUTO:
                yield Edge(task, table, "depends")

    def upstream(self, task: str) -> list[Neighbour]:
        """All that a task reads, directly or not, the nearest first."""
        return self._walk(table_of(task), self.reads)

    def downstream(self, task: str) -> list[Neighbour]:
        """All that reads a task's table, directly or not, the nearest first."""
        return self._walk(table_of(task), self.read_by)

    @cached_property
    def reads(self) -> dict[str, list[Step]]:
        """The tables that the task of each table reads."""
        found: dict[str, list[Step]] = {}
        for edge in self.edges:
            found.setdefault(table_of(edge.task), []).append((edge.table, edge.by))
        return found

    @cached_property
    def read_by(self) -> dict[str, list[Step]]:
        """The tables whose tasks read each table."""
        found: dict[str, list[Step]] = {}
        for edge in self.edges:
            found.setdefault(edge.table, []).append((table_of(edge.task), edge.by))
        return found

    def prepare(self) -> None:
        """Works out now what the first question would wait for."""
        for name in ("reads", "read_by", "by_table", "_column_readers"):
            getattr(self, name)

    def _walk(self, start: str, neighbours: Mapping[str, list[Step]]) -> list[Neighbour]:
        found: list[Neighbour] = []
        met, ahead = {start}, [(0, start)]
        for steps, table in ahead:
            for other, by in neighbours.get(table, ()):
                if other not in met:
                    met.add(other)
                    found.append(Neighbour(steps + 1, other, self.by_table.get(other), table, by))
                    ahead.append((steps + 1, other))
        return found

    def columns(self, table: str) -> list[str] | None:
        """The columns of a task's table; None where they are not all known."""
        if table not in self._columns:
            self._columns[table] = None  # a table that reads itself
            facts = self.tasks.get(self.by_table.get(table, ""))
            self._columns[table] = None if facts is None else self._columns_of(facts)
        return self._columns[table]

    def _columns_of(self, facts: Facts) -> list[str] | None:
        names: list[str] = []
        for one in facts.outputs:
            more = [one.name] if one.name != "*" else self.columns(one.origins[0][0][0])
            if more is None or "" in more:
                return None
            names += more
        return names if facts.is_complete and facts.outputs else None

    def origins(self, one: Output) -> list[Origin]:
        """What a column is made of, as far as the tables' columns say which."""
        found: list[Origin] = []
        for some in one.origins:
            found += [origin for origin in self._meant(some) if origin not in found]
        return found

    def _meant(self, some: list[Origin]) -> list[Origin]:
        if len(some) == 1:
            return some
        having = [(table, name) for table, name in some if name in (self.columns(table) or ())]
        may_be = [(table, name) for table, name in some if table and self.columns(table) is None]
        return having if having and not may_be else [*having, *may_be]

    def impact(self, task: str, column: str) -> Impact:
        """What depends on a column of a task's table, directly or not."""
        readers = self._column_readers
        met, ahead = dict[Origin, None](), [(self.tasks[task].table, column)]
        uses: list[tuple[str, Use]] = []
        for origin in ahead:
            found = [*readers.get(origin, ()), *readers.get((origin[0], "*"), ())]
            for reader, name in found:
                new = self.tasks[reader].table, origin[1] if name == "*" else name
                if new not in met and new != ahead[0]:
                    met[new] = None
                    ahead.append(new)
        wanted = set(ahead)
        tables = {table for table, _ in wanted}
        unclear: list[str] = []
        for name, facts in self.tasks.items():
            uses += [(name, use) for use in facts.uses if (use.table, use.column) in wanted]
            reads = any(one.table in tables for one in facts.reads)
            if not facts.is_whole and reads:
                unclear.append(name)
        columns = [(self.by_table[table], name) for table, name in met]
        return Impact(columns, uses, unclear)

    @cached_property
    def _column_readers(self) -> dict[Origin, list[tuple[str, str]]]:
        """For each column, the columns that are made of it."""
        found: dict[Origin, list[tuple[str, str]]] = {}
        for task, facts in self.tasks.items():
            for one in facts.outputs:
                for origin in self.origins(one):
                    found.setdefault(origin, []).append((task, one.name))
        return found

    def masters_of(self, task: str) -> list[str]:
        """The tasks whose tables its SQL reads: what `depends: auto` stands for."""
        found = (self.by_table.get(table) for table in self.links[task].tables)
        return [one for one in found if one is not None]

    def findings(self) -> list[Finding]:
        """What is amiss in the SQL of all tasks."""
        return [one for task in self.tasks for one in self._findings_of(task)]

    def _findings_of(self, task: str) -> Iterator[Finding]:
        facts = self.tasks[task]
        for problem in facts.problems:
            yield Finding(
                "warning", task, problem.place, f"SQL that cannot be read: {problem.message}"
            )
        yield from self._missing_columns(facts)
        yield from self._missing_tables(facts)
        yield from self._depends(facts)

    def _missing_columns(self, facts: Facts) -> Iterator[Finding]:
        said: set[Origin] = set()
        for use in facts.uses:
            known = self.columns(use.table)
            if known is None or use.column in known or use.column in _LOADER_COLUMNS:
                continue
            if use.table == facts.table or (use.table, use.column) in said:
                continue
            said.add((use.table, use.column))
            message = f"{use.table} has no column `{use.column}`{nearest(use.column, known)}"
            yield Finding("fault", facts.task, use.place, message)

    def _missing_tables(self, facts: Facts) -> Iterator[Finding]:
        """A table in a schema of tasks that no task makes; somebody may have, by hand."""
        for read in facts.reads:
            schema, _, _ = read.table.partition(".")
            if read.table in self.by_table or schema not in self._schemas or ":" in read.table:
                continue
            near = nearest(read.table, self.by_table)
            yield Finding("note", facts.task, read.place, f"no task makes {read.table}{near}")

    @cached_property
    def _schemas(self) -> set[str]:
        return {table.partition(".")[0] for table in self.by_table}

    def _depends(self, facts: Facts) -> Iterator[Finding]:
        if facts.depends == AUTO:
            return
        masters = self.masters_of(facts.task)
        above = self._above(facts.depends)
        reads = {one.table: one.place for one in facts.reads}
        for master in masters:
            if master not in above:
                place = reads[self.tasks[master].table]
                message = f"reads the table of {master}, which `depends` does not name"
                yield Finding("note", facts.task, place, message)
        if not facts.is_whole:
            return
        for master in facts.depends:
            if master in self.tasks and master not in masters:
                message = f"`depends` names {master}, whose table no SQL of the task reads"
                yield Finding("note", facts.task, Place("task.yaml", 1, 1), message)

    def _above(self, masters: Iterable[str]) -> set[str]:
        """Masters, and what they depend on."""
        met, ahead = set(masters), list(masters)
        for master in ahead:
            links = self.links.get(master)
            for other in links.depends if links else ():
                if other not in met:
                    met.add(other)
                    ahead.append(other)
        return met
