"""A `docker` that knows what dapu says to it, refuses all else, and runs a scripted connector.

What it runs is no child of it, as a container is none of `docker run`: it goes on when that is
killed, until `docker rm --force`.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services import scripted_connector

# Flags of `docker run` with a value, and those without.
_VALUED = {
    *("--name", "--pull", "--label", "--memory", "--cpus", "--pids-limit"),
    *("--security-opt", "--env", "--mount"),
}
_PLAIN = {"--rm", "--init"}


class FakeDocker:
    """Stands in a folder that is to be the first of PATH. It runs what `connector` says."""

    def __init__(self, folder: Path, connector: Path) -> None:
        self.folder = folder
        folder.mkdir()
        program = folder / "docker"
        words = (sys.executable, __file__, str(folder), str(connector))
        root = Path(__file__).parents[2]
        lines = ("#!/bin/sh", f'PYTHONPATH={root} exec {" ".join(words)} "$@"')
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What it was told to run, in order: flags by name, and `words` after them."""
        files = sorted(self.folder.glob("*.run"), key=lambda file: file.stat().st_mtime_ns)
        return [json.loads(file.read_text()) for file in files]

    def left(self) -> list[str]:
        """What is left of containers, and of the folders that were mounted."""
        containers = [file.stem for file in self.folder.glob("*.pid")]
        sources = {mount["source"] for run in self.runs for mount in run["mounts"]}
        return containers + [source for source in sources if Path(source).exists()]


def main(folder: Path, connector: str, words: Sequence[str]) -> int:
    """The program itself."""
    match words:
        case ["run", *rest]:
            return _run(folder, connector, rest)
        case ["rm", "--force", name]:
            return _remove(folder / f"{name}.pid")
    sys.stderr.write(f"docker: unknown command {words}\n")
    return 125


def _run(folder: Path, connector: str, words: Sequence[str]) -> int:
    flags, rest = _flags(list(words))
    mounts = [_mount(text) for text in flags.pop("--mount", [])]
    name = flags["--name"][0]
    run = {"flags": flags, "mounts": mounts, "image": rest[0], "words": rest[1:]}
    (folder / f"{name}.run").write_text(json.dumps(run))
    inside = {mount["target"]: mount["source"] for mount in mounts}
    command = [sys.executable, scripted_connector.__file__, connector]
    given = [inside.get(word, word) for word in rest[1:]]
    container = subprocess.Popen([*command, *given], start_new_session=True)
    pid = folder / f"{name}.pid"
    pid.write_text(str(container.pid))
    signal.signal(signal.SIGTERM, lambda *_: container.terminate())
    status = container.wait()
    pid.unlink(missing_ok=True)  # --rm
    return status


def _flags(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    flags: dict[str, list[str]] = {}
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if flag not in _PLAIN | _VALUED:
            sys.exit(f"docker: unknown flag {flag}")
        flags.setdefault(flag, []).append(words.pop(0) if flag in _VALUED else "")
    return flags, words


def _mount(text: str) -> dict[str, str]:
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    if parts.get("type") != "bind" or "readonly" not in parts:
        sys.exit(f"docker: the mount {text} is not read-only")
    file = Path(parts["source"])
    modes = [oct(stat.S_IMODE(path.stat().st_mode)) for path in (file.parent, file)]
    return {**parts, "modes": " ".join(modes)}


def _remove(pid: Path) -> int:
    if not pid.exists():
        return 1
    os.kill(int(pid.read_text()), signal.SIGKILL)
    pid.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
