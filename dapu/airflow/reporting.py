"""What an Airflow task's log says of jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Protocol

from dapu.airflow.watch import Sight
from dapu.registry.agenda import JobState

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Log(Protocol):
    """A logger of the standard library, or of structlog as Airflow's triggerer has them."""

    def log(self, level: int, msg: str, *values: Any) -> Any:
        """Writes a line."""


def show(sights: Iterable[Sight], shown: int, log: Log) -> int:
    """Logs the events above a number, and why jobs wait; returns the newest number."""
    newest = shown
    for one in sights:
        if one.why is not None:
            log.log(logging.INFO, "%s: %s", one.state.task, one.why)
        for event in one.events:
            if event.number <= shown:
                continue
            log.log(_LEVELS[event.level], "%s: %s", event.task or one.state.task, event.message)
            newest = max(newest, event.number)
    return newest


def failures(states: Iterable[JobState]) -> list[str]:
    """A line for each job that did not end well."""
    return [
        f"{one.task} {one.status} (job {one.job}): {one.message}"
        for one in states
        if one.status != "done"
    ]


def were_cancelled(states: Iterable[JobState]) -> bool:
    """Whether a person wanted it so: then Airflow should not try again."""
    return any(one.status == "cancelled" for one in states)
