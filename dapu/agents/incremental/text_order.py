"""Whether texts that are times or numbers sort as what they say: the source compares the texts.

`9` sorts after `10`, `2024-01-01T09:00` after `2024-01-01 11:00`, and `10:00+02:00` after
`09:30+00:00`, which is later. A row whose text sorts before the watermark would be passed over.
"""

from __future__ import annotations

import re
from typing import Any

from dapu.errors import JobError
from dapu.sources.databases.source import HasOwnOrder, Queryable
from dapu.sources.databases.subquery import where
from dapu.statement import Statement

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
_TIME = re.compile(r"\d{4}-\d\d?-\d\d?(?:[Tt ]+\d[\d:.]*(?P<zone>\s*[-+A-Za-z].*)?)?")
_WHOLE_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?")
_DAY_FIRST = re.compile(r"\d\d?[-./]\d\d?[-./]\d{2,4}\b.*")


def check_order(source: Queryable, query: Statement, column: str, highest: Any) -> None:
    """Raises JobError that shows two values when the order of texts passes over rows.

    query: with all rows, those before the watermark too. highest: what the source says is the
    highest value; what is not a text sorts as it should.
    """
    if not isinstance(highest, str):
        return
    two = source.disorder(query, column) if isinstance(source, HasOwnOrder) else None
    if two is None:
        name = f"dapu_query.{source.quote(column)}"
        other = source.value(where(query, _of_another_form(name, highest), f"min({name})"))
        two = None if other is None else (highest, other)
    if two is not None:
        raise JobError(
            f"the watermark's column {column} has {two[0]!r} and {two[1]!r}: they are compared as "
            "texts in the source, whose order is not that of what they say, so that rows would be "
            "passed over. Let the query give a number or a time, or texts of one form (in SQLite "
            f"`strftime('%Y-%m-%d %H:%M:%f', {column}) as {column}`), and read everything once "
            "with `dapu run --full`"
        )


def _of_another_form(name: str, highest: str) -> Statement:
    """The condition of texts that do not sort among those like the highest."""
    condition, patterns = Statement((f"{name} > ", ""), (highest,)), _forms(highest)
    for position, pattern in enumerate(patterns):
        sign = "and" if position else "or ("
        condition = condition.then(Statement((f" {sign} {name} not like ", ""), (pattern,)))
    if patterns:
        condition = condition.then(Statement((")",)))
    if any(pattern.endswith("%") for pattern in patterns):  # a zone may be behind a fraction
        for zone in ("%:%+%", "%:%-%", "%:%Z"):
            condition = condition.then(Statement((f" or {name} like ", ""), (zone,)))
    return condition


def _forms(text: str) -> list[str]:
    """Patterns of LIKE for all texts that sort rightly with this one; none: any do.

    Digits may be others, of as many; a zone is the same.
    """
    if _WHOLE_TIME.fullmatch(text):
        day, between = "____-__-__", text[10:11] or " "
        clock = f"{day}{between}__:__"
        return [day, clock, f"{clock}:__", f"{clock}:__.%"]
    if time := _TIME.fullmatch(text):
        zone = time["zone"] or ""
        return [_DIGIT.sub("_", text[: len(text) - len(zone)]) + zone]
    if _NUMBER.fullmatch(text) and text[0] not in "-+" and "e" not in text.lower():
        return [_DIGIT.sub("_", text)]
    if _NUMBER.fullmatch(text) or _DAY_FIRST.fullmatch(text):
        return [text]  # no other sorts rightly
    return []
