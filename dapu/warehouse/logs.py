"""Where the log of components goes: standard error, a rotating file, GELF; as text or JSON.

Whoever has something to say calls `log`, with the task, job and worker that it is about; without
`logs:` in warehouse.yaml nobody listens.
"""

from __future__ import annotations

import logging
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dapu.secrets import redact

if TYPE_CHECKING:
    from dapu.warehouse.settings import LogSettings

_LOGGER = logging.getLogger("dapu.log")
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def open_logs(
    settings: LogSettings, warehouse: str, component: str, zone: tzinfo, *, folder: Path
) -> None:
    """From now on what is logged goes where `logs:` says.

    warehouse, component: stand in each record. folder: from which the file's path counts.
    Raises OSError for a file that cannot be opened.
    """
    close_logs()
    if settings.format is None and settings.file is None and settings.gelf is None:
        return
    # They take a hundredth of a second to import.
    from dapu.warehouse.log_handlers import make_handlers

    about = {"warehouse": warehouse, "component": component}
    for handler in make_handlers(settings, about, zone, folder):
        _LOGGER.addHandler(handler)
    _LOGGER.setLevel(_LEVELS[settings.level])
    _LOGGER.propagate = False


def close_logs() -> None:
    """Nobody listens any more."""
    for handler in [*_LOGGER.handlers]:
        _LOGGER.removeHandler(handler)
        handler.close()


def logs_to_stderr() -> bool:
    """Whether the log takes the place of what components print."""
    return any(type(handler) is logging.StreamHandler for handler in _LOGGER.handlers)


def log(level: str, message: str, **about: Any) -> None:
    """Logs a message without secrets. about: `task`, `job`, `worker` and what else is known."""
    if _LOGGER.handlers:
        known = {name: value for name, value in about.items() if value is not None}
        _LOGGER.log(_LEVELS[level], redact(message), extra={"about": known})
