"""A Python environment a connector and version, made once and kept between runs."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dapu.errors import JobError

_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?")
_LONGEST_INSTALL = 1800  # seconds
_LAST_LINES = 5


def environment_of(folder: Path, package: str, version: str) -> Path:
    """The folder with the programs of a package, which is installed when it is not yet.

    folder: where all environments are. package: its name in the package index.
    Two that come at once make it once. Raises JobError when it cannot be installed.
    """
    if not _PACKAGE.fullmatch(package) or not re.fullmatch(r"[0-9A-Za-z.!+_-]+", version):
        raise JobError(f"{package} {version} is not the name and version of a package")
    place = folder_of(folder, package, version)
    if not (place / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / f"{place.name}.lock"):
            if not (place / "ready").exists():
                shutil.rmtree(place, ignore_errors=True)
                _install(place, f"{package}=={version}")
                (place / "ready").touch()
    return place / "bin"


def newest_version(package: str) -> str:
    """The newest version of a package that this Python can install, as the package index says now.

    Raises JobError when there is none.
    """
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet"]
    command += ["--ignore-installed", "--no-input", "--disable-pip-version-check"]
    text = _run([*command, "--report", "-", package], package)
    return str(json.loads(text)["install"][0]["metadata"]["version"])


def folder_of(folder: Path, package: str, version: str) -> Path:
    """Where the environment of a package is, or will be; it has a file `ready` when it is whole."""
    return folder / re.sub(r"[^A-Za-z0-9.]+", "-", f"{package}-{version}").lower()


def program_of(folder: Path, package: str) -> Path:
    """The program that a connector's package brings.

    Raises JobError when there is none of its name, with those that there are.
    """
    bare = package.partition("[")[0].lower().replace("_", "-")
    for name in (bare, bare.removeprefix("airbyte-")):
        if (folder / name).is_file():
            return folder / name
    names = sorted(path.name for path in folder.iterdir() if "-" in path.name)
    raise JobError(
        f"the package {package} brings no program {bare.removeprefix('airbyte-')}; "
        f"say which with `program:`. It has: {', '.join(names)}"
    )


def _install(place: Path, requirement: str) -> None:
    uv = shutil.which("uv")
    if uv is not None:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(place)], requirement)
        pip = [uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python")]
    else:
        _run([sys.executable, "-m", "venv", str(place)], requirement)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
        pip.append("--disable-pip-version-check")
    _run([*pip, requirement], requirement)


def _run(command: Sequence[str], requirement: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_LONGEST_INSTALL
        )
    except subprocess.TimeoutExpired:
        raise JobError(f"installing {requirement} took more than half an hour") from None
    if done.returncode != 0:
        lines = "\n  ".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
        raise JobError(f"{requirement} cannot be installed:\n  {lines}")
    return done.stdout


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
