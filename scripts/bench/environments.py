"""Environments of their own for the programs that a bench runs, as who installs one has it.

dapu gets one too: what its tests and tools bring beside it makes each start slower, and larger.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from scripts.bench.measure import BenchError

_CHECKOUT = Path(__file__).resolve().parents[2]
_BUILDING = ["setuptools>=77"]  # once, so that the package index is not needed each time
_EXTRAS = "[mysql]"


def environment(name: str) -> Path:
    """The folder of a program's environment, kept from run to run; it may not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dapu-bench" / name


def install(name: str, packages: Sequence[str]) -> None:
    """Makes an environment with packages. Raises BenchError when pip fails."""
    folder = environment(name)
    print(f"installs {name} into {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    _pip(name, packages)


@cache
def dapu_program() -> Path:
    """The command `dapu` of this checkout as it is now, installed."""
    program = environment("dapu") / "bin" / "dapu"
    if not program.is_file():
        install("dapu", _BUILDING)
    _pip("dapu", ["--no-build-isolation", f"{_CHECKOUT}{_EXTRAS}"])
    return program


def dapu_libraries() -> dict[str, str]:
    """The versions of what dapu runs with, by name."""
    folders = dapu_program().parents[1].glob("lib/python*/site-packages")
    found = metadata.distributions(path=[str(folder) for folder in folders])
    return {one.name: one.version for one in found}


def _pip(name: str, arguments: Sequence[str]) -> None:
    python = environment(name) / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"cannot install {name}: {done.stderr[-1000:]}")
