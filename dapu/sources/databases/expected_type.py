"""Which type a source declares for a column, when the target's column exists already.

By the declared type a load decides whether the target takes every value as it is, or must change.
So the target's own type is declared where COPY either takes a value as it is or refuses it; numbers
and times it rounds in silence.
"""

from __future__ import annotations

import re

from dapu.rows.exactness import exactness
from dapu.rows.types import holds, is_integer, is_text, is_widened

_BITS = {"bit", "bit varying"}
_BRACKETS = re.compile(r"\([^)]*\)")
_SIZE = re.compile(r"\((\d+)(?:,(-?\d+))?\)")


def base(type_name: str) -> str:
    """A type without what stands in brackets: `numeric` of `numeric(15,2)`."""
    return _BRACKETS.sub("", type_name).strip('"')


def size(type_name: str) -> tuple[int, int] | None:
    """The one or two numbers in a type's brackets: (15, 2) of `numeric(15,2)`."""
    found = _SIZE.search(type_name)
    return (int(found[1]), int(found[2] or 0)) if found else None


def is_refused(target: str, own: str) -> bool:
    """Whether a column refuses what it cannot hold of another kind of values: it loses nothing."""
    return not is_widened(target, own) and exactness(target) is None


def declared_type(own: str, target: str | None, *, computed: bool, scale: int | None = None) -> str:
    """The type to declare.

    own: the type that holds all values. target: the type of the target's column, if there is one.
    computed: the column is not one of a table, whose declaration says how wide its values may
    become; the type of an expression is often far wider than its values.
    scale: the most digits after the point that a computed number has, when that is known.
    """
    if target is None or holds(target, own):
        return target or own
    if not computed:
        return own
    kinds = base(own), base(target)
    if (is_text(own) and is_text(target)) or all(kind in _BITS for kind in kinds):
        return target
    if is_integer(target) and (is_integer(own) or kinds[0] == "numeric"):
        return target  # a fraction is refused
    digits = size(target)
    if kinds == ("numeric", "numeric") and scale is not None and digits is not None:
        return target if scale <= digits[1] else own
    return own
