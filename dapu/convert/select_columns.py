"""The columns of a query of dapu 0.8, which went by their positions; dapu goes by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dapu.convert.shipped_sql import shipped_sql
from dapu.statement import PASSED_OVER, without_end

_SELECT = re.compile(r"\s*select\s+(?!distinct\b|top\b|all\b)(.*?)\bfrom\b", re.I | re.S)
_NAME = re.compile(r"\s*(?:\w+\.)*(\w+)\s*|.*[\s)]as\s+(\w+)\s*", re.I | re.S)
_ORDER = re.compile(r"\border\s+by\b(?!.*\b(?:order\s+by|limit|offset|fetch|for)\b)", re.I | re.S)
_LISTS_NAMES = ("pg", "mssql")  # a subquery's columns can be named there; elsewhere a `with` can


def names_of_columns(query: str) -> list[str] | None:
    """The names that a plain SELECT gives its columns; None where that cannot be told."""
    masked = _flat(_masked(query))
    match = _SELECT.match(masked)
    if match is None:
        return None
    pieces = _pieces(masked, match.start(1), match.end(1))
    names = [_name(masked[start:end]) for start, end in pieces]
    known = [name for name in names if name is not None]
    return known if len(known) == len(names) else None


def _masked(query: str) -> str:
    """With space for comments, and something else for texts and placeholders."""
    return PASSED_OVER.sub(
        lambda match: (" " if match[0].startswith(("--", "/*")) else "x") * len(match[0]), query
    )


def _flat(text: str) -> str:
    """With what stands in brackets blanked out, so that a `from` in it is none of the query's."""
    found, depth = [], 0
    for character in text:
        depth -= character == ")"
        found.append(" " if depth > 0 else character)
        depth += character == "("
    return "".join(found)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while (comma := text.find(",", start, end)) >= 0:
        yield start, comma
        start = comma + 1
    yield start, end


def _name(expression: str) -> str | None:
    match = _NAME.fullmatch(expression)
    if match is None or (match[1] or "").isdigit():
        return None
    return (match[1] or match[2]).lower()


def with_columns(query: str, columns: Sequence[str], driver: str) -> str:
    """A query whose columns are called so, by position; one that calls them so stays as it is.

    driver: of the source, as dapu 0.8 calls it. An order at the query's end is left out: it says
    nothing where a query stands in another.
    """
    bare = without_order(query)
    names = names_of_columns(bare)
    if names == [column.lower() for column in columns]:
        return bare + "\n"
    surplus = [f"unused_{number}" for number in range(1, 1 + len(names or ()) - len(columns))]
    listed, wanted = ", ".join([*columns, *surplus]), ", ".join(columns)
    name = "columns_of_subquery" if driver in _LISTS_NAMES else "columns_of_with"
    return shipped_sql(name, wanted=wanted, listed=listed, query=bare)


def without_order(query: str) -> str:
    """A query less the `order by` at its end, unless it says which rows there are."""
    bare = without_end(query).rstrip()
    found = _ORDER.search(_flat(_masked(bare)))
    return bare[: found.start()].rstrip() if found else bare
