"""The lineage of a warehouse in a process that lives long: read beside what asks for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillReading

from dapu.lineage.graph import LineageGraph
from dapu.lineage.warehouse_facts import MakeReader, read_facts
from dapu.warehouse.warehouse import Warehouse

_FRESH = 20.0  # seconds in which files are not looked at again
_SHARE = 20  # and so many times as long as that takes
_AFTER = (
    0.3  # seconds from a question until files are looked at again, so that it is answered first
)
_OLD = 3600.0  # seconds after which the last graph is not shown when a newer one comes soon


def read_graph(warehouse: Warehouse, make_reader: MakeReader) -> LineageGraph:
    """The lineage of all tasks, from their files."""
    facts = read_facts(warehouse, make_reader)
    return LineageGraph(facts.tasks, facts.links)


class KeptGraph:
    """The graph as it was read last; it is read again when somebody asks and it is not fresh."""

    def __init__(self, warehouse: Warehouse, make_reader: MakeReader) -> None:
        self._warehouse, self._make_reader = warehouse, make_reader
        self._lock = threading.Lock()
        self._reading: Future[LineageGraph] | None = None
        self._next = 0.0
        self._kept: tuple[LineageGraph, float] | None = None  # with when it was begun

    def get(self, patience: float) -> LineageGraph | None:
        """The graph: the one that was read last, but that an old one is waited for.

        patience: seconds to wait. None while the first one is being read. Raises DapuError for a
        faulty warehouse.
        """
        reading, kept = self._start(), self._kept
        is_old = kept is None or time.monotonic() - kept[1] > _OLD
        try:
            return reading.result(patience if is_old else 0)
        except StillReading:
            return kept[0] if kept else None

    def _start(self) -> Future[LineageGraph]:
        with self._lock:
            now = time.monotonic()
            if self._reading is None or (self._reading.done() and now > self._next):
                self._reading = Future()
                later = threading.Timer(_AFTER if self._kept else 0, self._read, (self._reading,))
                later.daemon = True
                later.start()
            return self._reading

    def _read(self, reading: Future[LineageGraph]) -> None:
        began = time.monotonic()
        try:
            graph = read_graph(self._warehouse, self._make_reader)
            graph.prepare()
        except BaseException as error:  # noqa: BLE001 - for who asked
            self._next = time.monotonic() + _FRESH
            reading.set_exception(error)
        else:
            now = time.monotonic()
            self._next = now + max(_FRESH, _SHARE * (now - began))
            self._kept = graph, began
            reading.set_result(graph)
