"""A CSV file as a part: all its values as texts, so that none is changed by a guess of its type."""

from __future__ import annotations

import csv as python_csv
import io
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dapu.errors import JobError
from dapu.rows.arrow_csv import text_bytes
from dapu.rows.column_names import column_names, same_text
from dapu.sources.files.formats.csv_dialect import SAMPLE, CsvDialect, CsvStyle, find_dialect
from dapu.sources.files.formats.csv_lines import LONGEST, CsvLines
from dapu.sources.files.formats.encodings import ONE_BYTE, check_clear
from dapu.sources.files.part import PartBatch
from dapu.sources.files.places.unpack import Content
from dapu.suggest import nearest

_TOGETHER = 1 << 19  # bytes
# As Arrow says it, which leaves out the middle of a long row. Its hook for such rows writes a
# traceback to stderr when one is not UTF-8.
_BROKEN_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)


@dataclass
class CsvPart:
    """One CSV file."""

    content: Content
    dialect: CsvDialect
    sheet: None = None
    _names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        header = self.dialect.header or [""] * self.dialect.width
        self._names = column_names(header)

    @property
    def file(self) -> str:
        """Its name."""
        return self.content.name

    def columns(self) -> dict[str, int]:
        """All columns by name: from the header, or `column_1` and so on."""
        return {name: position for position, name in enumerate(self._names)}

    def find(self, key: str) -> int:
        """A column by the text in the header or its name; without a header by its number too."""
        header, names = self.dialect.header or (), self.columns()
        found = [at for at, text in enumerate(header) if same_text(text) == same_text(key)]
        if len(found) > 1:
            known = " and ".join(self._names[at] for at in found)
            raise JobError(f"{self.file} has {len(found)} columns {key!r}; call them {known}")
        if not header and key.isdecimal() and 0 < int(key) <= self.dialect.width:
            return int(key) - 1
        if not found and key not in names:
            known_texts = [text for text in header if text.strip()] or list(names)
            raise JobError(f"{self.file} has no column {key!r}{nearest(key, known_texts)}")
        return found[0] if found else names[key]

    def kinds(self, handles: Sequence[int | None]) -> list[str | None]:
        """CSV has texts only."""
        return [None for _ in handles]

    def place(self, row: int, handle: int | None) -> str:  # noqa: ARG002 - a line says enough
        """The file and the line."""
        return f"{self.file}, line {row}"

    def batches(self, handles: Sequence[int | None]) -> Iterator[PartBatch]:
        """All columns are read: a line end in any of them moves the rows that follow."""
        with self._lines() as lines:
            lines.keeps = self.copy_delimiter is not None
            numbers = _RowNumbers(lines, self.dialect.first)
            for batch in _together(self._parsed(lines, numbers)):
                as_read = lines.take(batch.num_rows)
                line_ends, is_plain = 0, as_read is not None and b'"' not in as_read
                if not is_plain:
                    texts = [text_bytes(column) for column in batch.columns]
                    line_ends = sum(text.count(b"\n") for text in texts)
                    is_plain = not line_ends and not any(b'"' in text for text in texts)
                    lines.take(line_ends)
                yield PartBatch(
                    numbers.of(batch, has_line_ends=line_ends > 0),
                    [None if at is None else batch.column(at) for at in handles],
                    _for_copy(as_read) if as_read and is_plain else None,
                )
            if lines.is_quoted:
                self._check_quotes()

    @property
    def copy_delimiter(self) -> str | None:
        """See `FilePart.copy_delimiter`."""
        is_other = self.dialect.quote == "'" or self.dialect.escape is not None
        return None if is_other else self.dialect.delimiter

    @contextmanager
    def _lines(self) -> Iterator[CsvLines]:
        dialect = self.dialect
        with self.content.open() as file:
            yield CsvLines(
                file,
                self.file,
                dialect.encoding,
                dialect.first,
                dialect.quote,
                dialect.escape,
                dialect.comment,
                dialect.returns,
            )

    def _parsed(self, lines: CsvLines, numbers: _RowNumbers) -> Iterator[pa.RecordBatch]:
        names = [str(position) for position in range(len(self._names))]
        try:
            yield from csv.open_csv(
                lines,
                csv.ReadOptions(column_names=names, use_threads=False, block_size=LONGEST),
                csv.ParseOptions(
                    delimiter=self.dialect.delimiter,
                    quote_char=self.dialect.quote or False,
                    escape_char=self.dialect.escape or False,
                    newlines_in_values=self.dialect.quote is not None,
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                ),
            )
        except pa.ArrowInvalid as error:
            if str(error).startswith("Empty CSV"):
                return
            raise self._explain(error, numbers) from error

    def _explain(self, error: Exception, numbers: _RowNumbers) -> JobError:
        if broken := _BROKEN_ROW.search(str(error)):
            row, expected, actual, shown = broken.groups()
            try:
                line = self._line_of(int(row))
            except UnicodeDecodeError:
                return self._not_utf8()
            return JobError(
                f"{self.file}, line {line}: {actual} fields where {expected} are expected: {shown}"
            )
        if "UTF8" in str(error):
            return self._not_utf8()
        if "straddling" in str(error):
            return JobError(
                f"{self.file}, at or after line {numbers.next}: a row is longer than "
                f"{LONGEST >> 20} MB; is a quote not closed?"
            )
        return JobError(f"{self.file} is broken: {error}")

    def _not_utf8(self) -> JobError:
        with self.content.open() as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return JobError(
                        f"{self.file}, line {number}: {line[error.start]:#04x} is not a character "
                        "of UTF-8; give its `encoding`"
                    )
        return JobError(f"{self.file} is not UTF-8; give its `encoding`")

    def _line_of(self, row: int) -> int:
        """The line of a row (from 1) that the parser could not take."""
        with self._lines() as lines:
            reader = self._reader(lines)
            for _ in range(row - 1):
                next(reader)
            line = self.dialect.first + reader.line_num
            for left_out in lines.left_out:
                line += left_out <= line
            return int(line)

    def _check_quotes(self) -> None:
        """After an odd number of quotes: one is in a text, or the last one is not closed."""
        with self._lines() as lines:
            try:
                for _ in self._reader(lines, strict=True):
                    pass
            except python_csv.Error as error:
                if "end of data" in str(error):
                    raise JobError(
                        f"{self.file} ends in the middle of a text: a quote is not closed"
                    ) from None

    def _reader(self, lines: CsvLines, *, strict: bool = False) -> Any:
        """Python's own reader, which is slow and knows where it is."""
        text = io.TextIOWrapper(io.BufferedReader(lines, 1 << 20), encoding="utf-8", newline="")
        python_csv.field_size_limit(sys.maxsize)
        return python_csv.reader(
            text,
            delimiter=self.dialect.delimiter,
            quotechar=self.dialect.quote,
            escapechar=self.dialect.escape,
            quoting=python_csv.QUOTE_MINIMAL if self.dialect.quote else python_csv.QUOTE_NONE,
            strict=strict,
        )


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Several batches as one: a call of Arrow takes its time, however few the rows are."""
    few: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        few.append(batch)
        size += batch.nbytes
        if size >= _TOGETHER:
            yield from pa.Table.from_batches(few).combine_chunks().to_batches()
            few, size = [], 0
    if few:
        yield from pa.Table.from_batches(few).combine_chunks().to_batches()


class _RowNumbers:
    """The line of each row: one a row, and more where texts have line ends or lines no row.

    next: the line of the next row.
    """

    def __init__(self, lines: CsvLines, first: int) -> None:
        self._left_out = lines.left_out
        self._passed = 0  # of those that were left out
        self.next = first

    def of(self, batch: pa.RecordBatch, *, has_line_ends: bool) -> Sequence[int]:
        """The lines of the rows of the next batch. has_line_ends: there are some in texts."""
        if not has_line_ends and self._passed == len(self._left_out):
            self.next += batch.num_rows
            return range(self.next - batch.num_rows, self.next)
        counts = [0] * batch.num_rows
        for column in batch.columns:
            for row, count in enumerate(pc.count_substring(column, "\n").to_pylist()):
                counts[row] += count or 0
        return [self._line(count) for count in counts]

    def _line(self, line_ends: int) -> int:
        """The line of the next row, which has so many line ends in its texts."""
        while self._passed < len(self._left_out) and self._left_out[self._passed] == self.next:
            self._passed += 1
            self.next += 1
        line, self.next = self.next, self.next + 1 + line_ends
        return line


def _for_copy(lines: bytes) -> bytes | None:
    r"""Lines without quotes and line ends in their values, if COPY reads them as the parser does.

    COPY takes a line `\.` for the end of all, and lines that end in different ways for a fault.
    """
    if b"\\" in lines and (b"\\.\n" in lines or b"\\.\r" in lines):
        return None
    return lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines


def open_csv(content: Content, style: CsvStyle, known: Collection[str]) -> CsvPart:
    """Looks at a file's beginning. Raises JobError when that is not CSV of this style."""
    with content.open() as file:
        sample = file.read(SAMPLE)
    dialect = find_dialect(content.name, sample, style, known)
    if style.encoding is None and dialect.encoding == ONE_BYTE:
        with content.open() as file:
            check_clear(content.name, file)
    return CsvPart(content, dialect)
