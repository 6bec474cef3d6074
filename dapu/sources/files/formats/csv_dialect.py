"""How a CSV file is written: what the options leave open is guessed from its beginning.

The guess looks at whole records. A delimiter is the one by which the most records have the same
number of fields; the first record is a header when it could not be a row like the others.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from dapu.errors import JobError
from dapu.rows.column_names import column_names
from dapu.sources.files.formats.encodings import ONE_BYTE, guess_encoding
from dapu.sources.files.values.numbers import Mark

SAMPLE = 1 << 18  # bytes

_DELIMITERS = (",", ";", "\t", "|")
_VALUE = re.compile(r"[+-]?[\d.,\u00a0 ]*\d|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*|(?i:true|false)|")
_COMMA_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}([. \u00a0]\d{3})+),\d+")
_POINT_OR_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_POINT_NUMBER = re.compile(r"[+-]?\d+\.\d+")
_SAID = re.compile(r'"?sep=(.)"?\r?\n', re.I)  # what Excel takes for the delimiter
END_OF_FILE = "\x1a"  # Ctrl-Z, which programs of DOS wrote, and of CP/M up to a whole block
_FEW = 3  # numbers that follow one another by chance
_SHOWN = 100  # characters of a line
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}


@dataclass(frozen=True)
class CsvStyle:
    """What the options say of a CSV file; None is guessed.

    quote: the character around texts, or empty for none.
    escape: what stands before a quote within a text, or empty where it is doubled.
    header: the line of the header, or False when there is none.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: int | Literal[False] | None = None
    comment: str | None = None
    decimal: Mark | None = None


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written.

    first: the line of the first row, from 1. returns: carriage returns end the lines, each alone.
    """

    encoding: str
    delimiter: str
    quote: str | None
    escape: str | None
    comment: str | None
    decimal: Mark | None
    header: tuple[str, ...] | None
    width: int
    first: int
    returns: bool
    guessed: tuple[str, ...]


def find_dialect(name: str, sample: bytes, style: CsvStyle, known: Collection[str]) -> CsvDialect:
    """The dialect of a file by its first bytes.

    known: names that columns have, so that a record of such names is a header.
    Raises JobError when the file is empty or not in the encoding that is given.
    """
    guessed: list[str] = []
    encoding = style.encoding or guess_encoding(name, sample)
    if style.encoding is None and encoding == ONE_BYTE:
        guessed.append(f"encoding {encoding}")
    text = _decode(name, sample, encoding).rstrip(END_OF_FILE)
    quote = '"' if style.quote is None else style.quote or None
    comment = style.comment or _guess_comment(text, guessed)
    said = _SAID.match(text)
    preamble = max(style.header - 1 if style.header else 0, 1 if said else 0)
    lines, before = _without_comments(text, comment, preamble)
    if not lines:
        raise JobError(f"{name} has no line with anything in it")
    delimiter = style.delimiter or (said and said[1])
    escape = style.escape or None
    if style.escape is None:
        escape = _guess_escape(name, lines, delimiter, quote, guessed)
    if delimiter is None:
        delimiter = _guess_delimiter(name, lines, quote, escape, guessed)
    records, ends = _records(lines, delimiter, quote, escape)
    width = max(Counter(map(len, records)).items(), key=lambda item: (item[1], item[0]))[0]
    header = _header(name, style, records, known, guessed)
    if header is not None:
        width = len(header)
    decimal = style.decimal or _guess_decimal(records[header is not None :], delimiter, guessed)
    first = before + 1 + (ends[0] if header is not None else 0)
    returns = "\r" in text and "\n" not in text
    if returns:
        guessed.append("lines that end with carriage returns")
    return CsvDialect(
        encoding,
        delimiter,
        quote,
        escape,
        comment,
        decimal,
        header,
        width,
        first,
        returns,
        tuple(guessed),
    )


def _decode(name: str, sample: bytes, encoding: str) -> str:
    try:
        "".encode(encoding)  # which only character sets can
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except LookupError:
        raise JobError(f"the encoding {encoding} of {name} is unknown") from None
    except UnicodeDecodeError as error:
        line = 1 + sample[: error.start].count(b"\n")
        raise JobError(
            f"{name}, line {line}: {error.object[error.start]:#04x} is not a character of "
            f"{encoding}; give another `encoding`"
        ) from None


def _guess_comment(text: str, guessed: list[str]) -> str | None:
    if not text.startswith("#"):
        return None
    guessed.append("comments begin with #")
    return "#"


def _without_comments(text: str, comment: str | None, skip: int) -> tuple[list[str], int]:
    """The lines from the first that is neither a comment nor blank, and how many are before."""
    lines = list(io.StringIO(text, newline=""))
    before = skip
    for line in lines[skip:]:
        if line.strip("\r\n") and not (comment and line.startswith(comment)):
            break
        before += 1
    rest = lines[before:]
    # The last line may be cut off by the end of the sample.
    return (rest[:-1] if len(rest) > 1 and not rest[-1].endswith(("\n", "\r")) else rest), before


def _records(
    lines: Sequence[str], delimiter: str, quote: str | None, escape: str | None
) -> tuple[list[list[str]], list[int]]:
    """The records, and after how many lines each of them ends."""
    reader = csv.reader(
        io.StringIO("".join(lines), newline=""),
        delimiter=delimiter,
        quotechar=quote,
        escapechar=escape,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    records, ends = [], []
    try:
        for record in reader:
            if record:
                records.append(record)
                ends.append(reader.line_num)
    except csv.Error:  # a field longer than the sample: what was read before is enough
        pass
    return records or [[""]], ends or [1]


def _fit(
    lines: Sequence[str], delimiter: str, quote: str | None, escape: str | None
) -> tuple[float, int]:
    """Which part of the records have the most frequent number of fields, and this number."""
    widths = Counter(len(record) for record in _records(lines, delimiter, quote, escape)[0])
    width, times = max(widths.items(), key=lambda item: (item[1], item[0]))
    return (times / widths.total() if width > 1 else 0.0), width


def _guess_escape(
    name: str, lines: Sequence[str], delimiter: str | None, quote: str | None, guessed: list[str]
) -> str | None:
    """A backslash, where quotes in texts have one before them instead of being doubled."""
    if quote is None or not any(f"\\{quote}" in line for line in lines):
        return None
    delimiters = _DELIMITERS if delimiter is None else (delimiter,)
    doubled = max(_fit(lines, one, quote, None) for one in delimiters)
    escaped = max(_fit(lines, one, quote, "\\") for one in delimiters)
    if doubled == escaped:
        raise JobError(
            f"{name}: whether a backslash before a quote belongs to the text cannot be known; say "
            "`escape: '\\'` where it escapes the quote, else `escape: none`"
        )
    if doubled > escaped:
        return None
    guessed.append("quotes escaped by backslashes")
    return "\\"


def _guess_delimiter(
    name: str, lines: Sequence[str], quote: str | None, escape: str | None, guessed: list[str]
) -> str:
    fits = {one: _fit(lines, one, quote, escape)[0] for one in _DELIMITERS}
    most = max(fits.values())
    best, *others = (one for one, fit in fits.items() if fit == most)
    if most == 0:
        return ","  # one column: it does not matter
    if others:
        names = " and the ".join(_NAMES[one] for one in (best, *others))
        raise JobError(
            f"{name}: the {names} divide its lines equally well; say which it is with `delimiter`"
        )
    guessed.append(f"delimiter {_NAMES[best]}")
    return best


def _header(
    name: str,
    style: CsvStyle,
    records: list[list[str]],
    known: Collection[str],
    guessed: list[str],
) -> tuple[str, ...] | None:
    if style.header is False:
        return None
    first = tuple(records[0])
    if style.header is not None:
        return first
    is_header = _is_header(records, known)
    if is_header is None:
        raise JobError(
            f"{name}: whether its first line names the columns cannot be known "
            f"({', '.join(first)[:_SHOWN]}); say `header: 1`, or `header: none`"
        )
    guessed.append("a header" if is_header else "no header")
    return first if is_header else None


def _is_header(records: list[list[str]], known: Collection[str]) -> bool | None:
    """Whether the first record names the columns; None when that cannot be known."""
    first = records[0]
    while first and not first[-1].strip():  # lines that end with a delimiter
        first = first[:-1]
    named = [text for text in first if text.strip()]
    is_known = bool({*named, *column_names(named)} & set(known))
    # What pandas and R write has no name above the numbers of the rows.
    values = [text for text in named if _VALUE.fullmatch(text.strip())]
    if values:
        return is_known or _names_are_years(records, first, values)
    if _stands_out(records):
        return True
    return is_known if known else len(set(first)) == len(first)


def _names_are_years(records: list[list[str]], first: list[str], values: list[str]) -> bool | None:
    """Whether years, or other whole numbers in a row, stand above numbers that are not."""
    if len(values) == len(first) or not all(re.fullmatch(r"\d{1,4}", text) for text in values):
        return False
    numbers = [int(text) for text in values]
    are_years = all(map(_is_year, numbers)) and len(set(numbers)) == len(numbers)
    if not are_years:
        follow = [number + 1 for number in numbers[:-1]] == numbers[1:]
        return None if follow and len(numbers) >= _FEW else False
    places = [at for at, text in enumerate(first) if text in values]
    below = [record[at].strip() for record in records[1:] for at in places if at < len(record)]
    if not any(below) or all(text.isdecimal() and _is_year(int(text)) for text in below if text):
        return None
    return True


def _is_year(number: int) -> bool:
    return 1800 <= number < 2200


def _stands_out(records: list[list[str]]) -> bool:
    """Whether a column has numbers or dates below a text."""
    below = list(zip(*[record for record in records[1:] if len(record) == len(records[0])],
                     strict=True))  # fmt: skip
    return any(
        any(column) and all(_VALUE.fullmatch(text.strip()) for text in column) for column in below
    )


def _guess_decimal(records: list[list[str]], delimiter: str, guessed: list[str]) -> Mark | None:
    """A comma, when numbers have one and none has a point."""
    texts = [text.strip() for record in records for text in record]
    commas = sum(_COMMA_NUMBER.fullmatch(text) is not None for text in texts)
    unclear = sum(re.fullmatch(r"[+-]?\d{1,3},\d{3}", text) is not None for text in texts)
    if not commas and any(_POINT_OR_GROUP.fullmatch(text) for text in texts):
        guessed.append("decimal point")
    if delimiter == "," or commas <= unclear:
        return None
    if any(_POINT_NUMBER.fullmatch(text) and not re.fullmatch(r"\d{1,3}\.\d{3}", text)
           for text in texts):  # fmt: skip
        return None
    guessed.append("decimal comma")
    return ","
