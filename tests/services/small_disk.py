"""A disk of a few megabytes, which is soon full. Only root can make one."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mounts one of memory, where everybody may write; takes it away at the end."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with tempfile.TemporaryDirectory(prefix="dapu-small-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "none", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("this machine mounts no disk of memory")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
