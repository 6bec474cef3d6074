"""Finds the kind that holds each value of a column, for a column that no table has yet.

All values are looked at. A kind is given only when every value comes back from it as it was:
`007` is a text, though it could be read as a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dapu.rows.exactness import REMARK
from dapu.sources.files.part import Values
from dapu.sources.files.values.convert_texts import TextStyle, text_converter
from dapu.sources.files.values.kinds import Kind

_WHOLE = r"^(-?[1-9]\d{0,17}|0)$"
_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]\d+)?$"
_COMMA_NUMBER = r"^-?(0|[1-9]\d{0,2}(\.\d{3})+|[1-9]\d*)(,\d+)?$"
_TRUTH = r"^(?i:true|false)$"
_ISO_DATE = r"^\d{4,}-\d\d-\d\d( BC)?$"
_ISO_TIME = r"^\d{4,}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( BC)?$"
_ISO_ZONED = r"^\d{4,}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d(:?\d\d)?)( BC)?$"
_CAN_BE_DATE = r"^\d{1,4}[-/. ]|^[A-Za-z]{3,9} "

_DATE_LENGTH = len("2024-12-31")  # of this length Arrow reads no other form

_WHOLE_NUMBERS = range(-(2**63), 2**63)
_EXACT = 1e15  # whole floats from here on may have been rounded by who wrote them
_BY_TYPE: dict[type, Kind] = {
    bool: "boolean",
    Decimal: "decimal",
    date: "date",
    dict: "json",
    list: "json",
}


class KindSurvey:
    """Finds the kind of one column, batch by batch.

    of_cells: the values have types of their own; a text among texts is a text then.
    """

    def __init__(self, style: TextStyle, *, of_cells: bool) -> None:
        self._style, self._of_cells = style, of_cells
        self._texts = _TextSurvey(style)
        self._cells: set[Kind] = set()

    def see(self, values: Values) -> None:
        """Takes values into account."""
        if isinstance(values, pa.Array):
            self._texts.see(values)
            return
        types = set(map(type, values)) - {type(None)}
        if str in types:
            types.remove(str)
            self._texts.see(_with_content([value for value in values if type(value) is str]))
        for kind in types:
            self._cells.update(_of_cells([value for value in values if type(value) is kind], kind))

    def kind(self) -> Kind:
        """The kind that holds all values that were seen."""
        if not self._of_cells:
            return self._texts.kind()
        found = set(self._cells)
        if self._texts.seen:
            found.add(self._texts.kind() if found else "text")
        return _common(found)

    @property
    def has_seen(self) -> bool:
        """Whether there was any value."""
        return bool(self._cells) or self._texts.seen

    @staticmethod
    def of_all(surveys: Sequence[KindSurvey]) -> Kind:
        """The kind that holds what several found, each in a part of its own."""
        return _common({survey.kind() for survey in surveys if survey.has_seen})


def _with_content(texts: list[str]) -> pa.Array:
    array = pa.array([text for text in texts if REMARK not in text], pa.string())
    return pc.filter(array, pc.greater(pc.binary_length(pc.utf8_trim_whitespace(array)), 0))


def _of_cells(values: list[Any], kind: type) -> set[Kind]:
    """The kinds that values of one type have."""
    if kind is int:
        in_range = min(values) in _WHOLE_NUMBERS and max(values) in _WHOLE_NUMBERS
        return {"integer" if in_range else "decimal"}
    if kind is float:
        whole = max(map(abs, values)) < _EXACT and all(map(float.is_integer, values))
        return {"integer" if whole else "decimal"}
    if kind is datetime:
        return {"timestamp" if value.tzinfo is None else "zoned" for value in values}
    return {_BY_TYPE.get(kind, "text")}


def _common(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds and kinds <= {"integer", "decimal"}:
        return "decimal"
    if kinds and kinds <= {"date", "timestamp"}:
        return "timestamp"
    return "json" if "json" in kinds else "text"


@dataclass
class _TextSurvey:
    """Which kinds all texts of a column can be."""

    style: TextStyle
    seen: bool = False
    _left: dict[Kind, Callable[[pa.Array], bool]] = field(init=False)

    def __post_init__(self) -> None:
        number = _COMMA_NUMBER if self.style.decimal == "," else _NUMBER
        self._left = {
            "boolean": lambda values: _all_match(values, _TRUTH),
            "integer": lambda values: _all_match(values, _WHOLE),
            "decimal": lambda values: _all_match(values, number),
            "date": lambda values: self._all_become(values, "date", pa.date32(), _ISO_DATE),
            "timestamp": lambda values: self._all_become(
                values, "timestamp", pa.timestamp("us"), _ISO_TIME
            ),
            "zoned": lambda values: _all_match(values, _ISO_ZONED),
        }

    def see(self, values: pa.Array) -> None:
        if self.seen and not self._left:
            return
        # An empty text in quotes is null for a number or a date too.
        shortest = pc.min(pc.binary_length(values)).as_py()
        is_full = shortest and not values.null_count
        texts = values if is_full else pc.filter(values, pc.greater(pc.binary_length(values), 0))
        if not len(texts):
            return
        self.seen = True
        for kind in list(self._left):
            implied = {"decimal": "integer", "timestamp": "date"}.get(kind)
            if implied not in self._left and not self._left[kind](texts):
                del self._left[kind]

    def kind(self) -> Kind:
        return next(iter(self._left), "text") if self.seen else "text"

    def _all_become(self, texts: pa.Array, kind: Kind, parsed: pa.DataType, pattern: str) -> bool:
        """Whether all are dates or times: in ISO 8601, or in a form that means only one."""
        try:
            pc.cast(texts, parsed)
        except pa.ArrowInvalid:
            pass
        else:
            if kind == "date" and pc.max(pc.binary_length(texts)).as_py() == _DATE_LENGTH:
                return True  # a regular expression takes three times as long
            return _all_match(texts, _ISO_DATE if kind == "date" else _CAN_BE_DATE)
        if not _all_match(texts, _CAN_BE_DATE):
            return False
        convert = text_converter(kind, self.style)
        converted = [convert(text) for text in pc.unique(texts).to_pylist()]
        ends = _ISO_DATE if kind == "date" else f"{_ISO_DATE}|{pattern}"
        return _all_match(pa.array(converted, pa.string()), ends)


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())
