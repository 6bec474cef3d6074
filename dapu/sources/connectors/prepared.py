"""What a connector is started with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dapu.sources.connectors.secret_file import SecretFile


@dataclass(frozen=True)
class Prepared:
    """A program and its files, ready for one run.

    command: its first words. paths: of `config`, `catalog` and `state`, as the connector sees them.
    files: those in memory, which it inherits.
    folder: where it runs and Python looks for packages first; default where dapu runs.
    variables: names of the environment that it gets beside the usual ones.
    cleanup: commands that leave nothing of it, run at its end and when dapu itself was killed.
    """

    command: Sequence[str]
    paths: Mapping[str, str]
    files: Sequence[SecretFile] = ()
    folder: Path | None = None
    variables: Sequence[str] = ()
    cleanup: Sequence[Sequence[str]] = ()

    @property
    def options(self) -> list[str]:
        """The words that name its files."""
        return [word for name, path in self.paths.items() for word in (f"--{name}", path)]

    @property
    def cleanup_script(self) -> str:
        """The commands of `cleanup` for a shell."""
        return "; ".join(shlex.join(command) for command in self.cleanup)
