"""Files that their editors or writers are not done with: they are left for a later try.

Excel keeps a file `~$Book.xlsx` beside a workbook that somebody has open, LibreOffice one that is
called `.~lock.Book.xlsx#`; both say who that is. A file that a program is writing grows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from dapu.errors import JobError
from dapu.sources.files.places.place import FoundFile, Place

_FRESH = 10.0  # seconds: a file that was written so recently may still be written
_BETWEEN_LOOKS = 1.0  # seconds


def check_settled(place: Place, files: Sequence[FoundFile]) -> None:
    """Raises JobError when a file is open in its editor, or is still being written."""
    if not place.is_folder:
        return  # what is on an S3 or web server is there as a whole
    for file in files:
        check_closed(place, file, "read")
    fresh = [file for file in files if _is_fresh(file)]
    if fresh:
        time.sleep(_BETWEEN_LOOKS)
        check_unchanged(place, fresh)


def check_closed(place: Place, file: FoundFile, then: str) -> None:
    """Raises JobError when a file is open in its editor. then: what is done when it is closed."""
    owner = _owner(place, file)
    if owner is not None:
        raise JobError(
            f"{file.name} in {place} is open in its editor{owner}; it is {then} when it is "
            f"closed. Is it not open? Then delete {_lock_names(file)} beside it"
        )


def check_unchanged(place: Place, files: Sequence[FoundFile]) -> None:
    """Raises JobError when a file is no longer as it was found."""
    for file in files:
        if place.again(file) != file:
            raise JobError(
                f"{file.name} in {place} is being written; it is read when it no longer changes"
            )


def _is_fresh(file: FoundFile) -> bool:
    """Whether a file was written just now; one from the future was, by a clock that is ahead."""
    try:
        written = float(file.stamp)
    except ValueError:
        try:
            written = datetime.fromisoformat(file.stamp).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return True
    return time.time() - written < _FRESH


def _lock_names(file: FoundFile) -> str:
    return f"~${file.base} or .~lock.{file.base}#"


def _owner(place: Place, file: FoundFile) -> str | None:
    """` by NAME` when the file is open in its editor, empty when it does not say by whom."""
    excel = place.beside(file, f"~${file.base}")
    if excel is not None:
        # The length of the name, and the name in an 8-bit character set.
        return _by(excel[1 : 1 + excel[0]].decode("cp1252", "replace") if excel else "")
    libre = place.beside(file, f".~lock.{file.base}#")
    if libre is not None:
        author, login, *_ = [*libre.decode(errors="replace").split(","), "", ""]
        return _by(author or login)
    return None


def _by(name: str) -> str:
    return f" by {name.strip()}" if name.strip() else ""
