"""What went wrong with a job, in a line for a person."""

from __future__ import annotations

import errno
import tempfile
import traceback
from typing import Any

import psycopg2

from dapu.errors import DapuError, JobError
from dapu.registry.storable import storable

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
LONGEST = 2_000  # characters of a job's message


def first_cause(error: BaseException) -> BaseException:
    """What the database said, if that is what an error comes from."""
    while error.__cause__ is not None and not isinstance(error, psycopg2.Error):
        error = error.__cause__
    return error


def explain(error: BaseException, task: str) -> tuple[str, dict[str, Any] | None]:
    """What went wrong in a line, and the details for the event."""
    if isinstance(error, JobError):
        return str(error), error.data or None
    if isinstance(error, DapuError):
        return str(error), None
    if isinstance(error, OSError) and error.errno in _DISK_IS_FULL:
        return _full_disk(error), None
    lines = (storable(line, LONGEST) for line in traceback.format_exception(error))
    trace = "".join(lines)  # for whoever fixes dapu or the agent
    if isinstance(error, psycopg2.Error) and error.diag.message_primary:
        detail = f"; {error.diag.message_detail}" if error.diag.message_detail else ""
        if isinstance(error, psycopg2.errors.InsufficientPrivilege):
            detail += "; see `Permissions` in docs/operating.md for what the role of `main` needs"
        return error.diag.message_primary + detail, {"raised_in": trace}
    what = storable(f"{type(error).__name__}: {error}".removesuffix(": "), LONGEST // 2)
    hint = f"a fault of dapu or of an agent, `dapu status DIR {task}` shows its traceback"
    return f"{what} ({hint})", {"traceback": trace}


def _full_disk(error: OSError) -> str:
    place = error.filename
    if place is None:  # what has no name is dapu's own
        place = f"of temporary files, {tempfile.gettempdir()}; TMPDIR names another folder for them"
    return f"the disk is full: {error.strerror} ({place})"
