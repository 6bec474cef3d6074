"""What stands in a template: what it reads, what it includes, and what in it is not for SQL.

A module of its own, for most SQL files are no templates: Jinja2 is imported when the first one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jinja2 import TemplateNotFound, TemplateSyntaxError, meta, nodes

from dapu.definitions.sandbox import TABLE_NAMES, sql_environment
from dapu.errors import Fault, FaultyFile
from dapu.statement import THIS
from dapu.suggest import nearest

TOO_DEEP = "template: it is nested too deeply"

_NAMES_ANOTHER = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
# What takes no longer than it is written: a template of nothing else is rendered at once.
_AT_ONCE = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr),
    *(nodes.Getitem, nodes.If, nodes.CondExpr, nodes.Test, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Assign),
)
_FILTERS_AT_ONCE = frozenset({"count", "d", "default", "first", "last", "length", "lower", "upper"})


def parse_tree(path: Path, text: str) -> nodes.Template:
    """A template's tree. Raises FaultyFile when its syntax is wrong, or it is not for SQL."""
    try:
        tree = sql_environment().parse(text)
    except TemplateSyntaxError as error:
        raise FaultyFile([Fault(path, error.lineno, f"template: {error.message}")]) from None
    except RecursionError:
        raise FaultyFile([Fault(path, 1, TOO_DEEP)]) from None
    faults = [Fault(path, line, f"template: {what}") for line, what in _unfit(tree)]
    if faults:
        raise FaultyFile(faults)
    return tree


def lines_of_names(tree: nodes.Template) -> dict[str, int]:
    """The names that it has, each with a line on which it stands."""
    return {one.name: one.lineno for one in tree.find_all(nodes.Name)}


def others(tree: nodes.Template) -> Iterator[tuple[str, int, bool]]:
    """The files that it names: each with the line, and whether it sees this one's names."""
    for node in tree.find_all(_NAMES_ANOTHER):
        name = getattr(node, "template", None)
        if isinstance(name, nodes.Const):
            yield str(name.value), node.lineno, getattr(node, "with_context", True)


def fault_of(path: Path, error: Exception) -> Fault:
    """What went wrong in a rendering, at the line of this file, or of one that it includes."""
    where, line, trace = path, 1, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == "<template>" or Path(file).is_relative_to(path.parent):
            where = path if file == "<template>" else Path(file)
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, TemplateSyntaxError):
        where, line = Path(error.filename or path), error.lineno
    if isinstance(error, TemplateNotFound):
        return Fault(where, line, f"there is no file {error.name} in this task's folder")
    return Fault(where, line, f"the template fails: {error}")


def computes(tree: nodes.Template) -> Iterator[int]:
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


def undeclared(tree: nodes.Template) -> set[str]:
    """`meta.find_undeclared_variables`, which would compute what is constant."""
    assert tree.environment is not None  # it was parsed with one
    generator = meta.TrackingCodeGenerator(tree.environment)
    generator.optimizer = None
    generator.visit(tree)
    return generator.undeclared_identifiers


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
