"""Checksums of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

_CHUNK = 1 << 20  # bytes


def _go_on() -> None:
    pass


def sha256_of(path: Path, check: Callable[[], None] = _go_on) -> str:
    """SHA-256 (hex) of a file's content.

    check: called at each read; raises what ends it, for a large file takes minutes.
    """
    digest, chunk = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(chunk):
            check()
            digest.update(chunk[:count])
    return digest.hexdigest()
