"""The numbered SQL steps in a `ver/` folder: `NNN_name.sql`, each applied once, in order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from dapu.definitions.script import transaction_faults
from dapu.errors import Fault, FaultyFile
from dapu.warehouse.yamlfile import read_text

_FILE = re.compile(r"(\d{1,6})_.+\.sql")


@dataclass(frozen=True)
class MigrationStep:
    """One file of a ver/ folder."""

    path: Path
    number: int
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_steps(folder: Path) -> list[MigrationStep]:
    """The steps of a ver/ folder in order; none when there is no such folder.

    Raises FaultyFile when a name has no number, two have the same, or a step ends its
    transaction.
    """
    if not folder.is_dir():
        return []
    steps: dict[int, MigrationStep] = {}
    faults: list[Fault] = []
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if path.suffix != ".sql":
            continue
        if match is None:
            faults.append(
                Fault(path, 1, "a step is named NNN_name.sql, for example 001_create.sql")
            )
            continue
        step = MigrationStep(path, int(match[1]), read_text(path))
        if step.number in steps:
            other = steps[step.number].path.name
            faults.append(Fault(path, 1, f"has the same number as {other}"))
        faults += transaction_faults(path, step.text)
        steps[step.number] = step
    if faults:
        raise FaultyFile(faults)
    return [steps[number] for number in sorted(steps)]


def step_faults(folder: Path) -> list[Fault]:
    """What is wrong with a ver/ folder."""
    try:
        read_steps(folder)
    except FaultyFile as error:
        return error.faults
    return []
