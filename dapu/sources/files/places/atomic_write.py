"""Files are given their names when they are complete: nobody ever opens half of one.

What was made or fetched on this machine is brought into its folder under a hidden name, and renamed
there. On an S3 server a file appears when all of it is there, so that no hidden name is needed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from dapu.checksum import sha256_of
from dapu.errors import ConfigurationError, JobError
from dapu.sources.files.places.place import Place

_PIECE = 1 << 20  # bytes


@contextmanager
def placing(
    place: Place, local: Path, name: str, hidden: str, *, sha256: str | None = None
) -> Iterator[None]:
    """Brings a file to a place now; it has its name there when the block has ended well.

    local: the file on this machine. name: its name below the place's folder.
    hidden: what it is called until then; see `clear_leftovers`.
    sha256: of its content (hex), where it is to be read back and compared, not its size alone.
    Raises JobError when it does not arrive whole, ConfigurationError for a place that takes none.
    """
    path = place.path(name)
    if place.is_s3:
        yield
        with place.translated_errors(f"write {name}"):
            place.system.put_file(str(local), path, callback=place.watched())
            _check_arrived(place, local, path, name, sha256)
        return
    aside = str(PurePosixPath(path).with_name(hidden))
    try:
        with place.translated_errors(f"write {name}"):
            _bring(place, local, aside)
            _check_arrived(place, local, aside, name, sha256)
        yield
        with place.translated_errors(f"write {name}"):
            _rename(place, aside, path)
    except BaseException:
        with suppress(Exception):
            place.system.rm_file(aside)
        raise


def clear_leftovers(place: Place, name: str, beginning: str) -> None:
    """Deletes what a run that was killed left in a file's folder, by how hidden names begin."""
    if not place.is_folder:
        return
    folder = str(PurePosixPath(place.path(name)).parent)
    with place.translated_errors(f"look for {name}"):
        try:
            found = place.system.ls(folder, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return
        for path in found:
            if PurePosixPath(path).name.startswith(beginning):
                place.system.rm_file(path)


def _bring(place: Place, local: Path, aside: str) -> None:
    if not place.is_folder:
        raise ConfigurationError(f"the connection {place} takes no files")
    if not place.system.isdir(place.folder):
        raise JobError(
            f"the folder of the connection {place} does not exist: is the share mounted?"
            if place.is_local
            else f"the folder of the connection {place} does not exist"
        )
    place.system.makedirs(str(PurePosixPath(aside).parent), exist_ok=True)
    if place.is_local:
        _copy(place, local, Path(aside))
    else:
        place.system.put_file(str(local), aside, callback=place.watched())


def _copy(place: Place, local: Path, aside: Path) -> None:
    watched = place.watched()
    with local.open("rb") as source, aside.open("wb") as target:
        while piece := source.read(_PIECE):
            target.write(piece)
            watched.relative_update(len(piece))
        target.flush()
        os.fsync(target.fileno())


def _check_arrived(place: Place, local: Path, path: str, name: str, sha256: str | None) -> None:
    expected, found = local.stat().st_size, place.system.info(path)["size"]
    if found != expected:
        raise JobError(
            f"{name} broke off on its way to {place}: {found:,} of {expected:,} bytes arrived"
        )
    if sha256 is None:
        return
    with tempfile.TemporaryDirectory(prefix="dapu-") as folder:
        back = Path(path) if place.is_local else Path(folder) / "back"
        if not place.is_local:
            place.system.get_file(path, str(back), callback=place.watched())
        if sha256_of(back) != sha256:
            raise JobError(f"{name} in {place} is not what was sent there: its SHA-256 differs")


def _rename(place: Place, aside: str, path: str) -> None:
    if not place.is_local:
        place.system.mv(aside, path)
        return
    target = Path(path)
    if target.exists():
        with suppress(OSError):  # a share may know no modes
            shutil.copymode(target, aside)
    Path(aside).replace(target)
    with suppress(OSError):  # nor may it know how to make a folder durable
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
