"""What the agents that write files share: names of files, and what is theirs while they write."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from dapu.agents.base import Context
from dapu.definitions.templates import parse_template
from dapu.errors import JobError
from dapu.named_sql import statement
from dapu.registry import source_state


def _below(name: str) -> str:
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ValueError("is below the connection's folder: without `/` at its start and `..`")
    if name.endswith("/"):
        raise ValueError("names a folder, not a file")
    return name


FileName = Annotated[str, AfterValidator(_below)]


def render_name(context: Context, text: str) -> str:
    """The name of a file, for which `today` and `now` are those of the job's own SQL.

    Raises FaultyFile when the template fails, JobError when a name in it has no value.
    """
    with context.session.cursor() as cursor:
        cursor.execute(statement("export.now"))
        row = cursor.fetchone()
    assert row is not None
    names = {"task": context.action.task, "now": row[0], "today": row[0].date()}
    template = parse_template(context.action.folder / "task.yaml", text)
    try:
        name = template.render(dict(context.action.variables) | names).text()
    except ValueError as error:
        raise JobError(f"the name of the file, {text}: {error}") from None
    if name.endswith("/") or any(ord(character) < ord(" ") for character in name):
        raise JobError(f"the name of the file, {text}, becomes {name!r}, which no file has")
    return name


def own_mark(context: Context) -> str:
    """How names of what this action leaves when it is killed begin, by which it is found again.

    Only one job of a task runs at once, so that whatever has the mark is of no use any more.
    """
    server = context.session.info
    whose = (
        server.host,
        server.port,
        server.dbname,
        context.job.registry.schema,
        context.action.task,
    )
    text = "/".join(map(str, (*whose, context.job.registry.prefix, context.action.position)))
    return f".dapu-{hashlib.sha256(text.encode()).hexdigest()[:16]}-"


@contextmanager
def working_folder(context: Context) -> Iterator[Path]:
    """A folder of this machine that goes at the end; one of a run that was killed goes now."""
    mark = own_mark(context)
    for left in Path(tempfile.gettempdir()).glob(f"{mark}*"):
        if not left.is_symlink() and left.stat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=mark) as folder:
        yield Path(folder)


@contextmanager
def naming_file(name: str) -> Iterator[None]:
    """Turns an error of this machine in the block (a full disk) into a JobError with the name."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise JobError(f"cannot write {name} in {tempfile.gettempdir()}: {reason}") from error


def remember(context: Context, parts: dict[str, dict[str, object]]) -> None:
    """Stores in the job's transaction how files are, after the action itself is over."""
    with context.session.cursor() as cursor:
        source_state.remember(
            cursor,
            context.job.registry,
            context.action.task,
            context.action.source,
            parts,
            context.job.number,
        )
