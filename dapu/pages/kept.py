"""What is expensive to read for ten thousand tasks, kept for a moment and read anew beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import psycopg2

from dapu.errors import DapuError

Value = TypeVar("Value")
_REST = 20  # times as long as the last reading took, it is shown before it is read anew
_AFTER = 0.3  # seconds: who asked has the page by then, and does not share a processor with it
_QUICK = 0.05  # seconds; what takes no longer is read whenever it is asked for


class Kept(Generic[Value]):
    """A value that is at most `seconds` old, or is being read anew while it is shown once more.

    read: takes how long it takes. oldest: what is older is not shown, but waited for; a value that
    takes long to read may be older.
    """

    def __init__(self, read: Callable[[], Value], seconds: float, oldest: float) -> None:
        self._read, self._seconds, self._oldest = read, seconds, oldest
        self._lock = threading.Lock()
        self._value: tuple[Value, float, float] | None = None  # with when, and how long it took
        self._old = 0.0  # what was read before is not shown again

    def get(self) -> Value:
        """The value."""
        kept = self._value
        now = time.monotonic()
        if kept is None or kept[2] < _QUICK or kept[1] < self._old:
            return self._renew(now)
        age, rest = now - kept[1], max(self._seconds, _REST * kept[2])
        if age > max(self._oldest, 2 * rest):
            return self._renew(now)
        if age > rest and not self._lock.locked():
            later = threading.Timer(_AFTER, self._renew_quietly, (now,))
            later.daemon = True
            later.start()
        return kept[0]

    def forget(self) -> None:
        """Has who asks next wait for a new value: what it is made of has changed."""
        self._old = time.monotonic()

    def keep_fresh(self) -> None:
        """Reads it where that takes so long that who asks next is not to wait for it."""
        kept, now = self._value, time.monotonic()
        if kept is None or (kept[2] >= _QUICK and now - kept[1] > _REST * kept[2]):
            self._renew_quietly(now)

    def _renew_quietly(self, asked: float) -> None:
        """Who waits for no answer has no use for an error; the next one who does gets it."""
        try:
            self._renew(asked)
        except (DapuError, psycopg2.Error):
            self.forget()

    def _renew(self, asked: float) -> Value:
        """Reads it, but for what another thread has read since it was asked for."""
        with self._lock:
            if self._value is None or self._value[1] < asked:
                began = time.monotonic()
                value = self._read()
                self._value = (value, began, time.monotonic() - began)
            return self._value[0]
