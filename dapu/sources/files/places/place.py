"""Where files are: a folder of this machine, or one on an S3, SFTP or HTTPS server.

fsspec (https://filesystem-spec.readthedocs.io) makes all of them look alike. A file elsewhere is
brought here first: workbooks, archives and Parquet files are read back and forth, and a file that
breaks off on its way is known before anything is loaded.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import Callback
from fsspec.utils import glob_translate

from dapu.errors import ConfigurationError, JobError
from dapu.secrets import redact
from dapu.sources.files.places.servers import open_file_system
from dapu.warehouse.connection_kinds import FilesConnection
from dapu.warehouse.warehouse import Warehouse

_NO_SUCH_FILE = 2  # SSH_FX_NO_SUCH_FILE, draft-ietf-secsh-filexfer-02, section 7
_STAMPS = ("ETag", "mtime", "LastModified", "Last-Modified")


@dataclass(frozen=True)
class FoundFile:
    """A file as a place lists it.

    name: from the place's folder on, with `/` between folders.
    size: in bytes; None where the server does not say.
    stamp: the server's mark of its content, or when it was changed; empty where it says neither.
    """

    name: str
    path: str
    size: int | None
    stamp: str

    @property
    def base(self) -> str:
        """The name without its folders."""
        return PurePosixPath(self.name).name


@dataclass
class Place:
    """A folder with files. Every method raises JobError when the place does not answer."""

    connection: str
    root: str
    system: AbstractFileSystem
    is_local: bool
    follow_links: bool = False
    _fetched: dict[str, Path] = field(default_factory=dict)
    _stopped: bool = False

    def __str__(self) -> str:
        return f"`{self.connection}` ({self.root})"

    @property
    def is_s3(self) -> bool:
        """Whether a file appears there when all of it is there."""
        return self.root.startswith("s3:")

    @property
    def is_folder(self) -> bool:
        """Whether people and programs write into its files while they are seen by others."""
        return self.is_local or self.root.startswith("sftp:")

    def stop(self) -> None:
        """Ends a running transfer soon; may be called from another thread."""
        self._stopped = True

    def find(self, pattern: str) -> list[FoundFile]:
        """The files of that name, or that match (`*`, `?`, `[…]`, `**`), by name.

        Names that begin with `.` or `~$` are files of editors and never match a pattern.
        """
        with self.translated_errors(f"look for {pattern}"):
            exact = self._info(self.path(pattern))
            if exact is not None or not glob.has_magic(pattern):
                return [self._found(pattern, exact)] if exact is not None else []
            return sorted(self._matching(pattern), key=lambda found: found.name)

    def there(self, name: str) -> FoundFile | None:
        """The file of just that name, whatever characters are in it; None when there is none."""
        with self.translated_errors(f"look for {name}"):
            info = self._info(self.path(name))
            return None if info is None else self._found(name, info)

    def again(self, file: FoundFile) -> FoundFile | None:
        """The same file as it is now; None when it was deleted."""
        with self.translated_errors(f"look at {file.name}"):
            info = self._info(file.path)
            return None if info is None else self._found(file.name, info)

    def beside(self, file: FoundFile, name: str) -> bytes | None:
        """The content of a small file in the same folder, or None."""
        path = str(PurePosixPath(file.path).with_name(name))
        try:
            content: bytes = self.system.cat_file(path)
        except FileNotFoundError:
            return None
        except Exception:  # noqa: BLE001 - it is there, and its editor keeps it to itself
            self.again(file)  # raises when it is the server that does not answer
            return b""
        return content

    def local(self, file: FoundFile, folder: Path) -> Path:
        """The file on this machine; one from elsewhere is brought into `folder`, once."""
        if self.is_local:
            return Path(file.path)
        if file.name not in self._fetched:
            target = folder / f"{len(self._fetched)}-{file.base}"
            with self.translated_errors(f"fetch {file.name}"):
                self.system.get_file(file.path, str(target), callback=self.watched())
            size = target.stat().st_size
            if file.size is not None and size != file.size:
                raise JobError(
                    f"{file.name} broke off on its way from {self}: {size:,} of {file.size:,} "
                    "bytes came"
                )
            self._fetched[file.name] = target
        return self._fetched[file.name]

    def remove(self, file: FoundFile) -> None:
        """Deletes a file."""
        with self.translated_errors(f"delete {file.name}"):
            self.system.rm_file(file.path)

    def watched(self) -> Callback:
        """Given to a transfer, ends it when it is to stop."""
        return _Stoppable(lambda: self._stopped)

    def path(self, name: str) -> str:
        """Where a file of that name is. Raises ConfigurationError when that is outside."""
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ConfigurationError(
                f"{name!r} is not a path below the folder of the connection {self}"
            )
        path = f"{self.folder}/{name}"
        self._check_inside(name, path)
        return path

    def _check_inside(self, name: str, path: str) -> None:
        """Raises JobError when a link on the way to a file leads out of the folder."""
        if not self.is_local or self.follow_links:
            return
        real = Path(path).resolve()
        if not real.is_relative_to(Path(self.root).resolve()):
            raise JobError(
                f"{name} in {self} is a link that leads out of it, to {real}; "
                f"`follow_links: true` in the connection `{self.connection}` allows that"
            )

    @property
    def folder(self) -> str:
        """The path of its folder, as the file system has it.

        fsspec says so in `_strip_protocol` only, which every file system of 2025.3 and later has.
        """
        return str(self.system._strip_protocol(self.root)).rstrip("/")

    def _info(self, path: str) -> dict[str, Any] | None:
        try:
            info: dict[str, Any] = self.system.info(path)
        except FileNotFoundError as error:
            if self.is_local and not Path(self.root).is_dir():
                raise JobError(
                    f"the folder of the connection {self} does not exist: is the share mounted?"
                ) from None
            if not _is_missing(error):  # fsspec says so of a server that cannot be reached, too
                raise error.__cause__ or error from None
            return None
        return info if info["type"] == "file" else None

    def _matching(self, pattern: str) -> Iterator[FoundFile]:
        fixed = "".join(f"/{part}" for part in fixed_folders(pattern))
        depth = None if "**" in pattern else pattern.count("/") + 1 - fixed.count("/")
        expression = re.compile(glob_translate(pattern))
        self._check_answers(self.folder + fixed)
        listed = self.system.find(self.folder + fixed, maxdepth=depth, detail=True)
        for path, info in listed.items():
            name = path.removeprefix(f"{self.folder}/")
            if expression.fullmatch(name) and not _is_of_editor(name):
                is_whole = info.get("size") is not None and info["type"] == "file"
                yield self._found(name, info if is_whole else self.system.info(path))

    def _check_answers(self, folder: str) -> None:
        """Raises when a folder cannot be listed, which fsspec takes for an empty one."""
        if self.is_local:
            return
        try:
            self.system.ls(folder, detail=False)
        except FileNotFoundError:
            if not self.is_s3:
                raise
            self.system.info(folder.partition("/")[0])  # an empty folder is none, a bucket is one

    def _found(self, name: str, info: dict[str, Any]) -> FoundFile:
        self._check_inside(name, info["name"])
        size = info.get("size")
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key)), "")
        return FoundFile(name, info["name"], None if size is None else int(size), stamp)

    @contextmanager
    def translated_errors(self, what: str) -> Iterator[None]:
        """What goes wrong in the block as a JobError that names the place."""
        try:
            yield
        except (JobError, ConfigurationError):
            raise
        except Exception as error:  # each protocol's library has its own errors
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise JobError(f"cannot {what} in {self}: {redact(str(reason))}") from error


def open_place(warehouse: Warehouse, name: str) -> Place:
    """The folder of a `files` connection.

    Raises ConfigurationError when the connection is of another kind, or its protocol needs a
    package that is not installed; JobError when the server refuses.
    """
    connection = warehouse.connections.named(name)
    if not isinstance(connection, FilesConnection):
        raise ConfigurationError(
            f"the connection `{name}` is not a folder of files; it needs `driver: files`"
        )
    if "://" in connection.path:
        return Place(name, connection.path, open_file_system(connection), is_local=False)
    root = str(warehouse.folder / Path(connection.path).expanduser())
    system = open_file_system(connection)
    return Place(name, root, system, is_local=True, follow_links=connection.follow_links)


class _Stoppable(Callback):  # type: ignore[misc]  # fsspec has no types
    """Raises in the middle of a transfer when it is to end."""

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        super().__init__()
        self._is_stopped = is_stopped

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:  # noqa: ARG002
        """Called by fsspec with each piece."""
        if self._is_stopped():
            raise JobError("the transfer was stopped")


def fixed_folders(pattern: str) -> Iterator[str]:
    """The folders that a pattern names without any `*`."""
    for part in PurePosixPath(pattern).parts[:-1]:
        if glob.has_magic(part):
            return
        yield part


def _is_missing(error: FileNotFoundError) -> bool:
    """Whether the server answered that there is no such file."""
    cause = error.__cause__
    if cause is None or isinstance(cause, FileNotFoundError):
        return True
    answer = getattr(cause, "response", None) or {}  # of botocore
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    status = status or getattr(cause, "status", None)  # of aiohttp
    if status is not None:
        return status in (404, 410)
    return getattr(cause, "code", None) == _NO_SUCH_FILE  # of asyncssh


def _is_of_editor(name: str) -> bool:
    return PurePosixPath(name).name.startswith((".", "~$"))
