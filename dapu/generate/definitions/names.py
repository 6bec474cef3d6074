"""Names that PostgreSQL and a folder take as they are, from the names that a source has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from dapu.rows.column_names import column_name, unused
from dapu.statement import LONGEST_NAME

# Words that mean something else where a column is meant (SQLAlchemy's list has not all of them),
# and the columns that each table has already:
# https://www.postgresql.org/docs/current/sql-keywords-appendix.html and ddl-system-columns.html
_WORDS = {"collation", "concurrently", "lateral", "system_user", "tablesample", "window"}
_SYSTEM = {"cmax", "cmin", "ctid", "oid", "tableoid", "xmax", "xmin"}
RESERVED = frozenset(RESERVED_WORDS | _WORDS | _SYSTEM)
_NOT_IN_NAMES = re.compile(r"\W+")


def safe_name(text: str) -> str:
    """`Unit Price ($)` is `unit_price`; empty when no letter or digit is left.

    Lower case, as PostgreSQL reads a name without quotes. Letters that have no ASCII form stay.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    if all(character.isascii() or not character.isalpha() for character in decomposed):
        return column_name(text)
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFKC", text).lower()).strip("_")
    name = name.encode()[:LONGEST_NAME].decode(errors="ignore")
    return name if name.isidentifier() and name == name.lower() else ""


def name_column(text: str, otherwise: str, taken: Collection[str]) -> str:
    """A column's name: safe, no reserved word, and not taken.

    otherwise: for a text without letters and digits.
    """
    name = safe_name(text) or otherwise
    if name in RESERVED:
        name += "_"
    return unused(name, taken)


def name_table(texts: Sequence[str], taken: Collection[str]) -> str:
    """A table's name: the first of these that is not taken, else the first with a number."""
    names = [safe_name(text) for text in texts]
    if not names[0]:
        return unused("unnamed", taken)
    return next((name for name in names if name not in taken), unused(names[0], taken))
