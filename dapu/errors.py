"""What can go wrong, said to a person.

Every error that a user's input, a source or the network can cause is a `DapuError`: its text
names the place and says what to do, and the command line prints it without a traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DapuError(Exception):
    """Something failed; the text says what, where, and what to do about it. Exit status 1."""

    exit_status = 1


class ConfigurationError(DapuError):
    """Wrong use, or a faulty warehouse directory. Exit status 2."""

    exit_status = 2


class JobError(DapuError):
    """A job cannot go on. `data` is kept with the event, to be read by `status`."""

    def __init__(self, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.data = data or {}


class TaskVanished(JobError):
    """The folder of a registered task is no longer there."""


class TaskChanged(JobError):
    """The folder of a registered task is not what was registered."""


class JobInterrupted(JobError):
    """The job was stopped from outside: cancelled, timed out, or given back."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file of a warehouse directory."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class FaultyFile(ConfigurationError):
    """A file of the warehouse directory that cannot be used as it is."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
