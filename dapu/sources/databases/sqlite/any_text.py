"""Python's own SQLite driver, for texts that are not UTF-8: it would fail at the first of them."""

from __future__ import annotations

import sqlite3
from typing import Any

from dapu.sources.databases.sqlite.source import Digest, common_hash, row_hash


class AnyText(sqlite3.Connection):
    """A connection that gives each text; a byte that is not UTF-8 as a surrogate (PEP 383).

    No surrogate goes to the warehouse as it is: there the value is refused, or cleaned.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.text_factory = _decoded
        self.create_function("dapu_hash", -1, row_hash, deterministic=True)
        self.create_function("dapu_common_hash", -1, common_hash, deterministic=True)
        self.create_aggregate("dapu_digest", 1, Digest)  # type: ignore[arg-type]


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
