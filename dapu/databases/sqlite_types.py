"""Which PostgreSQL type holds all that a SQLite column holds.

SQLite declares types but keeps any value in any column (https://www.sqlite.org/datatype3.html),
so that a new table's types come from the values: from one pass over the query.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dapu.databases.source import Source
from dapu.definitions.templates import Statement
from dapu.loading.rows import Column

# What is counted of each column; SQLite's max() of a comparison says whether it holds anywhere.
_FACTS = (
    "max(typeof({0}) = 'integer')",
    "max(typeof({0}) = 'real')",
    "max(typeof({0}) = 'text')",
    "max(typeof({0}) = 'blob')",
    "max(typeof({0}) = 'integer' and {0} not in (0, 1))",
    # of the texts: not a date; not a time stamp; without zone; with zone
    "max(typeof({0}) = 'text' and not (length({0}) = 10 and {1}))",
    "max(typeof({0}) = 'text' and not (length({0}) > 10 and {1}))",
    "max(typeof({0}) = 'text' and not {2})",
    "max(typeof({0}) = 'text' and {2})",
)
_IS_TIME = "({0} glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' and datetime({0}) is not null)"
_HAS_ZONE = "({0} glob '*Z' or substr({0}, 20) glob '*[+-][0-9][0-9]:[0-9][0-9]')"


def declared_types(rows: Sequence[tuple[str, str]]) -> list[Column]:
    """Columns with the PostgreSQL type that their declared type means, by SQLite's affinities."""
    return [Column(name, _declared(declared.upper())) for name, declared in rows]


def _declared(declared: str) -> str:
    words = {
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
    return next((name for word, name in words.items() if word in declared), "text")


def survey_types(source: Source, query: Statement, columns: Sequence[Column]) -> list[Column]:
    """The columns with types that hold each value that the query gives now."""
    facts: list[str] = []
    for column in columns:
        name = source.quote(column.name)
        is_time, zone = _IS_TIME.format(name), _HAS_ZONE.format(name)
        facts += [fact.format(name, is_time, zone) for fact in _FACTS]
    return [
        Column(column.name, _holding(column.type, found))
        for column, found in zip(columns, _ask(source, query, facts), strict=True)
    ]


def _ask(source: Source, query: Statement, facts: list[str]) -> list[tuple[bool, ...]]:
    """All facts in one pass, as one JSON text since a source gives one value."""
    # A function of SQLite takes 100 arguments at the most, and joining has no such limit.
    joined = " || ',' || ".join(f"coalesce({fact}, 0)" for fact in facts)
    before = Statement((f"select {joined} from (\n",))  # noqa: S608 - quoted names only
    text = source.value(query.around(before, Statement(("\n)",))))
    answers = [bool(answer) for answer in json.loads(f"[{text}]")]
    size = len(_FACTS)
    return [tuple(answers[start : start + size]) for start in range(0, len(answers), size)]


def _holding(declared: str, facts: tuple[bool, ...]) -> str:
    integer, real, text, blob, beyond_bool, no_date, no_time, no_zone, zone = facts
    match (integer, real, text, blob):
        case (False, False, False, False):
            return declared
        case (True, False, False, False):
            return "boolean" if declared == "boolean" and not beyond_bool else "bigint"
        case (False, True, False, False):
            return "numeric" if declared == "numeric" else "double precision"
        case (True, True, False, False):
            return "numeric"
        case (False, False, False, True):
            return "bytea"
        case (False, False, True, False) if declared in ("timestamp", "date"):
            return _time_type(no_date, no_time, no_zone, zone)
    return "text"


def _time_type(no_date: bool, no_time: bool, no_zone: bool, zone: bool) -> str:
    if not no_date:
        return "date"
    if no_time or (zone and no_zone):
        return "text"
    return "timestamp with time zone" if zone else "timestamp"
