"""How long to wait before asking again, and when to give up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from datetime import timedelta

from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from dapu.durations import show_duration
from dapu.errors import JobError, TransientError
from dapu.warehouse.connection_kinds import RateLimit

FIRST_WAIT = 1.0  # seconds; doubles with each try
LONGEST_WAIT = 600.0  # seconds; for what takes longer the job has tries of its own
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class RetryPolicy:
    """Whether a request that failed is sent again, and after how long."""

    def __init__(self, retries: int) -> None:
        self._left = retries
        self._own_wait = FIRST_WAIT

    def wait_after(self, failure: TransientError) -> float:
        """The seconds to wait. Raises JobError when there is to be no further try."""
        if self._left == 0:
            raise JobError(f"{failure}; it was the last try")
        if failure.wait > LONGEST_WAIT:
            later = show_duration(timedelta(seconds=failure.wait))
            raise JobError(f"{failure}; it asks to come again in {later}")
        self._left -= 1
        # Those who failed together shall not all come again together.
        wait = max(failure.wait, self._own_wait * random.uniform(0.8, 1.2))
        self._own_wait = min(2 * self._own_wait, LONGEST_WAIT)
        return wait


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds of `Retry-After`, which is a number or a date (RFC 9110, section 10.2.3)."""
    try:
        return Retry().parse_retry_after(headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0.0


class RateLimiter:
    """Spreads requests evenly, so that in no time there are more than allowed."""

    def __init__(self, limit: RateLimit | None) -> None:
        self._interval = limit.per.total_seconds() / limit.requests if limit else 0.0
        self._next = 0.0

    def wait(self, stopped: threading.Event) -> None:
        """Waits for the next request's turn, or until all is stopped."""
        now = time.monotonic()
        if self._next > now:
            stopped.wait(self._next - now)
        self._next = max(now, self._next) + self._interval
