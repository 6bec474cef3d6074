"""Which PostgreSQL type holds all that a SQLite column holds.

SQLite declares types but keeps any value in any column (https://www.sqlite.org/datatype3.html),
so that a new table's types come from the values. What the first rows show is checked with all
others, which is far quicker than to look for the types in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dapu.rows.rows import Column
from dapu.sources.databases.fragments import fragment

_AT_ONCE = 100  # columns that are looked at in one pass
_TIMES = ("timestamp", "date")
_SAMPLE = "10000"  # rows that are looked at first

# By what a value shows that a column's type is not the one that the first rows showed. A column in
# which there was a text among others, or a text that is not a time, is one of texts for ever.
_EXCEPTIONS = {
    "bigint": "sqlite.not_integer",
    "boolean": "sqlite.not_boolean",
    "double precision": "sqlite.not_real",
    "numeric": "sqlite.not_number",
    "bytea": "sqlite.not_blob",
    "date": "sqlite.not_date",
    "timestamp": "sqlite.not_time",
    "timestamp with time zone": "sqlite.not_zoned_time",
}

Ask = Callable[[str], tuple[Any, ...]]
"""Gives the only row of a query, of which the part after the query to survey is given."""

# What a word in a declared type means, by SQLite's affinities and by what people write.
_DECLARED = {
    "BOOL": "boolean",
    "INT": "bigint",
    "CHAR": "text",
    "CLOB": "text",
    "TEXT": "text",
    "BLOB": "bytea",
    "REAL": "double precision",
    "FLOA": "double precision",
    "DOUB": "double precision",
    "NUM": "numeric",
    "DEC": "numeric",
    "TIMESTAMP": "timestamp",
    "DATETIME": "timestamp",
    "DATE": "date",
}


def declared_type(declared: str | None) -> str:
    """The PostgreSQL type that a column's declaration means; None is that of an expression."""
    words = (declared or "").upper()
    return next((name for word, name in _DECLARED.items() if word in words), "text")


def survey_types(columns: Sequence[Column], values: Sequence[str], ask: Ask) -> list[Column]:
    """The columns with types that hold each value that the query gives now.

    columns: with their declared types. values: their names in SQL.
    """
    found = _look(
        columns,
        values,
        lambda facts: ask(fragment("sqlite.survey_some", facts=facts, rows=_SAMPLE)),
    )
    if not _hold_all(found, values, ask):
        found = _look(columns, values, lambda facts: ask(fragment("sqlite.survey", facts=facts)))
    return [Column(column.name, one.type) for column, one in zip(columns, found, strict=True)]


@dataclass(frozen=True)
class _Found:
    """The type that holds the values that were looked at. any_value: there was one beside NULL."""

    type: str
    any_value: bool


def _look(columns: Sequence[Column], values: Sequence[str], ask: Ask) -> list[_Found]:
    kinds = _ask(values, ask, "sqlite.kinds")
    types = [_holding(column.type, *found) for column, found in zip(columns, kinds, strict=True)]
    # Only texts where times are declared need a closer look.
    texts = [n for n, name in enumerate(types) if name in _TIMES and kinds[n][0] == "text"]
    asked = _ask([values[n] for n in texts], ask, "sqlite.dates")
    for number, (dates,) in zip(texts, asked, strict=True):
        types[number] = "date" if dates else "text"
    texts = [n for n in texts if types[n] == "text"]
    asked = _ask([values[n] for n in texts], ask, "sqlite.times")
    for number, found in zip(texts, asked, strict=True):
        types[number] = _time_type(*found)
    return [_Found(name, kind[0] != "null") for name, kind in zip(types, kinds, strict=True)]


def _hold_all(found: Sequence[_Found], values: Sequence[str], ask: Ask) -> bool:
    """Whether the types that the first rows showed are those of all rows."""
    conditions = []
    for one, value in zip(found, values, strict=True):
        exception = _EXCEPTIONS.get(one.type) if one.any_value else "sqlite.not_missing"
        if exception is not None:
            conditions.append(f"({_facts(exception, value)})")
    groups = (conditions[at : at + _AT_ONCE] for at in range(0, len(conditions), _AT_ONCE))
    return not any(ask(fragment("sqlite.any", condition=" or ".join(g)))[0] for g in groups)


def _ask(values: Sequence[str], ask: Ask, name: str) -> list[tuple[Any, ...]]:
    """What a statement asks of each column. name: of the statement."""
    answers: list[tuple[Any, ...]] = []
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        row = ask(", ".join(_facts(name, value) for value in some))
        size = len(row) // len(some)
        answers += [row[at : at + size] for at in range(0, len(row), size)]
    return answers


def _facts(name: str, value: str) -> str:
    zoned = fragment("sqlite.zoned", value=value)
    date = fragment("sqlite.date", value=value)
    time = fragment("sqlite.time", value=value, zoned=zoned)
    return fragment(name, value=value, date=date, time=time, zoned=zoned)


def _holding(
    declared: str, least: str, greatest: str, real: bool, integer: bool, is_truth: bool
) -> str:
    if least == "null":
        return declared
    numbers = ("integer", "real")
    if least in numbers and greatest in numbers:
        if real and (integer or declared == "numeric"):
            return "numeric"
        if real:
            return "double precision"
        return "boolean" if declared == "boolean" and is_truth else "bigint"
    if least == greatest == "blob":
        return "bytea"
    return declared if least == greatest and declared in _TIMES else "text"


def _time_type(times: bool, all_zoned: bool, one_zoned: bool) -> str:
    if not times or all_zoned != one_zoned:
        return "text"
    return "timestamp with time zone" if all_zoned else "timestamp"
