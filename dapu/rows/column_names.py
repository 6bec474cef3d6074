"""Names of columns, from the texts that a source has for them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from dapu.statement import LONGEST_NAME

# Each table of PostgreSQL has columns of these names already: a bounding box's are common.
SYSTEM_COLUMNS = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_NO_LETTERS = re.compile(r"[\W_]+")


def column_names(headers: Iterable[str]) -> list[str]:
    """Names for columns from the texts above them: lower case, ASCII, each once.

    A text without any letter or digit gives `column_N`, N from 1.
    """
    names: list[str] = []
    taken: set[str] = set()
    for position, header in enumerate(headers, start=1):
        name = unused(column_name(header) or f"column_{position}", taken)
        taken.add(name)
        names.append(name)
    return names


def kept_names(headers: Iterable[str]) -> list[str]:
    """Names as they are, each once, and no longer than PostgreSQL takes."""
    names: list[str] = []
    taken = set(SYSTEM_COLUMNS)
    for position, header in enumerate(headers, start=1):
        name = unused(shortened_name(header) or f"column_{position}", taken)
        taken.add(name)
        names.append(name)
    return names


def shortened_name(text: str) -> str:
    """The beginning of a text that PostgreSQL takes as a name."""
    return text.replace("\0", "").encode()[:LONGEST_NAME].decode(errors="ignore")


def unused(name: str, taken: Collection[str]) -> str:
    """A name, with a number behind it where it is taken: `total_2`."""
    free, number = name, 1
    while free in taken:
        number += 1
        end = f"_{number}"
        free = name.encode()[: LONGEST_NAME - len(end)].decode(errors="ignore") + end
    return free


def column_name(text: str) -> str:
    """`Käive (EUR)` is `kaive_eur`, `xmin` is `xmin_`; empty where no letter or digit is.

    Texts without a Latin letter keep theirs, `Имя` is `имя`: a name by its place would be that of
    another column in a file with another order.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = _NOT_IN_NAMES.sub("_", plain).strip("_")[:LONGEST_NAME].strip("_")
    if not name:
        own = _NO_LETTERS.sub("_", unicodedata.normalize("NFKC", text).lower()).strip("_")
        name = own.encode()[:LONGEST_NAME].decode(errors="ignore")
    if name in SYSTEM_COLUMNS:
        return f"{name}_"
    return f"_{name}" if name[:1].isdigit() else name


def same_text(text: str) -> str:
    """A text as people compare it: without case, and with single spaces."""
    return " ".join(text.split()).casefold()
