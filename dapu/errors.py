"""What can go wrong, in one tree.

Every error that a user's input, a source or the network can cause is a `DapuError`: its text
names the place and says what to do, and the command line prints it without a traceback.

    DapuError                   something failed; exit status 1
    ├── ConfigurationError      wrong use, or a faulty warehouse directory; exit status 2
    │   └── FaultyFile          files of it, with each fault and its line
    ├── DatabaseUnreachable     the warehouse's database
    ├── StepFault               a step in ver/ cannot be applied
    └── JobError                a job cannot go on
        ├── BadValue            a table cannot take a row (in dapu.rows.refused_value)
        ├── NotNative           the native reader cannot read a query, and another can
        ├── UnorderedKey    blocks cannot begin at a key's values (in dapu.sources.databases.blocks)
        ├── WrongBackfill       a range that the task cannot read; it is not tried again
        ├── TaskVanished        the task's folder was deleted
        ├── TaskChanged         the task's folder is not what was registered
        └── JobInterrupted      cancelled, or given back
            └── JobTimedOut     it ran longer than its task's `timeout`

Others never reach a person. A `FaultyText` says what is wrong with a text to whoever knows its
file and line; a `Signal` is caught by the code beside, which then goes another way.

    ValueError
    └── FaultyText
        ├── FaultyCondition     a condition in SQL
        ├── FaultyDocument      JSON or XML
        └── FaultyPath          a JMESPath expression
    Signal
    ├── TransientError          a request may succeed soon
    ├── AnswerBrokenOff         an answer must be asked for again, and a part of it is handed on
    ├── ProcessDied             a child process ran into a limit (in dapu.limited_process)
    ├── ReaderGone              nobody reads the answer any more
    └── RowTooLong              a row must be read another way
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


class DatabaseUnreachable(DapuError):
    """The warehouse's database cannot be reached."""


class StepFault(DapuError):
    """A step in ver/ that cannot be applied. sql: its statement that failed, and the line of it."""

    def __init__(self, fault: Fault, sql: tuple[str, int] | None = None) -> None:
        super().__init__(str(fault))
        self.fault, self.sql = fault, sql


class JobError(DapuError):
    """A job cannot go on. `data` is kept with the event, to be read by `status`."""

    def __init__(self, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.data = data or {}


class NotNative(JobError):
    """The native reader cannot read this query, and another reader can.

    why: the reason, to stand after `since`.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"the native reader cannot read this query of `{name}`: {why}; "
            "with `reader: auto` the generic one reads it"
        )
        self.why = why


class WrongBackfill(JobError):
    """A range, given as --from and --to, that the task cannot read: no other try could."""


class TaskVanished(JobError):
    """The folder of a registered task is no longer there."""


class TaskChanged(JobError):
    """The folder of a registered task is not what was registered."""


class JobInterrupted(JobError):
    """The job was stopped from outside: cancelled, timed out, or given back."""


class JobTimedOut(JobInterrupted):
    """The job ran longer than its task's `timeout`."""


class FaultyText(ValueError):
    """What is wrong with a text, to stand after the name of its place."""


class FaultyCondition(FaultyText):
    """What is wrong with a condition."""


class FaultyDocument(FaultyText):
    """What is wrong with a document: JSON or XML."""


class FaultyPath(FaultyText):
    """What is wrong with a JMESPath expression, or with its use on a value."""


class Signal(Exception):
    """Something happened that the code beside knows how to go on from."""


class TransientError(Signal):
    """A failure that may be over soon. wait: the seconds that the server asks for."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class AnswerBrokenOff(Signal):
    """An answer is to come again, of which features were already handed on."""


class ReaderGone(Signal):
    """Nobody reads the answer any more."""


class RowTooLong(Signal):
    """The server could not build a row's line, which is longer than its `max_allowed_packet`."""
