"""What a connector logs, as events of its job."""

from __future__ import annotations

from dapu.agents.base import Note
from dapu.sources.connectors.messages import Level

_MOST = 100  # events of one job: some connectors warn of each record


class ConnectorLog:
    """Takes the lines of a connector's log: errors and warnings become events.

    with_all: the others too.
    """

    def __init__(self, note: Note, *, with_all: bool = False) -> None:
        self._note, self._with_all = note, with_all
        self._count = 0

    def __call__(self, level: Level, text: str) -> None:
        """One more line."""
        if level == "info" and not self._with_all:
            return
        self._count += 1
        if self._with_all or self._count <= _MOST:
            self._note(f"{level}: {text}")
        elif self._count == _MOST + 1:
            self._note(f"the connector logs more than {_MOST} warnings; the others are left out")
