"""SQL files as Jinja2 templates in which every value is bound.

What `{{ … }}` gives never becomes SQL text: it becomes a placeholder, and its value goes to the
database apart from the statement. Lists become `(value, value)`, for `in {{ list }}`; names of
tables become quoted identifiers. Jinja2 is imported for the first file that is more than SQL.
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dapu.definitions.folders import is_file
from dapu.errors import Fault, FaultyFile
from dapu.limited_process import LimitedProcess, ProcessDied
from dapu.statement import THIS, Name, Statement, TableName
from dapu.suggest import nearest
from dapu.warehouse.yamlfile import read_text

if TYPE_CHECKING:
    from jinja2 import Template as JinjaTemplate
    from jinja2 import nodes

BUILT_IN = frozenset({"rows", THIS, "task", "watermark"})
BUILT_IN_TEXTS = frozenset({"now", "task", "today"})
_MARK = re.compile("\0(\\d+)\0")
_IS_TEMPLATE = re.compile(r"\{[{%#]")
_SECONDS, _MEMORY = 10.0, 1 << 30
_VALUES = (bool, int, float, Decimal, str, bytes, date, time, timedelta, UUID, TableName, Name)


@dataclass(frozen=True)
class Template:
    """A SQL file, parsed. tree: None when there is nothing in it but SQL."""

    path: Path
    text: str
    tree: nodes.Template | None

    def check(self, known: Collection[str], above: tuple[Path, ...] = ()) -> list[Fault]:
        """The names in it, and in what it includes, that nobody gives a value for.

        above: the files that include this one.
        """
        if self.tree is None:
            return []
        from dapu.definitions import template_tree

        try:
            unknown = template_tree.undeclared(self.tree) - set(known)
        except RecursionError:
            return [Fault(self.path, 1, template_tree.TOO_DEEP)]
        lines = template_tree.lines_of_names(self.tree)
        faults = [
            Fault(self.path, lines.get(name, 1), f"undefined name `{name}`{nearest(name, known)}")
            for name in unknown
        ]
        for other, line, with_names in template_tree.others(self.tree):
            faults += self._check_other(other, line, known if with_names else (), above)
        return sorted(faults, key=lambda fault: (fault.line, fault.message))

    def uses(self, name: str) -> bool:
        """Whether it, or a file that it includes, reads this name. It was checked before."""
        if self.tree is None:
            return False
        from dapu.definitions.template_tree import others, undeclared

        seeing = (self.path.parent / other for other, _, names in others(self.tree) if names)
        return name in undeclared(self.tree) or any(read_template(o).uses(name) for o in seeing)

    def _check_other(
        self, name: str, line: int, known: Collection[str], above: tuple[Path, ...]
    ) -> list[Fault]:
        path = self.path.parent / name
        if ".." in path.parts or not is_file(path):
            beside = [file.name for file in self.path.parent.glob("*.sql")]
            message = f"there is no file {name} in this task's folder{nearest(name, beside)}"
            return [Fault(self.path, line, message)]
        if path in (self.path, *above):
            return [Fault(self.path, line, f"includes {name}, which includes this file")]
        try:
            return read_template(path).check(known, (self.path, *above))
        except FaultyFile as error:
            return error.faults

    def render(self, values: Mapping[str, Any]) -> Statement:
        """The statement for these values. Raises FaultyFile when the template fails."""
        return self.compiled()(values)

    def compiled(self) -> Callable[[Mapping[str, Any]], Statement]:
        """`render`, for many values: the template is compiled once."""
        if self.tree is None:
            return lambda _: Statement((self.text,))
        from dapu.definitions.template_tree import computes

        line = next(computes(self.tree), None)
        return self.compiled_here() if line is None else partial(_render_aside, self, line)

    def compiled_here(self) -> Callable[[Mapping[str, Any]], Statement]:
        """`compiled`, in this process and without any bound."""
        from dapu.definitions.sandbox import sql_environment
        from dapu.definitions.template_tree import fault_of

        environment = sql_environment().for_folder(self.path.parent, _VALUES)
        compiled: list[JinjaTemplate] = []

        def render(values: Mapping[str, Any]) -> Statement:
            environment.bound = []
            try:
                compiled[:] = compiled or [environment.from_string(self.text)]
                text = compiled[0].render(values)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a template is a program of its author's
                raise FaultyFile([fault_of(self.path, error)]) from None
            pieces = _MARK.split(text)
            in_order = tuple(environment.bound[int(number)] for number in pieces[1::2])
            return Statement(tuple(pieces[::2]), in_order)

        return render


def answer(path: Path, text: str, values: Mapping[str, Any]) -> Statement | list[Fault]:
    """What the process does that renders templates: the statement, or what is wrong."""
    try:
        return _compiled(path, text)(values)
    except FaultyFile as error:
        return error.faults


@lru_cache(maxsize=64)
def _compiled(path: Path, text: str) -> Callable[[Mapping[str, Any]], Statement]:
    return parse_template(path, text).compiled_here()


@cache
def _renderer() -> LimitedProcess:
    """Where templates are rendered that compute: a loop in a loop may run for years."""
    process = LimitedProcess(f"{__name__}:answer", _MEMORY, _SECONDS)
    atexit.register(process.close)
    return process


def _render_aside(template: Template, line: int, values: Mapping[str, Any]) -> Statement:
    """line: where the template first computes something."""
    try:
        found = _renderer().ask(template.path, template.text, dict(values))
    except ProcessDied as died:
        message = f"the template cannot be rendered: {died}"
        raise FaultyFile([Fault(template.path, line, message)]) from died
    if isinstance(found, Statement):
        return found
    raise FaultyFile(found)


def read_template(path: Path) -> Template:
    """Reads a SQL file. Raises FaultyFile when it is missing or its template syntax is wrong."""
    text = read_text(path)
    if not text.strip():
        raise FaultyFile([Fault(path, 1, "is empty; it needs a SQL statement")])
    return parse_template(path, text)


def parse_template(path: Path, text: str) -> Template:
    """A template that stands in a file. Raises FaultyFile when its syntax is wrong."""
    if "\0" in text:
        raise FaultyFile([Fault(path, 1, "has a character of code 0, which no SQL may have")])
    if not _IS_TEMPLATE.search(text):
        return Template(path, text, None)
    from dapu.definitions.template_tree import parse_tree

    return Template(path, text, parse_tree(path, text))
