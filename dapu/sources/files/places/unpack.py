"""What is in a file: itself, what gzip packed, or the members of a zip archive."""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, cast

from dapu.errors import JobError

Format = Literal["csv", "tsv", "json", "ndjson", "parquet", "xml"]

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".xml": "xml",
}
_LARGE, _RATIO, _CHUNK = 1 << 30, 100, 1 << 17
_BROKEN = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


def _go_on() -> None:
    """A check that ends nothing."""


@dataclass(frozen=True)
class Content:
    """One stream of bytes: a file, or a member of an archive.

    name: the file's, and the member's after a slash.
    check: called at each read; raises what ends the reading when the job is to end.
    most: bytes that it may have, unpacked.
    """

    name: str
    _open: Callable[[], BinaryIO]
    check: Callable[[], None] = _go_on
    most: float = math.inf

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes, unpacked. Raises JobError when an archive is broken, or holds too much."""
        try:
            with (
                self._open() as file,
                io.BufferedReader(_Watched(self, file), _CHUNK) as watched,
            ):
                yield watched
        except _BROKEN as error:
            raise JobError(f"{self.name} is broken: {error}") from error
        except RuntimeError as error:  # what zipfile raises when a password is needed
            raise JobError(f"{self.name} cannot be unpacked: {error}") from error
        except OSError as error:
            raise JobError(f"{self.name} cannot be read: {error.strerror or error}") from error


def format_of(name: str) -> Format | None:
    """The format that a name's ending means, that of the packed file for `.gz`."""
    return _SUFFIXES.get(PurePosixPath(name.lower().removesuffix(".gz")).suffix)


def contents_of(
    name: str, path: Path, member: str | None, check: Callable[[], None] = _go_on
) -> list[Content]:
    """The streams in a file.

    member: a pattern for the members of a zip archive; default all whose format is known.
    check: see `Content`.
    Raises JobError when an archive is broken, or has no such member.
    """
    lower = name.lower()
    if not lower.endswith((".gz", ".zip")):
        return [Content(name, lambda: path.open("rb", buffering=0), check)]
    most = max(_LARGE, _RATIO * path.stat().st_size)
    if lower.endswith(".gz"):
        return [Content(name, lambda: cast(BinaryIO, gzip.open(path, "rb")), check, most)]
    return [
        Content(f"{name}/{one}", partial(_open_member, path, one), check, most)
        for one in _members(name, path, member)
    ]


def _members(name: str, path: Path, wanted: str | None) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise JobError(f"{name} is broken: {error}") from error
    chosen = [
        one
        for one in sorted(names)
        if (fnmatchcase(one, wanted) if wanted else format_of(one) is not None)
        and not one.startswith("__MACOSX/")
    ]
    if not chosen:
        what = f"no member {wanted}" if wanted else "no member of a known format"
        raise JobError(f"{name} has {what}; its members are: {', '.join(names) or 'none'}")
    return chosen


def _open_member(path: Path, member: str) -> BinaryIO:
    with zipfile.ZipFile(path) as archive:
        opened = archive.open(member)  # keeps the archive's file open while it needs it
    if member.lower().endswith(".gz"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=opened))
    return cast(BinaryIO, opened)


class _Watched(io.RawIOBase):
    """What a content has, while the job is to go on, and up to a size.

    A few packed bytes may unpack to all that a disk holds, and more.
    """

    def __init__(self, content: Content, file: BinaryIO) -> None:
        self._content, self._file = content, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        self._content.check()
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        if self._file.tell() > self._content.most:
            raise JobError(
                f"{self._content.name} unpacks to more than {self._content.most / (1 << 30):,.1f} "
                f"GiB, {_RATIO} times its size or more, and is not read; give the unpacked file if "
                "that is right"
            )
        return count
