"""What is packed may not unpack to very much more than it is."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from dapu.errors import JobError
from dapu.sources.files.places import unpack


def _packed(folder: Path, ending: str, data: bytes) -> Path:
    path = folder / f"a.csv.{ending}"
    if ending == "gz":
        path.write_bytes(gzip.compress(data))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", data)
    return path


@pytest.mark.parametrize("ending", ["gz", "zip"])
def test_what_unpacks_to_very_much_more_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(unpack, "_LARGE", 1 << 20)
    small = _packed(tmp_path, ending, b"1,2\n" * 1000)
    (content,) = unpack.contents_of(small.name, small, None)
    with content.open() as file:
        assert file.read() == b"1,2\n" * 1000
        file.seek(4)
        assert file.readline() == b"1,2\n"
    bomb = _packed(tmp_path, ending, b"\0" * (4 << 20))
    (content,) = unpack.contents_of(bomb.name, bomb, None)
    with content.open() as file, pytest.raises(JobError, match=r"a\.csv.* unpacks to more than"):
        file.read()
