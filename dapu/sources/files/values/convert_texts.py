"""Texts of files as the texts that PostgreSQL reads, whole columns at a time.

Most columns are written as PostgreSQL reads them already, which a look at the column's bytes
shows; the others go through each of their distinct values once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial

import pyarrow as pa
import pyarrow.compute as pc

from dapu.rows.arrow_csv import text_bytes
from dapu.sources.files.values.kinds import Kind
from dapu.sources.files.values.numbers import Mark, decimal, integer, unmistakable, unpadded
from dapu.sources.files.values.times import DateOrder, DateStyle, iso_date, iso_time

Convert = Callable[[str], str | None]

_REMEMBERED = 65_536  # distinct values of a column
_ZONED = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)$"


@dataclass(frozen=True)
class TextStyle:
    """How a file writes numbers and dates, where it is known.

    trim: spaces at the ends of a text mean nothing, and an empty text is null.
    of_people: a number that is a text was written by a person.
    padded: zeros before a number mean nothing.
    """

    decimal: Mark | None = None
    dates: DateOrder | None = None
    formats: tuple[str, ...] = ()
    trim: bool = False
    of_people: bool = False
    padded: bool = True


def text_converter(kind: Kind, style: TextStyle) -> Convert:
    """What turns a text into the one that a column of this kind reads; None is null."""
    dates = DateStyle(style.dates, style.formats)
    converters: dict[Kind, Convert] = {
        "integer": partial(integer, mark=style.decimal),
        "decimal": partial(decimal, mark=style.decimal),
        "date": partial(iso_date, style=dates),
        "timestamp": partial(iso_time, style=dates, zoned=False),
        "zoned": partial(iso_time, style=dates, zoned=True),
    }
    read = converters.get(kind, _bare)
    if kind not in ("integer", "decimal"):
        return read
    if style.decimal is None and (kind == "integer" or style.of_people):
        read = partial(unmistakable, read=read)
    return read if style.padded else partial(unpadded, read=read)


def _bare(text: str) -> str | None:
    return text.strip() or None


@dataclass
class TextColumn:
    """Converts one column, batch by batch."""

    kind: Kind
    style: TextStyle
    _convert: Convert = field(init=False)

    def __post_init__(self) -> None:
        self._convert = lru_cache(_REMEMBERED)(text_converter(self.kind, self.style))

    def __call__(self, values: pa.Array) -> pa.Array:
        """The texts as PostgreSQL reads them."""
        if self.is_ready(values):
            return values
        distinct = pc.dictionary_encode(values)
        texts = [None if v is None else self._convert(v) for v in distinct.dictionary.to_pylist()]
        return pc.take(pa.array(texts, pa.string()), distinct.indices)

    def is_ready(self, values: pa.Array) -> bool:
        """Whether all values are written as PostgreSQL reads them, and mean what it reads."""
        if self.kind == "text":
            return True
        if self.kind in ("integer", "decimal"):
            return self._are_plain_numbers(values)
        if self.kind == "date":
            return _parses_as(values, pa.date32())
        if self.kind == "timestamp":
            return _parses_as(values, pa.timestamp("us"))
        if self.kind == "zoned":
            return bool(pc.all(pc.match_substring_regex(values, _ZONED)).as_py())
        return _are_bare(values)

    def _are_plain_numbers(self, values: pa.Array) -> bool:
        texts = text_bytes(values)
        has_point = self.kind == "decimal" and self.style.decimal != ","
        if texts.translate(None, b"0123456789-." if has_point else b"0123456789-"):
            return False
        if pc.min(pc.binary_length(values)).as_py() == 0:
            return False
        signs = ("", "-") if b"-" in texts else ("",)
        return self.style.padded or not any(_is_padded_behind(sign, values) for sign in signs)


def _is_padded_behind(sign: str, values: pa.Array) -> bool:
    """A regular expression takes long, so it gets only those that begin like it and not as `0.`."""
    zeros = pc.starts_with(values, f"{sign}0")
    if not pc.any(zeros).as_py():
        return False
    others = pc.and_not(zeros, pc.starts_with(values, f"{sign}0."))
    shortest = pa.scalar(len(sign) + 2, pa.int32())
    longer = pc.and_(others, pc.greater_equal(pc.binary_length(values), shortest))
    found = pc.match_substring_regex(pc.filter(values, longer), "^-?0[0-9]")
    return bool(pc.any(found).as_py())


def _are_bare(values: pa.Array) -> bool:
    """Whether no value is empty or has spaces at its ends."""
    bare = pc.and_(
        pc.equal(pc.utf8_trim_whitespace(values), values),
        pc.greater(pc.binary_length(values), 0),
    )
    return bool(pc.all(bare).as_py())


def _parses_as(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        pc.cast(values, kind)
    except pa.ArrowInvalid:
        return False
    return True
