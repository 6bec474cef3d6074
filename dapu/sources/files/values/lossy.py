"""Values that PostgreSQL would round or cut in silence: marked, so that it refuses them.

Whether a column can lose anything is known by its type. Of one that can, Arrow finds the few values
to look at, so that rows which COPY reads as they stand still go to it as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dapu.rows.arrow_csv import text_bytes
from dapu.rows.exactness import Exactness, Length, Number, exactness, remarked
from dapu.sources.files.values.kinds import Kind

_REFUSED_ALREADY = ("date", "timestamp", "zoned")  # by how their texts are converted


@dataclass(frozen=True)
class Losses:
    """What one column would lose.

    type: the PostgreSQL type. is_converted: its texts were converted as people write them, which
    refuses what a date or time would lose.
    """

    kind: Kind
    type: str
    is_converted: bool

    @cached_property
    def _exact(self) -> Exactness | None:
        is_refused = self.kind in _REFUSED_ALREADY and "(" not in self.type
        return None if is_refused and self.is_converted else exactness(self.type)

    def marked(self, values: pa.Array) -> pa.Array:
        """The values; where one would lose something, all as texts, and that one with a remark."""
        exact = self._exact
        if exact is None or _is_whole(values, self.type):
            return values
        texts = values.cast(pa.string())
        suspects = pc.unique(pc.filter(texts, self._may_lose(exact, texts))).to_pylist()
        reasons = {text: why for text in suspects if (why := exact.reason(text))}
        if not reasons:
            return values
        marked = [
            remarked(text, reasons[text]) if text in reasons else text for text in texts.to_pylist()
        ]
        return pa.array(marked, pa.string())

    def _may_lose(self, exact: Exactness, texts: pa.Array) -> pa.Array:
        """Which texts are to be looked at."""
        if isinstance(exact, Length):
            return pc.greater(pc.binary_length(texts), exact.longest)
        if isinstance(exact, Number):
            return _of_numbers(exact, texts)
        # Arrow's regular expressions never look ahead, as the forms of times need.
        return pc.is_valid(texts)


def _of_numbers(exact: Number, texts: pa.Array) -> pa.Array:
    """Which numbers are to be looked at. A regular expression is asked where it has to be."""
    if exact.scale is not None and not _has_exponents(texts):
        point = pc.find_substring(texts, ".")
        digits = pc.subtract(pc.binary_length(texts), point)
        longer = pc.and_(pc.greater_equal(point, 0), pc.greater(digits, exact.scale + 1))
        if not pc.any(longer).as_py():
            return longer
    return pc.match_substring_regex(texts, exact.pattern)


def _has_exponents(texts: pa.Array) -> bool:
    characters = text_bytes(texts)
    return b"e" in characters or b"E" in characters


def _is_whole(values: pa.Array, type_name: str) -> bool:
    """Whether values have a type that the column's holds whole, or none that can be compared."""
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_boolean(kind):
        return True
    return bool(pa.types.is_floating(kind) and type_name == "double precision")
