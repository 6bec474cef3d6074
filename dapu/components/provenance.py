"""Who brings definitions into the registry, and as which commit of git."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from pathlib import Path

_PATIENCE = 20  # seconds for git, in a large repository on a slow disk


def who() -> str:
    """`user@host` of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, of a number that has no name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def commit_of(folder: Path) -> str | None:
    """The commit that a folder is at, `… with changes` where its files are not all committed.

    None where it is not in git, or git is not installed or does not trust the folder's owner.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit} with changes" if _git(folder, "status", "--porcelain", "--", ".") else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
