"""How large a document may be of which the whole is in memory at once.

That is a page of a web service, a record of a file, the document in which `records` finds them, or
a feature. Its values take 5 to 20 times the memory of its bytes, so that what a server sends, or
what a file has by mistake, could otherwise take all of the machine's.
"""

from __future__ import annotations

import io
from typing import Any

from dapu.errors import JobError
from dapu.limited_process import memory_of_machine

DEEPEST = 400
"""Elements or lists within each other. Python follows no more than 1,000, in half as many steps."""

LONGEST = min(512 << 20, memory_of_machine() // 32)
"""Bytes, or characters of JSON: 512 MiB on a machine that has 16 GiB."""


def check_length(length: int, what: str) -> None:
    """Raises JobError for more than LONGEST. what: whose length it is."""
    if length > LONGEST:
        raise JobError(
            f"{what} is longer than {LONGEST >> 20:,} MiB, and would have to be in memory at once: "
            "this machine has not enough to read it"
        )


class Body(io.BytesIO):
    """An answer that is kept in memory. what: what to call it in a message."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def write(self, data: Any) -> int:
        """Raises JobError when there is more than LONGEST."""
        check_length(self.tell() + len(data), self._what)
        return super().write(data)
