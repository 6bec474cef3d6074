"""A statement with its values apart, and the names of tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2 import sql

# Comments, texts, quoted names (MySQL's too), dollar quotes, and what Jinja2 reads.
PASSED_OVER = re.compile(
    r"--[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*\*/"
    r"|\b[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|'[^']*(?:''[^']*)*'|\"[^\"]*(?:\"\"[^\"]*)*\""
    r"|`[^`]*`"
    r"|\$(\w*)\$.*?\$\1\$|\{([{%#]).*?[}%#]\}",
    re.DOTALL,
)


def without_end(query: str) -> str:
    """A query without the semicolons and comments at its end, so that it can stand in another."""
    bare = PASSED_OVER.sub(_blank, query).rstrip()
    while bare.endswith(";"):
        bare = bare[:-1].rstrip()
    return query[: len(bare)]


def _blank(match: re.Match[str]) -> str:
    """Comments as space, and what else is passed over as something."""
    return (" " if match[0].startswith(("--", "/*")) else "x") * len(match[0])


LONGEST_NAME = 63  # bytes of a name, PostgreSQL's NAMEDATALEN - 1
THIS = "this"  # what a template calls the table of its task


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

    def beside(self, suffix: str) -> TableName:
        """A table whose name is this one's with a suffix; a name too long for that is cut."""
        cut = self.table.encode()[: LONGEST_NAME - len(suffix)].decode(errors="ignore")
        return TableName(self.schema, cut + suffix)


@dataclass(frozen=True)
class Name:
    """A name of one part, such as a column's."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.text)


def joint_name(*parts: object) -> Name:
    """One name of several parts. Raises ValueError when PostgreSQL takes none so long or short."""
    text = "".join(map(str, parts))
    size = len(text.encode())
    if not 0 < size <= LONGEST_NAME:
        raise ValueError(
            f"the name {text!r} has {size} bytes; PostgreSQL takes 1 to {LONGEST_NAME}"
        )
    return Name(text)


@dataclass(frozen=True)
class Statement:
    """SQL with its values apart: `parts[0] values[0] parts[1] … parts[-1]`."""

    parts: tuple[str, ...]
    values: tuple[Any, ...] = ()

    def composed(self) -> sql.Composed:
        """For psycopg2, with its own quoting of values and identifiers."""
        pieces: list[sql.Composable] = [sql.SQL(self.parts[0])]
        for value, part in zip(self.values, self.parts[1:], strict=True):
            is_name = isinstance(value, TableName | Name)
            pieces += [value.identifier if is_name else sql.Literal(value), sql.SQL(part)]
        return sql.Composed(pieces)

    def for_driver(
        self, paramstyle: str, quote: Callable[[str], str]
    ) -> tuple[str, dict[str, Any] | tuple[Any, ...]]:
        """Text and parameters for a DB-API driver of that paramstyle (PEP 249).

        paramstyle: or `at`, which is how SQL Server itself names them.
        quote: how the database quotes an identifier.
        """
        percent = paramstyle in ("format", "pyformat")
        text, bound = _plain(self.parts[0], percent), []
        for value, part in zip(self.values, self.parts[1:], strict=True):
            if isinstance(value, TableName):
                text += f"{quote(value.schema)}.{quote(value.table)}"
            elif isinstance(value, Name):
                text += quote(value.text)
            else:
                bound.append(value)
                text += _PLACEHOLDERS[paramstyle].format(len(bound))
            text += _plain(part, percent)
        if paramstyle in ("named", "pyformat"):
            return text, {f"p{number}": value for number, value in enumerate(bound, start=1)}
        return text, tuple(bound)

    def text(self) -> str:
        """The values in their places, for a text that is not SQL. Raises ValueError for None."""
        if None in self.values:
            raise ValueError("a name in it has no value")
        return self.parts[0] + "".join(
            f"{value}{part}" for value, part in zip(self.values, self.parts[1:], strict=True)
        )

    def readable(self) -> str:
        """The values in their places, as most databases take them; what runs has them apart."""
        pieces = [self.parts[0]]
        for value, part in zip(self.values, self.parts[1:], strict=True):
            pieces += [_literal(value), part]
        return "".join(pieces).rstrip()

    def without_end(self) -> Statement:
        """Without a semicolon at its end, so that it can stand in another."""
        return Statement((*self.parts[:-1], without_end(self.parts[-1])), self.values)

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
    "at": "@p{0}",
}


def _plain(text: str, percent: bool) -> str:
    return text.replace("%", "%%") if percent else text


def _literal(value: Any) -> str:
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int() | float() | Decimal():
            return str(value)
        case TableName():
            return f"{_written(value.schema)}.{_written(value.table)}"
        case Name():
            return _written(value.text)
        case bytes():
            return f"X'{value.hex()}'"
    return "'" + str(value).replace("'", "''") + "'"


def _written(name: str) -> str:
    """A name, in quotes where it is not a plain one."""
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'
