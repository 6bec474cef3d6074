"""What is in a file: itself, what gzip packed, or the members of a zip archive."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
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


@dataclass(frozen=True)
class Content:
    """One stream of bytes: a file, or a member of an archive.

    name: the file's, and the member's after a slash.
    path: of the file itself, where it is not packed.
    """

    name: str
    path: Path | None
    _open: Callable[[], BinaryIO]

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes, unpacked. Raises JobError when the archive is broken."""
        try:
            with self._open() as file:
                yield file
        except _BROKEN as error:
            raise JobError(f"{self.name} is broken: {error}") from error
        except RuntimeError as error:  # what zipfile raises when a password is needed
            raise JobError(f"{self.name} cannot be unpacked: {error}") from error
        except OSError as error:
            raise JobError(f"{self.name} cannot be read: {error.strerror or error}") from error


def format_of(name: str) -> Format | None:
    """The format that a name's ending means, that of the packed file for `.gz`."""
    return _SUFFIXES.get(PurePosixPath(name.lower().removesuffix(".gz")).suffix)


def contents_of(name: str, path: Path, member: str | None) -> list[Content]:
    """The streams in a file.

    member: a pattern for the members of a zip archive; default all whose format is known.
    Raises JobError when an archive is broken, or has no such member.
    """
    if name.lower().endswith(".gz"):
        return [
            Content(name, None, lambda: _bounded(name, path, cast(BinaryIO, gzip.open(path, "rb"))))
        ]
    if name.lower().endswith(".zip"):
        return _members(name, path, member)
    return [Content(name, path, lambda: path.open("rb"))]


def _members(name: str, path: Path, wanted: str | None) -> list[Content]:
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
    return [
        Content(f"{name}/{one}", None, lambda one=one: _open_member(name, path, one))  # type: ignore[misc]
        for one in chosen
    ]


def _open_member(name: str, path: Path, member: str) -> BinaryIO:
    with zipfile.ZipFile(path) as archive:
        opened = cast(
            BinaryIO, archive.open(member)
        )  # keeps the archive's file open while it needs it
    if member.lower().endswith(".gz"):
        opened = cast(BinaryIO, gzip.GzipFile(fileobj=opened))
    return _bounded(f"{name}/{member}", path, opened)


def _bounded(name: str, path: Path, unpacked: BinaryIO) -> BinaryIO:
    most = max(_LARGE, _RATIO * path.stat().st_size)
    return cast(BinaryIO, io.BufferedReader(_Bounded(name, unpacked, most), _CHUNK))


class _Bounded(io.RawIOBase):
    """What is unpacked, up to a size: a few bytes may unpack to all that a disk holds, and more."""

    def __init__(self, name: str, unpacked: BinaryIO, most: int) -> None:
        self._name, self._unpacked, self._most = name, unpacked, most

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._unpacked.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._unpacked.seek(offset, whence)

    def tell(self) -> int:
        return self._unpacked.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._unpacked.read(len(buffer))
        buffer[: len(data)] = data
        if self._unpacked.tell() > self._most:
            raise JobError(
                f"{self._name} unpacks to more than {self._most / (1 << 30):,.1f} GiB, {_RATIO} "
                "times its size or more, and is not read; give the unpacked file if that is right"
            )
        return len(data)

    def close(self) -> None:
        self._unpacked.close()
        super().close()
