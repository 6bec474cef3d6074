"""Workbooks: opening them, and which of their sheets are meant."""

from __future__ import annotations

import glob
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dapu.errors import JobError
from dapu.rows.column_names import same_text
from dapu.suggest import nearest

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Result = TypeVar("Result")
_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK"


@dataclass
class Workbook:
    """A workbook that was opened. name: what people call it."""

    name: str
    path: Path
    _book: CalamineWorkbook

    def sheets(self, wanted: str | int | None) -> list[str]:
        """The names of the sheets that are meant, in order.

        wanted: a name or a pattern, a number from 1, or None for the first. Hidden sheets are
        only found by their names. Raises JobError when there is none.
        """
        visible = [
            sheet.name
            for sheet in self._book.sheets_metadata
            if str(sheet.visible).endswith(".Visible") and str(sheet.typ).endswith(".WorkSheet")
        ]
        if wanted is None or isinstance(wanted, int):
            number = wanted or 1
            if not 0 < number <= len(visible):
                raise JobError(f"{self.name} has {len(visible)} visible sheets, and no {number}")
            return [visible[number - 1]]
        all_names: list[str] = self._book.sheet_names
        named = [name for name in all_names if name == wanted] or [
            name for name in all_names if same_text(name) == same_text(wanted)
        ]
        if not named and glob.has_magic(wanted):
            pattern = same_text(wanted)
            named = [name for name in visible if fnmatchcase(same_text(name), pattern)]
        if not named:
            raise JobError(f"{self.name} has no sheet {wanted!r}{nearest(wanted, all_names)}")
        return named

    def read(self, sheet: str) -> CalamineSheet:
        """Parses a sheet. Raises JobError when it is broken."""
        label = f"{self.name}, sheet {sheet!r}"
        return _told(label, lambda: self._book.get_sheet_by_name(sheet))


def open_workbook(name: str, path: Path) -> Workbook:
    """Raises JobError when the file is none, is broken, or has a password."""
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise JobError(f"{name} is empty (0 bytes); is it still being copied?")
    if not start.startswith((_OLE, _ZIP)):
        raise JobError(
            f"{name} is no workbook; is it a web page or CSV with the ending of one? "
            "Save it as .xlsx"
        )
    return Workbook(name, path, _told(name, lambda: _open(path)))


def _open(path: Path) -> CalamineWorkbook:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_path(path)
    except PasswordError:
        raise
    except CalamineError as error:
        try:  # one with the wrong ending is known by its content
            return CalamineWorkbook.from_filelike(BytesIO(path.read_bytes()))
        except CalamineError:
            raise error from None


def _told(name: str, act: Callable[[], Result]) -> Result:
    """What goes wrong inside calamine as a JobError, a crash of its own too."""
    from python_calamine import CalamineError, PasswordError

    try:
        return act()
    except PasswordError:
        raise JobError(f"{name} is protected with a password; save it without") from None
    except CalamineError as error:
        raise JobError(
            f"{name} is broken, or is not all there yet (its reader says: {error})"
        ) from error
    except OSError as error:
        raise JobError(f"{name} cannot be read: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise JobError(f"{name} cannot be read: the reader stumbled over it: {error}") from None
