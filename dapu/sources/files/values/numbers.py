"""Numbers as people and programs write them, as PostgreSQL reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from dapu.rows.exactness import remarked

Mark = Literal[",", "."]

_SPACED = re.compile(r"([+-]?\d{1,3}(?:[ \u00a0\u2009\u202f'\u2019]\d{3})+)((?:[.,]\d+)?)")
_GAPS = re.compile(r"[ \u00a0\u2009\u202f'\u2019]")
_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?")
_ONE_COMMA = re.compile(r"[+-]?(\d*),(\d+)")
_GROUPED = {
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"),
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?"),
}
_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_GROUPS_OR_FRACTION = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_OF_PROGRAMS = re.compile(r"[+-]?0[xXoObB].*|.*_.*", re.DOTALL)  # 0x1F and 1_000, as in SQL
_PADDED = re.compile(r"[+-]?0\d.*", re.DOTALL)


def decimal(text: str, mark: Mark | None) -> str | None:
    """A number with a decimal point and without groups; None for an empty text.

    mark: the decimal mark, where it is known. Without it a text that can mean two numbers
    (`1,234`) is given back with a word of why, which no number column takes.
    """
    bare = text.strip().replace("\u2212", "-")
    if not bare:
        return None
    if spaced := _SPACED.fullmatch(bare):
        bare = _GAPS.sub("", spaced[1]) + spaced[2]
    if _PLAIN.fullmatch(bare) and not (mark == "," and "." in bare):
        return bare
    if "," in bare or "." in bare:
        return _with_marks(bare, mark)
    return remarked(bare, "no number as people write it") if _OF_PROGRAMS.fullmatch(bare) else bare


def _with_marks(text: str, mark: Mark | None) -> str:
    """A text with a comma, or with a point where the decimal mark is a comma."""
    for group in (",", "."):
        other = "." if group == "," else ","
        grouped = _GROUPED[group].fullmatch(text)
        is_clear = other in text or (group == "," and text.count(",") > 1)
        if grouped and (mark == other or (mark is None and is_clear)):
            return text.replace(group, "").replace(",", ".")
    if mark == "," and "." in text:
        return remarked(text, "a point, where the decimal mark is a comma")
    single = _ONE_COMMA.fullmatch(text)
    if single is None or mark == ".":
        return text
    if mark is None and len(single[2]) == 3 and 0 < len(single[1].lstrip("0")) <= 3:
        return remarked(text, "a decimal comma or thousands? say `decimal`")
    return text.replace(",", ".")


def integer(text: str, mark: Mark | None) -> str | None:
    """A whole number; `12.0` and `12,00` are 12."""
    number = decimal(text, mark)
    whole = _WHOLE.fullmatch(number) if number else None
    return whole[1] if whole else number


def unmistakable(text: str, read: Callable[[str], str | None]) -> str | None:
    """A number by its reader, unless `1.234` could be a thousand to who wrote it."""
    bare = text.strip()
    if _GROUPS_OR_FRACTION.fullmatch(bare):
        return remarked(bare, "a decimal point or thousands? say `decimal`")
    return read(text)


def unpadded(text: str, read: Callable[[str], str | None]) -> str | None:
    """A number by its reader, unless it has zeros before it: then it may be a code."""
    bare = text.strip()
    if _PADDED.fullmatch(bare):
        return remarked(bare, "a code? its zeros would be lost; give the column a `type`")
    return read(text)
