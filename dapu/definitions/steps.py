"""The numbered SQL steps in a `ver/` folder: `NNN_name.sql`, each applied once, in order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from dapu.errors import Fault, FaultyFile
from dapu.yamlfile import read_text

_FILE = re.compile(r"(\d{1,6})_.+\.sql")
_WORDS = r"(commit|rollback|begin|end|abort|start\s+transaction|prepare\s+transaction|savepoint)\b"
_ENDS_TRANSACTION = re.compile(_WORDS, re.IGNORECASE)
_WORTH_A_LOOK = re.compile(rf"(?:^|;|\*/|\}})\s*{_WORDS}", re.IGNORECASE | re.MULTILINE)
# The body of a function in standard SQL has semicolons of its own, and its own `end`.
_BODY_BEGINS = re.compile(r"\bbegin\s+atomic\b", re.IGNORECASE)
_BODY_IS_EMPTY = re.compile(r"\bbegin\s+atomic\s+end\s*$", re.IGNORECASE)
_PASSED_OVER = re.compile(
    r"--[^\n]*|/\*.*?\*/|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'"
    r"|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|\{([{%#]).*?[}%#]\}",
    re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """One file of a ver/ folder."""

    path: Path
    number: int
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_steps(folder: Path) -> list[Step]:
    """The steps of a ver/ folder in order; none when there is no such folder.

    Raises FaultyFile when a name has no number, two have the same, or a step ends its
    transaction.
    """
    if not folder.is_dir():
        return []
    steps: dict[int, Step] = {}
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
        step = Step(path, int(match[1]), read_text(path))
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


def transaction_faults(path: Path, text: str) -> list[Fault]:
    """A fault for each statement that would end the transaction that dapu runs the file in."""
    if not _WORTH_A_LOOK.search(text):
        return []
    bare = _PASSED_OVER.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    faults, start, in_body = [], 0, False
    for part in bare.split(";"):
        at = start + len(part) - len(part.lstrip())
        match = _ENDS_TRANSACTION.match(part.strip())
        if in_body:
            in_body = match is None or match[1].lower() != "end"
        elif match:
            message = f"`{match[1].lower()}` is not for this file: dapu runs and commits it whole"
            faults.append(Fault(path, 1 + bare[:at].count("\n"), message))
        elif _BODY_BEGINS.search(part):
            in_body = not _BODY_IS_EMPTY.search(part)
        start += len(part) + 1
    return faults
