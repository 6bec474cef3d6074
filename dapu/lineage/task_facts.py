"""What the files of one task say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlglot import exp

from dapu.definitions.checks import Check
from dapu.definitions.folders import TASK_FILE
from dapu.definitions.models import AUTO, ActionOptions, Route
from dapu.definitions.reader import Definition
from dapu.definitions.steps import read_steps
from dapu.definitions.templates import read_template
from dapu.errors import FaultyFile
from dapu.lineage.facts import Facts, Output, Place, Problem, Read, Use
from dapu.lineage.statements import SqlText
from dapu.lineage.steps_columns import columns_after
from dapu.loading.options import LoadOptions
from dapu.statement import TableName
from dapu.warehouse.connections import MAIN

_TEMPORARY = "pg_temp"
_SOME_WATERMARK = "2000-01-01"  # what stands between `{% if watermark %}` and its end is read too
_POSTGRES = "postgres"


def facts_of(definition: Definition, route: Route, dialects: Mapping[str, str | None]) -> Facts:
    """Reads the SQL of a task.

    dialects: sqlglot's name for that of each connection; None where it has none.
    """
    return _TaskReading(definition, route, dialects).facts()


class _TaskReading:
    def __init__(
        self, definition: Definition, route: Route, dialects: Mapping[str, str | None]
    ) -> None:
        self._definition, self._route, self._dialects = definition, route, dialects
        folder = definition.folder
        self._table = f"{folder.schema}.{folder.table}"
        self._texts: list[SqlText] = []
        self._written: list[list[Output]] = []
        self._is_whole = True

    def facts(self) -> Facts:
        task = self._definition.task
        for options in task.actions:
            self._read_action(options)
        for check in task.checks:
            if check.sql:
                self._read_file(check.sql, _POSTGRES, MAIN, _names_of(None))
        related = [] if task.depends == AUTO else list(_related(task.checks, self._table))
        outputs, is_complete = self._outputs()
        return Facts(
            self._definition.folder.id,
            list(task.depends),
            [one for text in self._texts for one in text.problems],
            [*_known(one for text in self._texts for one in text.reads), *map(_read_of, related)],
            [*_known(one for text in self._texts for one in text.uses), *related],
            outputs,
            is_complete,
            self._is_whole and not any(text.is_opaque or text.problems for text in self._texts),
        )

    def _read_action(self, options: ActionOptions) -> None:
        connection = MAIN
        if options.do == "database":
            connection = options.connections["connection"] or self._route.connection
        dialect = _POSTGRES if connection == MAIN else self._dialects.get(connection)
        for file in options.sql_files():
            text = self._read_file(file, dialect, connection, _names_of(options))
            if text is None:
                continue
            if options.loads and text.outputs is not None:
                self._written.append(text.outputs)
            if self._table in text.writes:
                self._written.append(text.writes[self._table])
        self._is_whole &= not options.names  # such templates are filled when they run

    def _read_file(
        self, file: str, dialect: str | None, connection: str, names: Mapping[str, Any]
    ) -> SqlText | None:
        path = self._definition.folder.path / file
        try:
            template = read_template(path)
            text = template.render({**self._definition.step_names, **names}).readable()
        except FaultyFile:
            self._is_whole = False
            return None
        if dialect is None:
            return None
        prefix = "" if connection == MAIN else f"{connection}:"

        def name(table: exp.Table) -> str | None:
            if table.catalog or not table.db:
                return f"{prefix}{table.name}" if prefix else None
            return f"{prefix}{table.db}.{table.name}"

        found = SqlText(file, text, dialect, name).read()
        if template.tree is not None:
            _move(found, template.text)
        self._texts.append(found)
        return found

    def _outputs(self) -> tuple[list[Output], bool]:
        """The table's columns, and whether they are all."""
        found: dict[str, Output] = {}
        for outputs in self._written:
            for one in outputs:
                known = found.get(one.name)
                if one.name == "*":
                    found[f"* {one.origins}"] = one
                else:
                    found[one.name] = Output(
                        one.name, [*(known.origins if known else ()), *one.origins]
                    )
        folder = self._definition.folder.path / "ver"
        if not folder.is_dir():
            return list(found.values()), self._is_one_transform()
        columns = columns_after(read_steps(folder), self._definition.step_names, self._table)
        if columns is None:
            return list(found.values()), False
        stars = [one for name, one in found.items() if one.name == "*"]
        listed = [found.get(column, Output(column, [])) for column in columns]
        return [*listed, *stars], self._keeps_columns()

    def _is_one_transform(self) -> bool:
        """Whether its table is made anew of its one query, and nothing else touches it."""
        actions = self._definition.task.actions
        (first, *others) = actions
        return (
            not others
            and first.do == "transform"
            and isinstance(first, LoadOptions)
            and first.load == "replace"
            and first.change_policy(has_steps=False).removed == "drop"
            and len(self._written) == 1
        )

    def _keeps_columns(self) -> bool:
        """Whether nothing but its steps gives its table columns."""
        return all(
            isinstance(options, LoadOptions)
            and options.change_policy(has_steps=True).added != "add"
            for options in self._definition.task.actions
        )


def _names_of(options: ActionOptions | None) -> dict[str, Any]:
    initial = _SOME_WATERMARK
    if isinstance(options, LoadOptions) and options.watermark is not None:
        initial = options.watermark.initial or initial  # type: ignore[assignment]
    return {"watermark": initial, "rows": TableName(_TEMPORARY, "dapu_rows")}


def _known(found: Iterator[Any]) -> list[Any]:
    """Without what is of the session alone."""
    return [one for one in found if not one.table.startswith(f"{_TEMPORARY}.")]


def _move(found: SqlText, template: str) -> None:
    """Places in the template, and not in what was made of it."""
    if found.text.count("\n") == template.rstrip().count("\n"):
        return
    rendered, lines = found.text.splitlines(), template.splitlines()

    def moved(place: Place) -> Place:
        line = rendered[place.line - 1] if place.line <= len(rendered) else ""
        if lines.count(line) == 1:
            return place._replace(line=lines.index(line) + 1)
        return place._replace(line=1, column=1)

    found.problems = [Problem(moved(one.place), one.message) for one in found.problems]
    found.reads = [Read(one.table, moved(one.place)) for one in found.reads]
    found.uses = [Use(one.table, one.column, moved(one.place)) for one in found.uses]


def _related(checks: Iterable[Check], own: str) -> Iterator[Use]:
    """The columns of others that `relationships` checks look at.

    With `depends: auto` they are not looked for: the SQL of the other may read this table.
    """
    for check in checks:
        for column in (check.relationships or {}).values():
            table, _, name = column.rpartition(".")
            if table != own:
                yield Use(table, name, Place(TASK_FILE, 1, 1))


def _read_of(use: Use) -> Read:
    return Read(use.table, use.place)
