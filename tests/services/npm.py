"""Packages of npm, for the files in them alone: nothing of them runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.services import unavailable

_PATIENCE = 120  # seconds


def installed(folder: Path, *packages: str) -> Path:
    """Installs packages into a folder, and returns where they are."""
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is not installed (Debian's npm)")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    command = [npm, "install", *options, *packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        unavailable(f"npm cannot install {', '.join(packages)}: {done.stderr.strip()[:300]}")
    return folder / "node_modules"
