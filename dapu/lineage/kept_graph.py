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
        self._began = 0.0
        self._graph: LineageGraph | None = None

    def get(self, patience: float) -> LineageGraph | None:
        """The graph: of now, if reading takes no longer than `patience` seconds, else the last one.

        None while the first one is being read. Raises DapuError for a faulty warehouse.
        """
        reading = self._start()
        try:
            self._graph = reading.result(patience)
        except StillReading:
            return self._graph
        return self._graph

    def _start(self) -> Future[LineageGraph]:
        with self._lock:
            now = time.monotonic()
            if self._reading is None or (self._reading.done() and now - self._began > _FRESH):
                self._reading, self._began = Future(), now
                threading.Thread(target=self._read, args=(self._reading,), daemon=True).start()
            return self._reading

    def _read(self, reading: Future[LineageGraph]) -> None:
        try:
            graph = read_graph(self._warehouse, self._make_reader)
            graph.prepare()
            reading.set_result(graph)
        except BaseException as error:  # noqa: BLE001 - for who asked
            reading.set_exception(error)
