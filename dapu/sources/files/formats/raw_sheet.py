"""The bytes in which a workbook keeps a sheet, for what calamine does not report of its cells.

A workbook's format is known by its first bytes: an .xls that Excel 2007 or later saved holds a zip
archive (its THEME record), and would pass for one by its last.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Literal
from xml.etree.ElementTree import ParseError, parse

from dapu.errors import JobError
from dapu.sources.files.formats.binary_records import xls_sheet, xlsb_sheets

Format = Literal["xlsx", "xlsb", "xls", "ods"]
OLE, ZIP = b"\xd0\xcf\x11\xe0", b"PK"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,  # a part that is named and not there, or ends within a record
    NotImplementedError,  # a way of packing that nobody uses
    ParseError,
    RuntimeError,  # a password for one part only
    ValueError,
    struct.error,
)
_RATIO, _LARGE = 100, 1 << 30


@dataclass(frozen=True)
class RawSheet:
    """A sheet as it stands in the file. start: where in an .xls its records begin."""

    format: Format
    sheet: str
    _path: Path
    _member: str = ""
    start: int = 0
    _stream: bytes = field(default=b"", repr=False)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its part of the archive; the stream of the whole workbook in an .xls."""
        if self.format == "xls":
            yield BytesIO(self._stream)
            return
        with zipfile.ZipFile(self._path) as archive, archive.open(self._member) as file:
            yield file


def find_raw_sheet(path: Path, sheet: str) -> RawSheet | None:
    """Where a sheet is in a workbook; None when it is nowhere, as a chart is."""
    with path.open("rb") as file:
        if file.read(4) == OLE:
            return _find_in_xls(path, sheet)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "content.xml" in names:
            return RawSheet("ods", sheet, path, "content.xml")
        form: Format = "xlsb" if "xl/workbook.bin" in names else "xlsx"
        if form == "xlsb":
            relation = xlsb_sheets(archive.read("xl/workbook.bin")).get(sheet, "")
            member = _targets(archive, "xl/_rels/workbook.bin.rels").get(relation)
        else:
            member = _xlsx_part(archive, sheet) if "xl/workbook.xml" in names else None
        return RawSheet(form, sheet, path, member) if member in names and member else None


@contextmanager
def faults_of(label: str) -> Iterator[None]:
    """What is broken in a workbook's parts as a JobError. label: the file and the sheet."""
    try:
        yield
    except _BROKEN as error:
        raise JobError(
            f"{label} is broken, or is not all there yet: {str(error) or type(error).__name__}"
        ) from error


def check_size(name: str, path: Path) -> None:
    """Raises JobError for a workbook that unpacks to very much more than it is."""
    with faults_of(name), zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    packed = max(path.stat().st_size, 1)
    if size > _LARGE and size > _RATIO * packed:
        raise JobError(
            f"{name} unpacks to {size / (1 << 30):,.1f} GiB, {size // packed} times its size, and "
            "is not read; save it anew in a spreadsheet program, which leaves out what is empty"
        )


def bare(name: str) -> str:
    """The name of an element or attribute without its namespace."""
    return name.rpartition("}")[2]


def _find_in_xls(path: Path, sheet: str) -> RawSheet | None:
    import olefile

    if not olefile.isOleFile(str(path)):
        return None
    with olefile.OleFileIO(str(path)) as container:
        name = next((name for name in ("Workbook", "Book") if container.exists(name)), None)
        if name is None:
            return None
        stream = container.openstream(name).read()
    start = xls_sheet(stream, sheet)
    return None if start is None else RawSheet("xls", sheet, path, name, start, stream)


def _xlsx_part(archive: zipfile.ZipFile, sheet: str) -> str | None:
    with archive.open("xl/workbook.xml") as file:
        sheets = {
            element.get("name"): value
            for element in parse(file).iter()
            if bare(element.tag) == "sheet"
            for key, value in element.attrib.items()
            if key.endswith("}id")
        }
    return _targets(archive, "xl/_rels/workbook.xml.rels").get(sheets.get(sheet, ""))


def _targets(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """The parts that relationships lead to, by their id."""
    with archive.open(name) as file:
        targets = {one.get("Id", ""): one.get("Target", "") for one in parse(file).iter()}
    return {
        key: target[1:] if target.startswith("/") else f"xl/{target}"
        for key, target in targets.items()
    }
