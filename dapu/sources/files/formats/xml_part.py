"""XML as a part: elements at a path are the records, paths below them the columns.

Names are compared without their namespaces. The file is read a record at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

import pyarrow as pa

from dapu.errors import JobError
from dapu.rows.column_names import column_names
from dapu.sources.documents.xml_records import XmlRecords
from dapu.sources.files.part import PartBatch, batches_of
from dapu.sources.files.places.unpack import Content

Path = tuple[str, ...]


@dataclass
class XmlPart:
    """One XML file.

    records: the path from the top, `/invoices/invoice`, or its end.
    has_records, found: what was read so far: whether anything, and the columns with a value.
    """

    content: Content
    records: str
    sheet: None = None
    copy_delimiter: None = None
    has_records: bool = field(default=False, init=False)
    found: set[Path | None] = field(default_factory=set, init=False)
    _paths: dict[str, Path] | None = field(default=None, init=False)
    _records: XmlRecords = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._records = XmlRecords(self.file, self.records)

    @property
    def file(self) -> str:
        """Its name."""
        return self.content.name

    def columns(self) -> dict[str, Path]:
        """All elements and attributes with a value, of all records, which are looked at once.

        `text` is the record's own text.
        """
        if self._paths is None:
            paths: dict[Path, None] = {}
            for record in self._all_records():
                paths.update(dict.fromkeys(_value_paths(record, ())))
            names = column_names("_".join(path).replace("@", "") or "text" for path in paths)
            self._paths = dict(zip(names, paths, strict=True))
        return self._paths

    def find(self, key: str) -> Path:
        """`customer/name`, `@id`, `customer/@code`; `.` is the record's own text."""
        return tuple(step for step in key.split("/") if step not in ("", "."))

    def kinds(self, handles: Sequence[Path | None]) -> list[str | None]:
        """XML has texts only."""
        return [None for _ in handles]

    def place(self, row: int, handle: Path | None) -> str:
        """The file, the record and the path."""
        below = f", {'/'.join(handle)}" if handle else ""
        return f"{self.file}, record {row}{below}"

    def batches(self, handles: Sequence[Path | None]) -> Iterator[PartBatch]:
        """The values as texts. Raises JobError when a path leads to several values."""
        records, start = enumerate(self._all_records(), start=1), 1
        for rows in batches_of(records, lambda: self._records.read):
            columns = [
                path
                if path is None
                else pa.array([self._value(number, record, path) for number, record in rows],
                              pa.string())
                for path in handles
            ]  # fmt: skip
            self.has_records = True
            self.found.update(
                path
                for path, values in zip(handles, columns, strict=True)
                if values is not None and values.null_count < len(values)
            )
            yield PartBatch(range(start, start + len(rows)), columns)
            start += len(rows)

    def _value(self, number: int, record: Element, path: Path) -> str | None:
        elements = [record]
        for step in path:
            if step.startswith("@"):
                values = [v for e in elements for k, v in e.attrib.items() if _bare(k) == step[1:]]
                return self._only(values, number, path)
            elements = [child for e in elements for child in e if _bare(child.tag) == step]
        return self._only(list(map(_own_text, elements)), number, path)

    def _only(self, values: Sequence[str | None], number: int, path: Path) -> str | None:
        if len(values) > 1:
            raise JobError(
                f"{self.place(number, path)}: there are {len(values)} of them, and a column holds "
                "one; leave it out of `columns`, or read it with `records` of its own"
            )
        return values[0] if values else None

    def _all_records(self) -> Iterator[Element]:
        found = False
        self._records = XmlRecords(self.file, self.records)
        with self.content.open() as file:
            try:
                for record in self._records.of(file):
                    found = True
                    yield record
            except ParseError as error:
                line = error.position[0]
                raise JobError(f"{self.file}, line {line}: no XML: {error}") from None
        if not found:
            raise JobError(f"{self.file} has no element {self.records}")


def _bare(name: str) -> str:
    return name.rpartition("}")[2]


def _value_paths(element: Element, path: Path) -> Iterator[Path]:
    for name in element.attrib:
        yield (*path, f"@{_bare(name)}")
    for child in element:
        yield from _value_paths(child, (*path, _bare(child.tag)))
    if (path and not len(element)) or (_own_text(element) or "").strip():
        yield path


def _own_text(element: Element) -> str | None:
    """The text of an element; of one with others in it what stands beside them, if anything."""
    if not len(element):
        return element.text or ""
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip() or None
