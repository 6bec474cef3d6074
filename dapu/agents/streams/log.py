"""What a connector logs, as events of its job."""

from __future__ import annotations

from dapu.agents.base import Note
from dapu.sources.connectors.messages import Level

_MOST = 100  # events of one job: some connectors warn of each record


class ConnectorLog:
    """Takes the lines of a connector's log: errors and warnings become events."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._count = 0

    def __call__(self, level: Level, text: str) -> None:
        """One more line."""
        if level == "info":
            return
        self._count += 1
        if self._count <= _MOST:
            self._note(f"{level}: {text}")
        elif self._count == _MOST + 1:
            self._note(f"the connector logs more than {_MOST} warnings; the others are left out")
