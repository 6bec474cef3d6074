"""The Jinja2 in which SQL files are rendered: what `{{ … }}` gives never becomes SQL text.

A value is put aside and leaves a mark. What a template itself wrote (a macro's outcome, a block
set to a name) is SQL and passes; Jinja2 knows it from values by the type Markup. So nothing may
make Markup of a value: no filter returns it, and nothing but `+` and `~` works on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Undefined, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from dapu.statement import Name, TableName, joint_name


class _Generator(CodeGenerator):
    """Lets `~` go through the environment, as the other operators do."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.concatenate((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


TABLE_NAMES: dict[str, Callable[[TableName], Any]] = {
    "schema": lambda table: Name(table.schema),
    "table": lambda table: Name(table.table),
    "name": lambda table: joint_name,  # noqa: ARG005 - a name is made of its own parts alone
}
"""What a template finds in a table: names, which are quoted as such."""


class SqlEnvironment(SandboxedEnvironment):
    """A sandbox that puts values aside, in `bound`.

    accepts: the types that a value may have.
    """

    code_generator_class = _Generator
    intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)
    accepts: tuple[type, ...] = ()
    bound: list[Any]

    def for_folder(self, folder: Path, accepts: tuple[type, ...]) -> SqlEnvironment:
        """The environment of one rendering, which may include what stands in the folder."""
        environment = self.overlay(loader=FileSystemLoader(folder))
        assert isinstance(environment, SqlEnvironment)  # an overlay is of the same class
        environment.accepts, environment.bound = accepts, []
        return environment

    def bind(self, value: Any) -> Markup:
        """Puts a value away and leaves a mark for it; what is SQL already passes.

        Raises TypeError when it is nothing that a database knows.
        """
        if isinstance(value, Markup):
            return value
        if isinstance(value, Undefined):
            int(value)  # raises, and says which name it is
        if isinstance(value, list | tuple | set | frozenset):
            return self._bind_list(value)
        if value is not None and not isinstance(value, self.accepts):
            raise TypeError(f"a value of type {type(value).__name__} has no place in SQL")
        self.bound.append(value)
        return Markup(f"\0{len(self.bound) - 1}\0")

    def _bind_list(self, values: Iterable[Any]) -> Markup:
        marks = [self.bind(value) for value in values]
        if not marks:
            raise ValueError("a list is empty, and SQL has no empty list; ask for it with `if`")
        return Markup("(") + Markup(", ").join(marks) + Markup(")")

    def getattr(self, obj: Any, attribute: str) -> Any:
        """See SandboxedEnvironment. Of a table's name, its parts as names."""
        if isinstance(obj, TableName) and attribute in TABLE_NAMES:
            return TABLE_NAMES[attribute](obj)
        return super().getattr(obj, attribute)

    def concatenate(self, parts: tuple[Any, ...]) -> str:
        """`~`: values make a longer text; beside SQL each value is bound."""
        if any(isinstance(part, Markup) for part in parts):
            return Markup("").join(map(self.bind, parts))
        return "".join(map(str, parts))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See SandboxedEnvironment."""
        if not isinstance(left, Markup) and not isinstance(right, Markup):
            return super().call_binop(context, operator, left, right)
        if operator != "+":
            raise TypeError(f"`{operator}` does not work on SQL text")
        return self.concatenate((left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """See SandboxedEnvironment."""
        return not isinstance(obj, Markup) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """See SandboxedEnvironment."""
        if isinstance(getattr(value, "__self__", None), Markup):
            return None  # is_safe_attribute refuses it then
        return super().wrap_str_format(value)


@cache
def sql_environment() -> SqlEnvironment:
    """The environment of all templates, without a folder; it parses, and `for_folder` renders."""
    environment = SqlEnvironment(
        undefined=StrictUndefined,
        finalize=_finalize,
        autoescape=True,  # only then is a macro's outcome distinguished from a value
        keep_trailing_newline=True,
        optimized=False,  # what is constant is computed too only where templates are rendered
    )
    environment.filters = {
        name: _without_markup(name, function)
        for name, function in environment.filters.items()
        if name != "safe"
    }
    del environment.globals["lipsum"]
    return environment


@pass_context
def _finalize(context: Context, value: Any) -> Markup:
    environment = context.environment
    assert isinstance(environment, SqlEnvironment)
    return environment.bind(value)


def _without_markup(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*arguments: Any, **keywords: Any) -> Any:
        if any(map(_holds_sql, (*arguments, *keywords.values()))):
            raise TypeError(f"the filter `{name}` does not work on SQL text")
        result = function(*arguments, **keywords)
        return str(result) if isinstance(result, Markup) else result

    return guarded


def _holds_sql(value: Any) -> bool:
    items = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(item, Markup) for item in items)
