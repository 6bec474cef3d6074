"""SQL files as Jinja2 templates in which every value is bound.

What `{{ … }}` gives never becomes SQL text: it becomes a placeholder, and its value goes to the
database apart from the statement. Lists become `(value, value)`, for `in {{ list }}`; names of
tables become quoted identifiers.
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateNotFound, TemplateSyntaxError, meta, nodes

from dapu.definitions.folders import is_file
from dapu.definitions.sandbox import TABLE_NAMES, sql_environment
from dapu.errors import Fault, FaultyFile
from dapu.limited_process import LimitedProcess, ProcessDied
from dapu.statement import Name, Statement, TableName
from dapu.suggest import nearest
from dapu.warehouse.yamlfile import read_text

THIS = "this"
BUILT_IN = frozenset({"rows", THIS, "task", "watermark"})
BUILT_IN_TEXTS = frozenset({"now", "task", "today"})
_MARK = re.compile("\0(\\d+)\0")
_IS_TEMPLATE = re.compile(r"\{[{%#]")
_NAMES_ANOTHER = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


# What takes no longer than it is written: a template of nothing else is rendered at once.
_AT_ONCE = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr),
    *(nodes.Getitem, nodes.If, nodes.CondExpr, nodes.Test, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Assign),
)
_FILTERS_AT_ONCE = frozenset({"count", "d", "default", "first", "last", "length", "lower", "upper"})
_SECONDS, _MEMORY = 10.0, 1 << 30
_TOO_DEEP = "template: it is nested too deeply"
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
        try:
            unknown = _undeclared(self.tree) - set(known)
        except RecursionError:
            return [Fault(self.path, 1, _TOO_DEEP)]
        lines = {one.name: one.lineno for one in self.tree.find_all(nodes.Name)}
        faults = [
            Fault(self.path, lines.get(name, 1), f"undefined name `{name}`{nearest(name, known)}")
            for name in unknown
        ]
        for other, line, with_names in self._others():
            faults += self._check_other(other, line, known if with_names else (), above)
        return sorted(faults, key=lambda fault: (fault.line, fault.message))

    def uses(self, name: str) -> bool:
        """Whether it, or a file that it includes, reads this name. It was checked before."""
        if self.tree is None:
            return False
        others = (self.path.parent / other for other, _, with_names in self._others() if with_names)
        return name in _undeclared(self.tree) or any(read_template(o).uses(name) for o in others)

    def _others(self) -> Iterator[tuple[str, int, bool]]:
        """The files that it names: each with the line, and whether it sees this one's names."""
        assert self.tree is not None
        for node in self.tree.find_all(_NAMES_ANOTHER):
            name = getattr(node, "template", None)
            if isinstance(name, nodes.Const):
                yield str(name.value), node.lineno, getattr(node, "with_context", True)

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
        line = next(_computes(self.tree), None)
        return self.compiled_here() if line is None else partial(_render_aside, self, line)

    def compiled_here(self) -> Callable[[Mapping[str, Any]], Statement]:
        """`compiled`, in this process and without any bound."""
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
                raise FaultyFile([self._fault(error)]) from None
            pieces = _MARK.split(text)
            in_order = tuple(environment.bound[int(number)] for number in pieces[1::2])
            return Statement(tuple(pieces[::2]), in_order)

        return render

    def _fault(self, error: Exception) -> Fault:
        """What went wrong, at the line of this file, or of one that it includes."""
        path, line, trace = self.path, 1, error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file == "<template>" or Path(file).is_relative_to(self.path.parent):
                path = self.path if file == "<template>" else Path(file)
                line = trace.tb_lineno
            trace = trace.tb_next
        if isinstance(error, TemplateSyntaxError):
            path, line = Path(error.filename or self.path), error.lineno
        if isinstance(error, TemplateNotFound):
            return Fault(path, line, f"there is no file {error.name} in this task's folder")
        return Fault(path, line, f"the template fails: {error}")


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


def _computes(tree: nodes.Template) -> Iterator[int]:
    """The lines on which something stands that may take much longer than it is written."""
    for node in tree.find_all(nodes.Node):
        named = isinstance(node, nodes.Filter) and node.name in _FILTERS_AT_ONCE
        named = named or (isinstance(node, nodes.Call) and _of_table(node.node) == "name")
        if not named and not isinstance(node, _AT_ONCE):
            yield node.lineno


def _of_table(node: nodes.Node) -> str | None:
    """What of the task's table it names: `name` in `this.name`; None for anything else."""
    if not isinstance(node, nodes.Getattr) or not isinstance(node.node, nodes.Name):
        return None
    return node.attr if node.node.name == THIS else None


def _undeclared(tree: nodes.Template) -> set[str]:
    """`meta.find_undeclared_variables`, which would compute what is constant."""
    assert tree.environment is not None  # it was parsed with one
    generator = meta.TrackingCodeGenerator(tree.environment)
    generator.optimizer = None
    generator.visit(tree)
    return generator.undeclared_identifiers


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
    try:
        tree = sql_environment().parse(text)
    except TemplateSyntaxError as error:
        raise FaultyFile([Fault(path, error.lineno, f"template: {error.message}")]) from None
    except RecursionError:
        raise FaultyFile([Fault(path, 1, _TOO_DEEP)]) from None
    faults = [Fault(path, line, f"template: {what}") for line, what in _unfit(tree)]
    if faults:
        raise FaultyFile(faults)
    return Template(path, text, tree)


def _unfit(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """What only a rendering would find, with its line: what is not for SQL, or not there at all."""
    environment = sql_environment()
    for changed in tree.find_all((nodes.EvalContextModifier, nodes.ScopedEvalContextModifier)):
        yield changed.lineno, "`autoescape` is not for SQL"
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name not in environment.filters:
            near = nearest(filtered.name, environment.filters)
            yield filtered.lineno, f"there is no filter `{filtered.name}`{near}"
    for attribute in tree.find_all(nodes.Getattr):
        part = _of_table(attribute)
        if part is not None and part not in TABLE_NAMES:
            yield attribute.lineno, f"`{THIS}` has no `{part}`{nearest(part, TABLE_NAMES)}"
    for tested in tree.find_all(nodes.Test):
        if tested.name not in environment.tests:
            near = nearest(tested.name, environment.tests)
            yield tested.lineno, f"there is no test `{tested.name}`{near}"
