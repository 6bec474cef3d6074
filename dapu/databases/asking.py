"""Named statements for a source: with names that its driver quoted, and bound values."""

from __future__ import annotations

from dapu.definitions.templates import Statement
from dapu.named_sql import statement


def text_of(name: str) -> str:
    """The text of the statement `file.name`, for a driver that is not psycopg2."""
    return statement(name).replace("%%", "%")


def fill_statement(name: str, /, **pieces: str | Statement) -> Statement:
    """The statement `file.name` with its braces filled by quoted names or whole statements."""
    filled = Statement(("",))
    rest = text_of(name)
    while "{" in rest:
        before, _, rest = rest.partition("{")
        key, _, rest = rest.partition("}")
        piece = pieces[key]
        filled = filled.then(Statement((before,)))
        filled = filled.then(Statement((piece,)) if isinstance(piece, str) else piece)
    return filled.then(Statement((rest,)))
