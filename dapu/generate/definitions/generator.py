"""Tasks from what a source has: written once, and brought up to date without undoing a person.

A file is rewritten while it is as it was generated. A step in ver/ never is: what the source gained
becomes the next step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dapu.definitions.folders import ROUTE_FILE, TASK_FILE, name_fault
from dapu.definitions.steps import read_steps
from dapu.errors import ConfigurationError, JobError
from dapu.generate.definitions.names import name_table
from dapu.generate.definitions.open_tables import open_tables
from dapu.generate.definitions.record import (
    FILE,
    GeneratedRecord,
    RecordedColumn,
    checksum,
    read_record,
)
from dapu.generate.definitions.rendering import ADD_COLUMN, CREATE, Templates
from dapu.generate.definitions.source_table import (
    Offered,
    Table,
    TableColumn,
    Tables,
    choose_loading,
)
from dapu.loading.modes.history import HISTORY_COLUMNS
from dapu.sources.discovery import connection_of
from dapu.suggest import nearest
from dapu.warehouse.warehouse import Warehouse

EXTRACT = "extract.sql"
Outcome = Literal["route made", "new", "changed", "unchanged", "kept", "failed", "gone"]


@dataclass(frozen=True)
class WantedTables:
    """What is to be generated.

    route: its folder below routes/; a connection of that name makes one.
    tables, exclude: patterns of the source's tables. load: None: as before, else `replace`.
    table: the name of the one table's own; None: after the source.
    """

    route: str
    schema: str
    tables: Sequence[str] = ()
    exclude: Sequence[str] = ()
    load: str | None = None
    templates: Path | None = None
    table: str | None = None


@dataclass(frozen=True)
class Generated:
    """What becomes of one task.

    files: the texts to write, by their paths. notes: what a person is to know or to do.
    """

    task: str
    outcome: Outcome
    files: dict[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def generate(warehouse: Warehouse, wanted: WantedTables) -> Iterator[Generated]:
    """What would be written for each table of the source, in the order of their names.

    Raises ConfigurationError for an unknown route, or where no table matches; FaultyFile when a
    template fails; JobError when the source does not answer.
    """
    for name, what in ((wanted.route, "route"), (wanted.schema, "schema")):
        check_name(name, what)
    templates = Templates(wanted.templates)
    connection = connection_of(warehouse, wanted.route)
    with closing(open_tables(warehouse, connection)) as tables:
        generator = _Generator(warehouse, wanted, templates, tables)
        chosen = generator.chosen()
        path = warehouse.folder / "routes" / wanted.route / ROUTE_FILE
        if not path.is_file():
            yield Generated(wanted.route, "route made", {path: f"connection: {connection}\n"})
        for offered in chosen:
            yield generator.generate(offered)
        if wanted.table is None:
            yield from generator.gone()


def check_name(name: str, what: str) -> None:
    """Raises ConfigurationError for what cannot be the name of a route, schema or table."""
    fault = name_fault(name, what)
    if fault is not None:
        raise ConfigurationError(fault)


def write(generated: Generated) -> None:
    """Writes the files of a task."""
    for path, text in generated.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class _Generator:
    def __init__(
        self, warehouse: Warehouse, wanted: WantedTables, templates: Templates, tables: Tables
    ) -> None:
        self._wanted, self._templates, self._tables = wanted, templates, tables
        self._routes = warehouse.folder / "routes"
        self._schema = self._routes / wanted.route / wanted.schema

    @cached_property
    def _records(self) -> dict[str, tuple[Path, GeneratedRecord]]:
        """The folders that were generated, by what they read."""
        found = {}
        for path in sorted(self._schema.glob(f"*/{FILE}")):
            record = read_record(path.parent)
            if record is not None:
                found[record.source] = path.parent, record
        return found

    @cached_property
    def _offered(self) -> Sequence[Offered]:
        return self._tables.offered()

    def chosen(self) -> list[Offered]:
        """The tables that the patterns mean. Raises ConfigurationError when there is none."""
        wanted = self._wanted
        chosen = [
            one
            for one in self._offered
            if (not wanted.tables or _matches(one, wanted.tables))
            and not _matches(one, wanted.exclude)
        ]
        if wanted.table is not None:  # one is meant, perhaps of two that differ in case
            exact = [one for one in chosen if fnmatchcase(one.label, wanted.tables[0])]
            chosen = exact or chosen
        if wanted.table is not None and len(chosen) > 1:
            names = ", ".join(one.label for one in chosen)
            raise ConfigurationError(f"several are meant: {names}; give the whole name of one")
        if not chosen:
            what = " and ".join(f"`{one}`" for one in wanted.tables) or "what is not excluded"
            near = nearest(wanted.tables[0], _words(self._offered)) if wanted.tables else ""
            raise ConfigurationError(f"the source of {wanted.route} has no table {what}{near}")
        return chosen

    def gone(self) -> Iterator[Generated]:
        """The tasks whose tables the source has no more."""
        there = {one.label for one in self._offered}
        for label, (folder, _) in self._records.items():
            if label not in there:
                yield Generated(self._id(folder), "gone", notes=(f"the source has no {label}",))

    def generate(self, offered: Offered) -> Generated:
        """What is to be written for a table."""
        folder, record = self._records.get(offered.label, (None, None))
        if folder is None:
            folder = self._new_folder(offered)
        task = self._id(folder)
        if record is None and folder.is_dir() and any(folder.iterdir()):
            return Generated(task, "kept", notes=("a person wrote it",))
        try:
            names = {source: one.name for source, one in record.columns.items()} if record else {}
            table = self._tables.describe(offered.label, names)
        except JobError as error:
            return Generated(task, "failed", notes=(str(error),))
        if record is None:
            return self._new(task, folder, table)
        return self._renewed(task, folder, table, record)

    def _id(self, folder: Path) -> str:
        return f"{self._wanted.route}.{self._wanted.schema}.{folder.name}"

    def _new_folder(self, offered: Offered) -> Path:
        if self._wanted.table is not None:
            return self._schema / self._wanted.table
        name = name_table(offered.names, self._taken)
        self._taken.add(name)
        return self._schema / name

    @cached_property
    def _taken(self) -> set[str]:
        """Names that mean other tables: generated from others, or of other routes.

        What a person wrote in this route under a table's name is most likely for this very table.
        """
        others = self._routes.glob(f"*/{self._wanted.schema}/*/{TASK_FILE}")
        of_others = {path.parent.name for path in others if path.parents[1] != self._schema}
        return of_others | {folder.name for folder, _ in self._records.values()}

    def _values(self, folder: Path, table: Table, load: str) -> dict[str, Any]:
        loading = choose_loading(table, load)
        history = loading.keys["load"] == "history"
        key = [*table.key, "valid_from"] if history else list(table.key)
        return {
            "table": table,
            "schema": self._wanted.schema,
            "table_name": folder.name,
            "load": loading.keys,
            "remark": loading.remark,
            "primary_key": key,
            "all_columns": [*table.columns, *(HISTORY_COLUMNS if history else ())],
        }

    def _rendered(self, values: dict[str, Any]) -> dict[str, str]:
        """The texts of the files that a new task has; a file without text is left out."""
        texts = {name: self._templates.render(name, values) for name in self._templates.names()}
        return {name: text for name, text in texts.items() if text.strip()}

    def _new(self, task: str, folder: Path, table: Table) -> Generated:
        load = self._wanted.load or table.usual_load
        texts = self._rendered(self._values(folder, table, load))
        record = GeneratedRecord(
            source=table.label,
            load=load,
            files={name: checksum(text) for name, text in texts.items()},
            columns={one.source: _recorded(one) for one in table.columns},
        )
        return Generated(task, "new", _paths(folder, {**texts, FILE: record.text()}))

    def _renewed(self, task: str, folder: Path, table: Table, record: GeneratedRecord) -> Generated:
        load = self._wanted.load or record.load
        added = [one for one in table.columns if one.source not in record.columns]
        notes = _retyped(table, record)
        if added and not record.is_untouched(folder, EXTRACT) and EXTRACT in record.files:
            names = ", ".join(one.source for one in added)
            why = f"the source has gained {names}; {EXTRACT} is no longer as it was generated, so "
            return Generated(task, "kept", notes=(*notes, why + "add what you want of it there"))
        values = self._values(folder, table, load)
        texts, kept = self._changed(folder, record, values)
        files = {**record.files, **{name: checksum(text) for name, text in texts.items()}}
        if added and (folder / CREATE).is_file():
            name = _next_step(folder)
            texts[name] = self._templates.render(ADD_COLUMN, values | {"added": added})
        columns = record.columns | {one.source: _recorded(one) for one in added}
        renewed = record.model_copy(update={"load": load, "files": files, "columns": columns})
        if renewed != record:
            texts[FILE] = renewed.text()
        outcome: Outcome = "changed" if texts else "unchanged"
        return Generated(task, outcome, _paths(folder, texts), (*notes, *kept))

    def _changed(
        self, folder: Path, record: GeneratedRecord, values: dict[str, Any]
    ) -> tuple[dict[str, str], list[str]]:
        """The files that are other texts now, and remarks on those that stay a person's."""
        texts, kept = {}, []
        for name, text in self._rendered(values).items():
            if name.startswith("ver/") or checksum(text) == record.files.get(name):
                continue
            is_new = name not in record.files and not (folder / name).exists()
            if is_new or record.is_untouched(folder, name):
                texts[name] = text
            else:
                kept.append(f"{name} stays as a person wrote it")
        return texts, kept


def _matches(offered: Offered, patterns: Sequence[str]) -> bool:
    """Whether a pattern means the table, by its whole name or by its name alone, in any case."""
    return any(
        fnmatchcase(text.lower(), one.lower()) for one in patterns for text in _words([offered])
    )


def _words(offered: Sequence[Offered]) -> list[str]:
    return [text for one in offered for text in (one.label, one.names[0])]


def _recorded(column: TableColumn) -> RecordedColumn:
    return RecordedColumn(name=column.name, type=column.type)


def _retyped(table: Table, record: GeneratedRecord) -> list[str]:
    """Remarks on columns whose type the source changed."""
    before = {source: one.type for source, one in record.columns.items()}
    return [
        f"{one.name} is {one.type} in the source now, and was {before[one.source]}: if its values "
        "do not fit, write a step that changes the table"
        for one in table.columns
        if one.source in before and before[one.source] != one.type
    ]


def _next_step(folder: Path) -> str:
    last = max(step.number for step in read_steps(folder / "ver"))
    return ADD_COLUMN.replace("NNN", f"{last + 1:03}")


def _paths(folder: Path, texts: dict[str, str]) -> dict[Path, str]:
    return {folder / name: text for name, text in texts.items()}
