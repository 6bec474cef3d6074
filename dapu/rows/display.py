"""Values of a row as messages show them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_LONGEST = 100  # characters
_PLAIN = re.compile(r"[\w.:+-]+( [\d.:+-]+)?")


def readable(text: str | None) -> str:
    r"""A value in quotes; what is not a character as `\xff`."""
    if text is None:
        return "null"
    bare = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    bare = bare.replace("\0", "\\x00")
    return f'"{bare if len(bare) <= _LONGEST else bare[:_LONGEST] + "..."}"'


def names_a_row(record: Mapping[str, str | None], key: Sequence[str], but: str | None) -> str:
    """`, shop 3, sale_id 17`, to stand behind the number of a row; but: not this column."""
    named = ((name, record.get(name)) for name in key if name != but)
    return "".join(f", {name} {_bare(text)}" for name, text in named if text)


def _bare(text: str) -> str:
    """Numbers, codes and times need no quotes."""
    return text if len(text) < _LONGEST and _PLAIN.fullmatch(text) else readable(text)
