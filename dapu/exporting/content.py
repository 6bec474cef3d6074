"""What a file holds, as a hash: the same rows give the same, whenever they were written."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from dapu.checksum import sha256_of

_PIECE = 1 << 20  # bytes
_TIMES = "docProps/core.xml"  # of a workbook: when and by whom it was written


def content_hash(path: Path) -> str:
    """SHA-256 (hex) of a file's content; of a workbook's without the time of its writing."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _of_members(archive)
    except zipfile.BadZipFile:
        return sha256_of(path)


def _of_members(archive: zipfile.ZipFile) -> str:
    digest = hashlib.sha256()
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if info.filename == _TIMES:
            continue
        digest.update(f"{info.filename}\0{info.file_size}\0".encode())
        with archive.open(info) as member:
            while piece := member.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()
