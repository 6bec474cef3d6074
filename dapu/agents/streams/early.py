"""Rows of a stream go into its new table while the connector still sends more.

A stream that is read as a whole could wait for its end: then the reading has to end before the
loading begins, which a fast connector feels. So the load begins early, and follows the file in
which the records are kept. It is given up when the reading takes long, so that no transaction is
open for hours, and when anything fails: the records are all kept, and the load is made once more at
the end, as it would have been made without this.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg2
from psycopg2.extensions import cursor as Cursor

from dapu.errors import DapuError, JobError
from dapu.loading.result import LoadResult
from dapu.named_sql import statement
from dapu.rows.rows import CopyRows
from dapu.sources.connectors.records import RecordSpool

RECORDS, SOON = 50_000, 30.0  # it begins with so many, when they came within so many seconds
_LONGEST = 600.0  # seconds
_PAUSE = 0.05  # seconds between two looks for more records


class EarlyLoad(threading.Thread):
    """A load of the rows that a spool has and will have. The session is its own meanwhile.

    load: puts rows into the table, in the open transaction.
    """

    def __init__(
        self, cursor: Cursor, spool: RecordSpool, load: Callable[[Cursor, CopyRows], LoadResult]
    ) -> None:
        super().__init__(name="dapu-early-load", daemon=True)
        self._cursor, self._spool, self._load = cursor, spool, load
        self._rows = spool.rows_so_far(self._is_over)
        self._whole = threading.Event()
        self._is_given_up = False
        self._end = time.monotonic() + _LONGEST
        self._result: LoadResult | None = None

    def run(self) -> None:
        """Loads. Raises nothing."""
        try:
            self._result = self._load(self._cursor, self._rows)
        except (DapuError, psycopg2.Error):  # said by the load at the end, if it is so again
            with suppress(psycopg2.Error):
                self._cursor.connection.rollback()

    def finish(self) -> LoadResult | None:
        """All records have come: what the load gave; None where it is to be made once more."""
        self._spool.flush()
        self._whole.set()
        self.join()
        return self._result

    def abandon(self) -> None:
        """Nothing of it is left."""
        self._is_given_up = True
        while self.is_alive():
            with suppress(psycopg2.Error):
                self._cursor.connection.cancel()
            self.join(_PAUSE)
        with suppress(psycopg2.Error):
            self._cursor.connection.rollback()

    def _is_over(self) -> bool:
        if self._is_given_up or time.monotonic() > self._end:
            raise JobError("the load is made at the end")
        return self._whole.wait(_PAUSE)


def is_new(cursor: Cursor) -> bool:
    """Whether the transaction has written nothing, so that nothing is lost with it."""
    cursor.execute(statement("session.has_written"))
    row = cursor.fetchone()
    return row is not None and not row[0]
