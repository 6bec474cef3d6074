"""What PostgreSQL would round, cut or shift in silence when it reads a value's text.

Into some types it does not refuse what they cannot hold: `1.239` becomes `1.24` in a
`numeric(10,2)`, and a time stamp without a zone leaves the zone of its text out. A reader marks
such a value, so that it is refused; where rows are staged, PostgreSQL itself looks for them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from psycopg2 import sql

from dapu.named_sql import compose
from dapu.statement import LONGEST_NAME

Reason = Callable[[str], str | None]
"""Why a value's text would not arrive as it is; None when it does, or is refused."""

_TYPE = re.compile(r"([a-z ]+?)\s*(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?")
FINEST = 6  # digits of a second
REMARK = "\ufdd2"
"""Before a remark in a value's text: a noncharacter, which no text of a source uses."""
_MOST_DIGITS = 20_000  # of a number: PostgreSQL refuses more

# Read by Python and by PostgreSQL alike.
_ZONE = (
    r":[0-9.: ]*([-+]|(?![AaPp][Mm]|[Bb][Cc]|[Aa][Dd])[A-Za-z])|[Tt][0-9]{4,6}([.][0-9]+)?[-+Zz]"
)
_TIME_OF_DAY = r"^(?!.*[Tt ]00:00(:00([.]0*)?)?$).*[0-9]:"
_LONGER_FRACTION = "[.][0-9]{{{}}}[0-9]*[1-9]|[0-9][eE]"
_MORE_DIGITS = "[1-9]([.]?[0-9]){{{}}}"
_MOVING = (
    "[Nn][Oo][Ww]|[Tt][Oo][Dd][Aa][Yy]|[Tt][Oo][Mm][Oo][Rr][Rr][Oo][Ww]"
    "|[Yy][Ee][Ss][Tt][Ee][Rr][Dd][Aa][Yy]"
)
_DAY = r"[0-9]+[-/.][0-9]+[-/.][0-9]+"
_HUNDREDTHS = "[.][0-9]{2}[0-9]*[1-9]"
_ARRAY_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^{}",\\]|\\.)+)', re.DOTALL)
_BOUND = re.compile(r'[^][(){}",]+')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_RANGES = {
    "date": "date",
    "ts": "timestamp without time zone",
    "tstz": "timestamp with time zone",
}
_CUT_INTERVAL = re.compile(r"interval [a-z ]+(\([0-9]\))?")
_GEOMETRIC = {"point", "line", "lseg", "box", "path", "polygon", "circle"}
_RANGE = re.compile("(date|ts|tstz)(?:multi)?range")


def remarked(text: str, why: str) -> str:
    """A text that no type but text takes, with the reason behind it."""
    return f"{text} {REMARK}({why})"


@dataclass(frozen=True)
class _Forms:
    """Forms of text that lose something in a type: what each loses, and its pattern."""

    patterns: tuple[tuple[str, str], ...]

    def reason(self, text: str) -> str | None:
        """See `Reason`."""
        for what, find in self._compiled:
            if find(text):
                return what
        return None

    @cached_property
    def _compiled(self) -> list[tuple[str, Callable[[str], object]]]:
        return [(what, re.compile(pattern).search) for what, pattern in self.patterns]

    @property
    def pattern(self) -> str:
        """See `Exactness`."""
        return "|".join(f"({pattern})" for _, pattern in self.patterns)

    def is_kept(self, text: sql.Composable) -> sql.Composable:
        """See `Exactness`."""
        return compose("exact.no_form", text=text, pattern=sql.Literal(self.pattern))


@dataclass(frozen=True)
class Number:
    """A type of numbers.

    rounded: a number as the type holds it. condition: the statement that compares the two.
    pattern: see `Exactness`. scale: the digits behind the point, where they are so many.
    """

    rounded: Callable[[str], tuple[Fraction, ...]]
    condition: str
    type: str
    pattern: str
    scale: int | None = None

    def reason(self, text: str) -> str | None:
        """See `Reason`."""
        try:
            exponent = re.search("[eE]([-+]?[0-9]+)", text)
            if exponent and abs(int(exponent[1])) > _MOST_DIGITS:
                return None
            is_kept = Fraction(text) in self.rounded(text)
        except (ValueError, OverflowError):  # no number, an infinite or too great one
            return None
        return None if is_kept else "would be rounded"

    def is_kept(self, text: sql.Composable) -> sql.Composable:
        """See `Exactness`."""
        return compose(self.condition, text=text, type=sql.SQL(self.type))


@dataclass(frozen=True)
class Length:
    """A type of texts; what is longer, or the spaces there, would be cut.

    longest: in characters, or in bytes of UTF-8.
    """

    longest: int
    in_bytes: bool = False

    def reason(self, text: str) -> str | None:
        """See `Reason`."""
        size = len(text.encode(errors="surrogatepass")) if self.in_bytes else len(text)
        return "would be cut" if size > self.longest else None

    @property
    def pattern(self) -> str:
        """See `Exactness`."""
        # Of bytes no expression can say it: such columns are looked at by PostgreSQL itself.
        return f"^(?s:.{{{self.longest + 1}}})"

    def is_kept(self, text: sql.Composable) -> sql.Composable:
        """See `Exactness`."""
        length = sql.SQL("octet_length" if self.in_bytes else "char_length")
        longest = sql.Literal(self.longest)
        return compose("exact.no_longer", length=length, text=text, longest=longest)


@dataclass(frozen=True)
class Several:
    """A type whose text has several values: an array, or a range with its bounds.

    one: what a single value would lose. kept: the statement that asks this of each.
    pattern: see `Exactness`.
    """

    one: _Forms | Number | Length | Cut
    kept: str
    pattern: str

    def reason(self, text: str) -> str | None:
        """See `Reason`; with the value that is meant."""
        for value in self._values(text):
            why = self.one.reason(value)
            if why is not None:
                return f"{value} {why}"
        return None

    def _values(self, text: str) -> list[str]:
        if self.kept == "exact.bounds":
            return [value.strip() for value in _BOUND.findall(text)]
        _, has_bounds, rest = text.partition("]=")  # `[0:1]={a,b}`
        elements = _ARRAY_ELEMENT.findall(rest if has_bounds and text[0] == "[" else text)
        return [
            _ESCAPE.sub(r"\1", quoted or bare)
            for quoted, bare in ((quoted, bare.strip()) for quoted, bare in elements)
            if bare.upper() != "NULL"
        ]

    def is_kept(self, text: sql.Composable) -> sql.Composable:
        """See `Exactness`."""
        return compose(self.kept, text=text, kept=self.one.is_kept(sql.Identifier("value")))


@dataclass(frozen=True)
class Cut:
    """A type that leaves parts of a value out, as `interval year to month` its days.

    Only PostgreSQL itself knows which: rows for such a column are staged.
    """

    type: str
    pattern: str = "(?!)"

    def reason(self, text: str) -> None:
        """See `Reason`."""

    def is_kept(self, text: sql.Composable) -> sql.Composable:
        """See `Exactness`."""
        return compose("exact.same_interval", text=text, type=sql.SQL(self.type))


Exactness = _Forms | Number | Length | Cut | Several
"""`reason` (a Reason), `is_kept`: the same as a condition of PostgreSQL, and `pattern`: a regular
expression for other servers, which finds all that would change, and of numbers a few more.
"""


def is_only_known_to_postgresql(type_name: str) -> bool:
    """Whether a column takes every text and cuts it, so that no remark makes it refuse one."""
    element = type_name.removesuffix("[]")
    return element in ("name", '"char"') or isinstance(exactness(element), Cut)


@lru_cache
def exactness(type_name: str) -> Exactness | None:
    """What a column may lose of a value's text; None when it takes each as it is or refuses it."""
    name = type_name.strip().lower()
    if name.endswith("[]"):
        return _of_arrays(exactness(name.removesuffix("[]")))
    bounds = _RANGE.fullmatch(name)
    if bounds is not None:
        one = exactness(_RANGES[bounds[1]])
        assert isinstance(one, _Forms)
        return Several(one, "exact.bounds", "[0-9]:" if bounds[1] == "date" else one.pattern)
    if _CUT_INTERVAL.fullmatch(name):
        return Cut(name)
    if name == '"char"':
        return Length(1, in_bytes=True)
    match = _TYPE.fullmatch(name)
    return None if match is None else _of_one(*match.groups())


def _of_arrays(one: Exactness | None) -> Exactness | None:
    if isinstance(one, Length):
        count = f"{{{one.longest + 1}}}"
        # No backslash: other servers read an expression as a text of theirs first.
        pattern = f'(?<![^{{,])(?!NULL[,}}])[^{{}}",]{count}|["][^"]{count}'
        return Several(one, "exact.elements", pattern)
    if one is None or isinstance(one, Several):
        return None
    is_anchored = isinstance(one, _Forms) and "^" in one.pattern
    return Several(one, "exact.elements", "[0-9]:" if is_anchored else one.pattern)


def _of_one(kind: str, first: str | None, second: str | None, zone: str | None) -> Exactness | None:
    if kind in ("date", "interval", "time", "timestamp"):
        digits = FINEST if first is None else int(first)
        return _of_times(kind, digits, has_zone=(zone or "").startswith(" with "))
    if kind in ("character varying", "name"):
        if kind == "name":
            return Length(LONGEST_NAME, in_bytes=True)
        return None if first is None else Length(int(first))
    return _of_numbers(kind, None if first is None else int(second or 0))


def _of_times(kind: str, digits: int, *, has_zone: bool) -> Exactness:
    finer = ("would be rounded", rf":[0-9]{{1,2}}[.][0-9]{{{digits}}}[0-9]*[1-9]")
    moving = ("would be that of the load", _MOVING)  # PostgreSQL takes `now` for a time
    forms = (finer, moving) if has_zone else (("its zone would be lost", _ZONE), finer, moving)
    match kind:
        case "date":
            return _Forms((("its time of day would be lost", _TIME_OF_DAY), moving))
        case "interval":
            seconds = ("would be rounded", rf"[.][0-9]{{{digits}}}[0-9]*[1-9] *[sS]")
            return _Forms((finer, seconds))
        case "time":
            return _Forms((("its date would be lost", _DAY), *forms))
    return _Forms(forms)


def _of_numbers(kind: str, scale: int | None) -> Exactness | None:
    if kind == "numeric" and scale is not None:
        pattern = _LONGER_FRACTION.format(scale) if scale >= 0 else "[1-9]"
        condition, same = "exact.same_number", f"numeric(1000,{scale})"
        return Number(_with_scale(scale), condition, same, pattern, scale if scale >= 0 else None)
    if kind == "money":
        return _Forms((("would be rounded", _HUNDREDTHS),))
    if kind in _GEOMETRIC:  # of doubles
        return _Forms((("would be rounded", _MORE_DIGITS.format(17)),))
    if kind == "real":
        return Number(_as_real, "exact.same_float", kind, _MORE_DIGITS.format(6))
    if kind == "double precision":
        return Number(_as_double, "exact.same_float", kind, _MORE_DIGITS.format(15))
    return None


def _with_scale(scale: int) -> Callable[[str], tuple[Fraction, ...]]:
    unit = Fraction(10) ** scale
    return lambda text: (Fraction(round(Fraction(text) * unit)) / unit,)


def _as_double(text: str) -> tuple[Fraction, ...]:
    """The number that is held, and that which is shown for it."""
    held = float(text)
    return Fraction(held), Fraction(repr(held))


def _as_real(text: str) -> tuple[Fraction, ...]:
    held = _single(float(text))
    shown = next(s for digits in range(6, 10) if _single(float(s := f"{held:.{digits}g}")) == held)
    return Fraction(held), Fraction(repr(held)), Fraction(shown)


def _single(number: float) -> float:
    return float(struct.unpack("f", struct.pack("f", number))[0])
