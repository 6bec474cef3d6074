"""Named statements for a source: without comments, and filled with names that its driver quoted."""

from __future__ import annotations

from functools import cache

from dapu.named_sql import statement
from dapu.statement import Statement


def fragment(name: str, /, **parts: str) -> str:
    """The text of the statement `file.name`, or a piece of one, its braces filled with SQL."""
    return _text(name).format(**parts)


def fill_statement(name: str, /, **pieces: str | Statement) -> Statement:
    """The statement `file.name`, its braces filled with SQL that may have bound values."""
    filled = Statement(("",))
    rest = _text(name)
    while "{" in rest:
        before, _, rest = rest.partition("{")
        key, _, rest = rest.partition("}")
        piece = pieces[key]
        filled = filled.then(Statement((before,)))
        filled = filled.then(Statement((piece,)) if isinstance(piece, str) else piece)
    return filled.then(Statement((rest,)))


@cache
def _text(name: str) -> str:
    """Without its comments, and with percent signs as they are: only psycopg2 has them doubled."""
    lines = statement(name).splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).replace("%%", "%")
