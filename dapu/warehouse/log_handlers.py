"""What writes the log: the handlers of standard error, of a rotating file and of GELF.

Apart from `logs`, since a command whose warehouse has no `logs:` does without them.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import sys
from contextlib import suppress
from datetime import datetime, tzinfo
from logging.handlers import DatagramHandler, RotatingFileHandler, SocketHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zlib import compress

if TYPE_CHECKING:
    from dapu.warehouse.settings import LogSettings

_SYSLOG = {"info": 6, "warning": 4, "error": 3}  # as GELF has levels
_CHUNK = 8154  # bytes of a datagram behind its head; docs: go2docs.graylog.org, GELF via UDP
_MOST_CHUNKS = 128
_GELF_PORT = 12201


def make_handlers(
    settings: LogSettings, about: dict[str, str], zone: tzinfo, folder: Path
) -> list[logging.Handler]:
    """A handler for each place that `logs:` names.

    about: stands in each record. folder: from which the file's path counts.
    Raises OSError for a file that cannot be opened.
    """
    handlers: list[logging.Handler] = []
    if settings.format is not None and not sys.stdout.isatty():  # there a person looks on
        handlers.append(logging.StreamHandler(sys.stderr))
    if settings.file is not None:
        size, keep = settings.rotate_at * 1_000_000, settings.keep
        file = folder / settings.file
        handlers.append(_SharedFile(file, maxBytes=size, backupCount=keep, encoding="utf-8"))
    is_json = settings.format == "json"
    for handler in handlers:
        handler.setFormatter(_Json(about, zone) if is_json else _Text(about, zone))
    if settings.gelf is not None:
        handlers.append(_gelf_handler(settings.gelf, about))
    return handlers


class _Text(logging.Formatter):
    """`2024-05-01 14:30:00 worker: message [task=r.s.t job=12 worker=3]`."""

    def __init__(self, about: dict[str, str], zone: tzinfo) -> None:
        super().__init__()
        self._component, self._zone = about["component"], zone

    def format(self, record: logging.LogRecord) -> str:
        at = f"{datetime.fromtimestamp(record.created, self._zone):%Y-%m-%d %H:%M:%S}"
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        known: dict[str, Any] = record.__dict__["about"]
        ids = " ".join(f"{name}={value}" for name, value in known.items())
        said = " ".join(record.getMessage().splitlines())
        return f"{at} {self._component}: {level}{said}" + (f" [{ids}]" if ids else "")


class _Json(logging.Formatter):
    """A record a line."""

    def __init__(self, about: dict[str, str], zone: tzinfo) -> None:
        super().__init__()
        self._about, self._zone = about, zone

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, self._zone).isoformat(timespec="milliseconds")
        data = {
            "at": at,
            "level": record.levelname.lower(),
            **self._about,
            "message": record.getMessage(),
            **record.__dict__["about"],
        }
        return json.dumps(data, ensure_ascii=False, default=str)


class _SharedFile(RotatingFileHandler):
    """A file that several processes write and rotate, one at a time.

    A lock on its folder lets no two rotate at once, and each looks whether another one did.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            folder = os.open(Path(self.baseFilename).parent, os.O_RDONLY)
        except OSError:
            self.handleError(record)
            return
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self._follow()
            super().emit(record)
        finally:
            os.close(folder)

    def _follow(self) -> None:
        """Writes on in the file that has the name now."""
        if self.stream is None:
            return
        with suppress(OSError):
            if Path(self.baseFilename).stat().st_ino == os.fstat(self.stream.fileno()).st_ino:
                return
        self.stream.close()
        self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """A log that cannot be written stops no work."""


def _gelf_handler(url: str, about: dict[str, str]) -> logging.Handler:
    parts = urlsplit(url)
    kind = _GelfUdp if parts.scheme == "udp" else _GelfTcp
    handler = kind(parts.hostname or "", parts.port or _GELF_PORT)
    handler.setFormatter(_Gelf(about))
    return handler


class _Gelf(logging.Formatter):
    """A record as GELF 1.1 (go2docs.graylog.org, "GELF payload specification")."""

    def __init__(self, about: dict[str, str]) -> None:
        super().__init__()
        self._about = about

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        more = {**self._about, **record.__dict__["about"]}
        data = {
            "version": "1.1",
            "host": platform.node(),
            "short_message": (message.splitlines() or [""])[0] or "-",
            "full_message": message,
            "timestamp": round(record.created, 3),
            "level": _SYSLOG[record.levelname.lower()],
            **{f"_{name}": value for name, value in more.items()},
        }
        return json.dumps(data, ensure_ascii=False, default=str)


class _GelfTcp(SocketHandler):
    """Each record ends with a zero byte."""

    def makePickle(self, record: logging.LogRecord) -> bytes:  # noqa: N802 - the base's name
        return self.format(record).encode() + b"\0"

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - as above
        """A log server that is away stops no work; the connection is made anew."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None


class _GelfUdp(DatagramHandler):
    """A long record goes in several datagrams."""

    def makePickle(self, record: logging.LogRecord) -> bytes:  # noqa: N802 - the base's name
        return compress(self.format(record).encode())

    def send(self, s: Any) -> None:
        pieces = [s[start : start + _CHUNK] for start in range(0, len(s), _CHUNK)]
        if len(pieces) == 1:
            super().send(s)
            return
        number = os.urandom(8)
        for place, piece in enumerate(pieces[:_MOST_CHUNKS]):
            super().send(b"\x1e\x0f" + number + bytes([place, len(pieces)]) + piece)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """A log server that is away stops no work."""
