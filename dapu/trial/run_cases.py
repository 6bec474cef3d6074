"""Runs tests in several processes, each with a database of its own."""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import psycopg2

from dapu.definitions.case_file import Case, cases_of
from dapu.definitions.folders import scan
from dapu.errors import DapuError
from dapu.registry.selectors import select, selectable
from dapu.registry.version import registry_of
from dapu.secrets import redact
from dapu.trial.case_server import CaseServer, warehouse_on
from dapu.trial.run_case import Ran, run_case

_GROUP = 8  # tests that a process takes at once


def chosen_cases(folder: Path, server: CaseServer, selectors: Sequence[str]) -> list[Case]:
    """The tests of all tasks, or of those that are named.

    Raises ConfigurationError for a selector that names no task.
    """
    found = scan(folder).tasks
    if not selectors:
        return cases_of(found.values())
    warehouse = warehouse_on(folder, server.main)
    with warehouse.session("test") as session, session.cursor() as cursor:
        wanted = set(select(selectors, selectable(cursor, registry_of(warehouse))))
    return cases_of(one for task, one in found.items() if task in wanted)


def run_cases(
    folder: Path, server: CaseServer, cases: Sequence[Case], processes: int
) -> Iterator[Ran]:
    """Runs tests, and gives each as it ends.

    folder: the warehouse directory. processes: at most so many at once.
    """
    groups = [cases[start : start + _GROUP] for start in range(0, len(cases), _GROUP)]
    count = max(1, min(processes, len(groups)))
    if count == 1:
        _begin(folder, server)
        for group in groups:
            yield from _run(group)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (folder, server)) as pool:
        for future in as_completed([pool.submit(_run, group) for group in groups]):
            yield from future.result()


_run_one: Callable[[Case], tuple[list[str], list[str]]]


def _begin(folder: Path, server: CaseServer) -> None:
    """What a process does once."""
    global _run_one
    warehouse, sources = warehouse_on(folder, server.copy("run")), server.empty("source")
    _run_one = partial(run_case, warehouse, sources)


def _run(cases: Sequence[Case]) -> list[Ran]:
    return [_ran(case) for case in cases]


def _ran(case: Case) -> Ran:
    started = time.perf_counter()
    left_out: list[str] = []
    try:
        faults, left_out = _run_one(case)
    except (DapuError, psycopg2.Error, sqlite3.Error) as error:  # a value that no column takes
        faults = [str(error).strip()]
    return Ran(case, time.perf_counter() - started, [redact(one) for one in faults], left_out)
