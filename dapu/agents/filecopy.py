"""`do: filecopy`: files go from one `files` connection to another."""

from __future__ import annotations

import glob
import hashlib
import posixpath
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field

from dapu.agents.base import Agent, Context
from dapu.agents.file_output import FileName, naming_file, own_mark, render_name, working_folder
from dapu.checksum import sha256_of
from dapu.definitions.models import ActionOptions
from dapu.errors import JobError, WrongBackfill
from dapu.loading.result import LoadResult
from dapu.sources.files.places.atomic_write import clear_leftovers, placing
from dapu.sources.files.places.changed_files import Reading, State, state_of, what_to_read
from dapu.sources.files.places.in_use import check_closed, check_settled, check_unchanged
from dapu.sources.files.places.place import FoundFile, Place, fixed_folders, open_place


class FileCopyOptions(ActionOptions):
    """Copies or moves files from one `files` connection to another."""

    reads: ClassVar[tuple[str, ...]] = ("file", "to", "folder")

    do: Literal["filecopy"]
    file: FileName = Field(
        min_length=1, description="Its name below the connection's folder, or a pattern"
    )
    connection: str | None = Field(
        None, description="The `files` connection that they are in; default the route's"
    )
    to: str = Field(description="The `files` connection that they go to")
    folder: FileName | None = Field(
        None,
        min_length=1,
        description="The folder below that connection's; may be a template: `archive/{{ today }}`",
    )
    move: bool = Field(
        False, description="Deletes each file once it has arrived and been read back"
    )
    overwrite: bool = Field(
        True, description="`false`: it is an error when a file with other content is there"
    )

    def texts(self) -> list[str]:
        """The folder's name."""
        return [self.folder] if self.folder else []

    @property
    def connections(self) -> dict[str, str | None]:
        """Both."""
        return {"connection": self.connection, "to": self.to}

    @property
    def is_pattern(self) -> bool:
        """Whether more than one file may be meant."""
        return glob.has_magic(self.file)


class FileCopyAgent(Agent[FileCopyOptions]):
    """Brings files under hidden names, and has them renamed right before the job's commit."""

    name = "filecopy"
    options = FileCopyOptions

    def run(self, context: Context, options: FileCopyOptions) -> LoadResult:
        """Copies what is new or changed, or moves what is there.

        Raises JobError when a file is missing, open elsewhere, or does not arrive whole.
        """
        if context.backfill is not None:
            raise WrongBackfill("--from and --to need an action with a `watermark`")
        source = open_place(context.warehouse, options.connection or context.action.connection)
        target = open_place(context.warehouse, options.to)
        for place in (source, target):
            context.job.exit_stack.enter_context(context.stoppable(place.stop))
        folder = context.job.exit_stack.enter_context(working_folder(context))
        copying = _Copying(context, options, source, target, folder)
        reading = copying.plan()
        context.state_after.entries.update(reading.remember)
        if not reading.files:
            return LoadResult(0, (copying.nothing(),), changed=False, unit="file")
        check_settled(source, reading.files)
        copying.bring(reading.files)
        check_unchanged(source, reading.files)
        return copying.result(reading.files)


class _Copying:
    """One run."""

    def __init__(
        self,
        context: Context,
        options: FileCopyOptions,
        source: Place,
        target: Place,
        folder: Path,
    ) -> None:
        self._context, self._options, self._folder = context, options, folder
        self._source, self._target = source, target
        parts = PurePosixPath(render_name(context, options.folder) if options.folder else "").parts
        self._into = "".join(f"{part}/" for part in parts)
        whose = f"{source.root}\n{target.root}\n{options.model_dump_json()}"
        self._how = hashlib.sha256(whose.encode()).hexdigest()[:16]

    def plan(self) -> Reading:
        """Which files are to be brought now: those that were not copied before, as they are now."""
        found = self._source.find(self._options.file)
        if self._options.move:
            return Reading(found)
        if not found and not self._options.is_pattern:
            raise JobError(f"there is no file {self._options.file} in {self._source}")
        return what_to_read(
            found,
            _of_this(self._context.state_before.entries, self._how),
            self._how,
            lambda file: self._hash(self._source.local(file, self._folder)),
            only_new=True,
        )

    def nothing(self) -> str:
        """What to say when there is nothing to do."""
        if self._options.move:
            return f"there is no file {self._options.file} in {self._source}"
        return f"all that match {self._options.file} in {self._source} were copied before"

    def bring(self, files: Sequence[FoundFile]) -> None:
        """Brings the files under hidden names; their names and a move's end come at the end."""
        exit_stack, mark = self._context.job.exit_stack, own_mark(self._context)
        names = {file.name: self._name(file) for file in files}
        for folder in sorted({name.rpartition("/")[0] for name in names.values()}):
            clear_leftovers(self._target, f"{folder}/file".lstrip("/"), mark)
        if self._options.move:
            exit_stack.enter_context(_deleting(self._source, files))
        for number, file in enumerate(files):
            with naming_file(file.name):
                local = self._source.local(file, self._folder)
                sha256 = self._hash(local)
            if not self._options.move:
                self._context.state_after.entries[file.name] = state_of(file, sha256, self._how)
            is_there = self._is_there(names[file.name], local, sha256)
            if is_there and not self._options.move:
                continue  # what is moved is written again: the one there may be the source itself
            read_back = sha256 if self._options.move else None
            hidden = f"{mark}{number}.new"
            exit_stack.enter_context(
                placing(self._target, local, names[file.name], hidden, sha256=read_back)
            )
            if not self._source.is_local and not self._target.is_s3:
                local.unlink()  # it is in the target; many files need no room for all of them here

    def result(self, files: Sequence[FoundFile]) -> LoadResult:
        """What was done."""
        size = sum(file.size or 0 for file in files)
        done = "moved" if self._options.move else "copied"
        where = f"{self._into} in {self._target}" if self._into else str(self._target)
        text = f"{done} from {self._source} to {where}, {size:,} bytes"
        return LoadResult(len(files), (text,), data={"files": [f.name for f in files]}, unit="file")

    def _hash(self, local: Path) -> str:
        return sha256_of(local, self._context.job.stops.check)

    def _name(self, file: FoundFile) -> str:
        """Its name in the target: the pattern's folders without any `*` are left out."""
        fixed = "".join(f"{part}/" for part in fixed_folders(self._options.file))
        name = self._into + file.name.removeprefix(fixed)
        if _where(self._source, file.name) == _where(self._target, name):
            raise JobError(f"{file.name} in {self._source} would be copied onto itself")
        return name

    def _is_there(self, name: str, local: Path, sha256: str) -> bool:
        """Whether it has arrived before. Raises JobError for another that must not be replaced."""
        there = self._target.there(name)
        if there is None:
            return False
        if self._target.is_folder:
            check_closed(self._target, there, "written")
        is_same = there.size == local.stat().st_size
        if is_same:
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                is_same = self._hash(self._target.local(there, Path(folder))) == sha256
        if not is_same and not self._options.overwrite:
            raise JobError(
                f"{name} is in {self._target} already, with other content, and `overwrite: false` "
                "keeps it: move it away, or give another `folder`"
            )
        return is_same


def _of_this(seen: Mapping[str, State], how: str) -> dict[str, State]:
    """What is remembered of files that went to the same place."""
    return {name: state for name, state in seen.items() if state.get("how") == how}


def _where(place: Place, name: str) -> tuple[str, str]:
    """The server and the path on it; on this machine the folder's number, then the file's name.

    A folder has one number, whatever links, mounts and `..` lead to it.
    """
    path = PurePosixPath(place.path(name))
    if not place.is_local:
        return "/".join(place.root.split("/")[:3]), posixpath.normpath(path)
    try:
        folder = Path(path.parent).stat()
    except OSError:  # there is none yet
        return "", str(path)
    return f"{folder.st_dev}:{folder.st_ino}", path.name


@contextmanager
def _deleting(source: Place, files: Sequence[FoundFile]) -> Iterator[None]:
    """Deletes the files at the source when those that were brought have their names."""
    yield
    check_unchanged(source, files)
    for file in files:
        source.remove(file)
