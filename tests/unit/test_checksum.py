"""Checksums of files."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

import pytest

from dapu.checksum import sha256_of
from dapu.errors import JobInterrupted


def test_a_large_file_is_read_no_longer_than_its_job_runs(tmp_path: Path) -> None:
    file, reads = tmp_path / "large", count()
    file.write_bytes(b"0123456789" * 500_000)
    assert sha256_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()

    def check() -> None:
        if next(reads) == 2:
            raise JobInterrupted("it was cancelled")

    with pytest.raises(JobInterrupted):
        sha256_of(file, check)
    assert next(reads) == 3
