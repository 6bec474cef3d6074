"""Where in a SQL file a value may stand: not in quotes, nor as a NULL that is compared with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from dapu.errors import Fault, FaultyFile
from dapu.statement import PASSED_OVER, Statement, TableName

_EXPRESSION = re.compile(r"\{\{-?\s*(\w*).*?\}\}", re.DOTALL)
_HERE = "\0"
_QUOTED = ("'", '"', "e'", "E'")
_COMPARED = re.compile(r"(?:[<>]=?|\bbetween)\s*$", re.IGNORECASE)
_COMPARES = re.compile(r"(?:::\w+)?\s*[<>]")
_ASKED = re.compile(r"(?:::\w+)?\s*\)?\s*is\s+(?:not\s+)?null\b", re.IGNORECASE)
_WATERMARK = re.compile(
    r"(?:[<>]=?|\bbetween)\s*\{\{-?\s*watermark|\{\{-?\s*watermark\s*-?\}\}", re.IGNORECASE
)


def quoted_names(path: Path, text: str, known: Collection[str]) -> Iterator[Fault]:
    """The `{{ name }}` that stand in quotes, in a template as it was written.

    known: names of values; what else stands in quotes may be SQL of the template's own.
    """
    found = list(_EXPRESSION.finditer(text))
    masked = _EXPRESSION.sub(lambda one: _HERE + re.sub(".", " ", one[0][1:]), text)
    for number in _in_quotes(masked):
        if found[number][1] in known:
            line = 1 + text.count("\n", 0, found[number].start())
            yield Fault(path, line, _in_quotes_message(found[number][0]))


def settled(path: Path, text: str, statement: Statement) -> Statement:
    """A rendered statement, looked at: values in its comments are left out.

    text: the template. Raises FaultyFile where a value stands in quotes, or NULL is compared with.
    """
    if not statement.values:
        return statement
    joined = _HERE.join(statement.parts)
    for number in _in_quotes(joined):
        if not isinstance(statement.values[number], TableName):
            line = 1 + "".join(statement.parts[: number + 1]).count("\n")
            raise FaultyFile([Fault(path, line, _in_quotes_message("a value"))])
    _check_dollars(path, joined, statement)
    if _reads_nothing(statement):
        match = _WATERMARK.search(text)
        line = 1 + text.count("\n", 0, match.start()) if match else 1
        raise FaultyFile(
            [
                Fault(
                    path,
                    line,
                    "`{{ watermark }}` has no value here, as at the first run, and a comparison "
                    "with NULL finds no row: put the condition between `{% if watermark %}` and "
                    "`{% endif %}`, or give the action `watermark: {initial: …}`",
                )
            ]
        )
    return _without_comments(joined, statement)


def _in_quotes_message(what: str) -> str:
    return (
        f"{what} stands in quotes; values are bound and need none: write `where name = {{{{ name "
        "}}`, and `like '%' || {{ name }} || '%'` for a part of a text"
    )


def _in_quotes(text: str) -> Iterator[int]:
    """Which marks stand in quotes.

    Both the whole text and the mark's own line must say so: the text of another database may
    have quotes that PostgreSQL does not know.
    """
    for match in PASSED_OVER.finditer(text):
        if not match[0].startswith(_QUOTED):
            continue
        for place in range(match.start(), match.end()):
            if text[place] == _HERE:
                line = text[text.rfind("\n", 0, place) + 1 : place].replace("\\'", "")
                if line.count(match[0][-1]) % 2:
                    yield text.count(_HERE, 0, place)


def _check_dollars(path: Path, joined: str, statement: Statement) -> None:
    """A value may stand in `$$ … $$`, as in the body of a `do`, unless it would end that."""
    for match in PASSED_OVER.finditer(joined):
        if match[0].startswith("$") and _HERE in match[0]:
            first = joined.count(_HERE, 0, match.start())
            mark = f"${match[1]}$"
            for value in statement.values[first : first + match[0].count(_HERE)]:
                if mark in str(value):
                    line = 1 + joined.count("\n", 0, match.start())
                    raise FaultyFile([Fault(path, line, f"a value between {mark} has a {mark}")])


def _reads_nothing(statement: Statement) -> bool:
    """Whether NULL is compared with, and nothing asks whether it is NULL."""
    compared = False
    parts = statement.parts
    for value, before, after in zip(statement.values, parts, parts[1:], strict=False):
        if value is None and _ASKED.match(after):
            return False
        if value is None and (_COMPARED.search(before) or _COMPARES.match(after)):
            compared = True
    return compared


def _without_comments(joined: str, statement: Statement) -> Statement:
    """Without the values in comments: a text of several lines would go on behind its comment."""
    values = list(statement.values)
    for match in reversed(list(PASSED_OVER.finditer(joined))):
        if _HERE in match[0] and match[0].startswith(("--", "/*")):
            first = joined.count(_HERE, 0, match.start())
            del values[first : first + match[0].count(_HERE)]
            joined = joined[: match.start()] + match[0].replace(_HERE, "") + joined[match.end() :]
    return Statement(tuple(joined.split(_HERE)), tuple(values))
