"""SQL files as Jinja2 templates in which every value is bound.

What `{{ … }}` gives never becomes SQL text: it becomes a placeholder, and its value goes to the
database apart from the statement. Lists become `(value, value)`, for `in {{ list }}`; names of
tables become quoted identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup
from psycopg2 import sql

from dapu.errors import Fault, FaultyFile
from dapu.yamlfile import nearest, read_text

BUILT_IN = frozenset({"this", "task", "watermark"})
_MARK = re.compile("\0(\\d+)\0")


@dataclass(frozen=True)
class TableName:
    """A table of the warehouse."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.table)


@dataclass(frozen=True)
class Statement:
    """SQL with its values apart: `parts[0] values[0] parts[1] … parts[-1]`."""

    parts: tuple[str, ...]
    values: tuple[Any, ...] = ()

    def composed(self) -> sql.Composed:
        """For psycopg2, with its own quoting of values and identifiers."""
        pieces: list[sql.Composable] = [sql.SQL(self.parts[0])]
        for value, part in zip(self.values, self.parts[1:], strict=True):
            is_name = isinstance(value, TableName)
            pieces += [value.identifier if is_name else sql.Literal(value), sql.SQL(part)]
        return sql.Composed(pieces)

    def for_driver(
        self, paramstyle: str, quote: Callable[[str], str]
    ) -> tuple[str, dict[str, Any] | tuple[Any, ...]]:
        """Text and parameters for a DB-API driver of that paramstyle (PEP 249).

        quote: how the database quotes an identifier.
        """
        percent = paramstyle in ("format", "pyformat")
        text, bound = _plain(self.parts[0], percent), []
        for value, part in zip(self.values, self.parts[1:], strict=True):
            if isinstance(value, TableName):
                text += f"{quote(value.schema)}.{quote(value.table)}"
            else:
                bound.append(value)
                text += _PLACEHOLDERS[paramstyle].format(len(bound))
            text += _plain(part, percent)
        if paramstyle in ("named", "pyformat"):
            return text, {f"p{number}": value for number, value in enumerate(bound, start=1)}
        return text, tuple(bound)

    def around(self, before: Statement, after: Statement) -> Statement:
        """`before`, this statement, and `after` as one."""
        return before.then(self).then(after)

    def then(self, other: Statement) -> Statement:
        """This statement and another as one."""
        joint = self.parts[-1] + other.parts[0]
        return Statement((*self.parts[:-1], joint, *other.parts[1:]), self.values + other.values)


_PLACEHOLDERS = {
    "qmark": "?",
    "format": "%s",
    "pyformat": "%(p{0})s",
    "named": ":p{0}",
    "numeric": ":{0}",
    "numeric_dollar": "${0}",
}


def _plain(text: str, percent: bool) -> str:
    return text.replace("%", "%%") if percent else text


@dataclass(frozen=True)
class Template:
    """A SQL file, parsed."""

    path: Path
    text: str
    names: frozenset[str]

    def check(self, known: Sequence[str]) -> list[Fault]:
        """The names in it that nobody gives a value for."""
        unknown = sorted(self.names - set(known))
        return [
            Fault(
                self.path,
                _line_of_name(self.text, name),
                f"undefined name `{name}`{nearest(name, known)}",
            )
            for name in unknown
        ]

    def render(self, values: Mapping[str, Any]) -> Statement:
        """The statement for these values. Raises FaultyFile when the template fails."""
        bound: list[Any] = []
        token = _values.set(bound)
        try:
            text = _environment().from_string(self.text).render(values)
        except (TemplateError, SecurityError, TypeError, ValueError) as error:
            line = _line_of_error(error)
            message = f"the template fails: {error}"
            raise FaultyFile([Fault(self.path, line, message)]) from None
        finally:
            _values.reset(token)
        pieces = _MARK.split(text)
        values_in_order = tuple(bound[int(number)] for number in pieces[1::2])
        return Statement(tuple(pieces[::2]), values_in_order)


def read_template(path: Path) -> Template:
    """Reads a SQL file. Raises FaultyFile when it is missing or its template syntax is wrong."""
    text = read_text(path)
    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        raise FaultyFile([Fault(path, error.lineno, f"template: {error.message}")]) from None
    if not text.strip():
        raise FaultyFile([Fault(path, 1, "is empty; it needs a SQL statement")])
    return Template(path, text, frozenset(meta.find_undeclared_variables(tree)))


_values: ContextVar[list[Any]] = ContextVar("values")


def _bind(value: Any) -> Any:
    """Puts a value away and leaves a mark for it; what is SQL already passes."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, StrictUndefined):
        str(value)  # raises, and says which name it is
    if isinstance(value, list | tuple | set | frozenset):
        return Markup("(") + Markup(", ").join(_bind(item) for item in value) + Markup(")")
    bound = _values.get()
    bound.append(value)
    return Markup(f"\0{len(bound) - 1}\0")


@cache
def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        finalize=_finalize,
        autoescape=True,
        keep_trailing_newline=True,
    )
    del environment.filters["safe"]  # the one way to paste text
    return environment


def _finalize(value: Any) -> Any:
    # Jinja2 tries constants while it compiles a template; only while it renders is there a list.
    if _values.get(None) is None:
        raise RuntimeError("not rendering")
    return _bind(value)


def _line_of_name(text: str, name: str) -> int:
    match = re.search(r"\{[{%][^}]*\b" + re.escape(name) + r"\b", text)
    return 1 if match is None else 1 + text[: match.end()].count("\n")


def _line_of_error(error: Exception) -> int:
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    trace, line = error.__traceback__, 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


__all__ = ["BUILT_IN", "Statement", "TableName", "Template", "UndefinedError", "read_template"]
