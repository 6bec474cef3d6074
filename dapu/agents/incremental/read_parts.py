"""All parts of a split load are read: by the job itself, and by workers that have nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from uuid import uuid4

from psycopg2.extensions import cursor as Cursor

from dapu.agents.incremental.part_reader import PartReader
from dapu.errors import JobError
from dapu.registry import split_parts, workers

_KEEP_EVERY = 30.0  # seconds; a connection that is silent for longer may be cut by the network
_LOOK = 0.1  # seconds between looks whether other workers have read their parts
_COUNT = 0.5  # seconds between looks how many workers have no job
_LET_OTHERS = 1.0  # seconds in which a worker without a job finds a part that is left for it


class PartsJob:
    """The job's side of reading.

    check: raises when the job is to end. keep: lets the network see that the source is in use.
    """

    def __init__(
        self, reader: PartReader, check: Callable[[], None], keep: Callable[[], None]
    ) -> None:
        self._reader, self._check, self._keep = reader, check, keep
        self._of_plan = (reader.registry, reader.task, reader.action, reader.reading.plan)
        self._ending = Event()
        self._share = reader.at_once  # how many parts to read at once; others may read the rest
        self._kept = time.monotonic()

    def read_all(self) -> int:
        """Reads until every part is read; returns how many of its own were of a later state."""
        later, warehouse = 0, self._reader.warehouse
        with warehouse.session("split") as session:
            session.autocommit = True
            with session.cursor() as cursor, self._offered(cursor):
                while True:
                    if self._is_one_free(cursor):
                        later += self._read_what_is_free(cursor)
                    if not split_parts.left(cursor, *self._of_plan):
                        return later
                    self._check()
                    self._keep_awake()
                    time.sleep(_LOOK)

    @contextmanager
    def _offered(self, cursor: Cursor) -> Iterator[None]:
        """Meanwhile other workers may read parts too."""
        reader, name = self._reader, uuid4().hex
        try:
            reading = reader.reading.to_json()
        except JobError:  # the query has a value that only this process knows
            yield
            return
        split_parts.offer(
            cursor,
            reader.registry,
            reader.task,
            reader.action,
            name=name,
            job=reader.job,
            at_once=reader.at_once,
            reading=reading,
        )
        workers.wake_others(cursor, reader.registry)  # who is idle looks only now and then
        try:
            yield
        finally:  # where the session broke, the offer ends with the job's try
            if not cursor.connection.closed:
                split_parts.withdraw(cursor, reader.registry, name)

    def _is_one_free(self, cursor: Cursor) -> bool:
        return split_parts.take(cursor, *self._of_plan, self._reader.at_once) is not None

    def _read_what_is_free(self, cursor: Cursor) -> int:
        """Several at once, until none is free."""
        self._ending.clear()
        count, later = self._reader.at_once, 0
        self._count_own_share(cursor)
        with ThreadPoolExecutor(count, "dapu-part") as pool:
            waiting = {pool.submit(self._read_on, number) for number in range(count)}
            try:
                while waiting:
                    done, waiting = wait(waiting, _COUNT, FIRST_EXCEPTION)
                    later += sum(map(Future.result, done))
                    self._count_own_share(cursor)
                    self._keep_awake()
            finally:
                self._ending.set()
        return later

    def _count_own_share(self, cursor: Cursor) -> None:
        """A part is left to each worker without a job, as long as one stays for the job itself."""
        idle = split_parts.idle_workers(cursor, self._reader.registry)
        self._share = max(1, self._reader.at_once - idle)

    def _read_on(self, number: int) -> int:
        """One part after the other. The threads that others could stand for let them go first."""
        later = 0
        while not self._ending.is_set():
            if number >= self._share and self._ending.wait(_LET_OTHERS):
                break
            read = self._reader.read_next()
            if read is None:
                self._ending.set()  # the threads that let others go first need not wait
                break
            later += not read.in_state
        return later

    def _keep_awake(self) -> None:
        if time.monotonic() - self._kept > _KEEP_EVERY:
            self._keep()
            self._kept = time.monotonic()
