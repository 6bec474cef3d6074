"""The numbered SQL steps in a `ver/` folder: `NNN_name.sql`, each applied once, in order.

They are templates as other SQL files are; a change of a variable does not make a step another one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dapu.definitions.script import transaction_faults
from dapu.definitions.sql_placeholders import quoted_names, settled
from dapu.definitions.templates import parse_template
from dapu.errors import Fault, FaultyFile
from dapu.statement import THIS, Statement
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

    def statement(self, names: Mapping[str, Any]) -> Statement:
        """The step with its names filled in. Raises FaultyFile when it cannot be rendered."""
        rendered = parse_template(self.path, self.text).render(names)
        return settled(self.path, self.text, rendered)


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


def step_faults(folder: Path, known: Collection[str]) -> list[Fault]:
    """What is wrong with a ver/ folder. known: the names that its templates may use."""
    faults: list[Fault] = []
    try:
        for step in read_steps(folder):
            faults += parse_template(step.path, step.text).check(known)
            faults += quoted_names(step.path, step.text, set(known) - {THIS})
    except FaultyFile as error:
        faults += error.faults
    return faults


TABLE_STEP_NAMES = frozenset({"task", THIS})
"""What they may use beside the variables."""
