"""The faults of loads: what stands between a worker and its databases, and what happens to it.

Each is a context manager that a worker runs in, and gives what does the harm at the chosen moment.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from multiprocessing.context import ForkServerProcess

from scripts.faults.load_proxy import Proxy
from scripts.faults.load_stage import Stage, ended
from tests.services.pgbouncer import PgBouncer, installed

Harm = Callable[[ForkServerProcess], object]
Fault = Callable[[Stage], AbstractContextManager[Harm]]

_TIMEOUT = 4.0  # seconds that a job has whose connections fell silent
_REFUSED = 2  # exit status


@contextmanager
def _kill(stage: Stage) -> Iterator[Harm]:  # noqa: ARG001 - it is the worker's process
    yield lambda worker: worker.kill()


@contextmanager
def _cut(stage: Stage) -> Iterator[Harm]:
    yield lambda _: stage.proxy.cut()


@contextmanager
def _crash(stage: Stage) -> Iterator[Harm]:
    yield lambda _: _stop(stage, signal.SIGQUIT)


@contextmanager
def _restart(stage: Stage) -> Iterator[Harm]:
    yield lambda _: _stop(stage, signal.SIGINT)


def _stop(stage: Stage, how: signal.Signals) -> None:
    stage.main.stop(how)
    stage.main.start()


@contextmanager
def _silent_source(stage: Stage) -> Iterator[Harm]:
    with _cutting(stage.proxy), stage.timeouts(_TIMEOUT):
        yield lambda _: stage.proxy.silence()


@contextmanager
def _silent_warehouse(stage: Stage) -> Iterator[Harm]:
    with (
        _cutting(stage.main_proxy),
        stage.timeouts(_TIMEOUT),
        stage.through(stage.main_proxy.port),
    ):
        yield lambda _: stage.main_proxy.silence()


@contextmanager
def _cutting(proxy: Proxy) -> Iterator[None]:
    """Cuts what fell silent, however the round went: the next is not to wait for it."""
    try:
        yield
    finally:
        proxy.cut()


@contextmanager
def _pooler_restarts(stage: Stage) -> Iterator[Harm]:
    with closing(_pgbouncer(stage, "session")) as pooler, stage.through(pooler.port):
        yield lambda _: pooler.restart()


@contextmanager
def _pooler_refused(stage: Stage) -> Iterator[Harm]:
    """A pooler in transaction mode: the worker refuses it, and touches nothing."""

    def harm(worker: ForkServerProcess) -> None:
        ended(worker)
        if worker.exitcode != _REFUSED:
            raise RuntimeError(f"behind such a pooler a worker ends with {worker.exitcode}")

    with closing(_pgbouncer(stage, "transaction")) as pooler, stage.through(pooler.port):
        yield harm


def _pgbouncer(stage: Stage, mode: str) -> PgBouncer:
    program = installed()
    if program is None:
        raise SystemExit("PgBouncer is not installed (Debian's pgbouncer); leave its faults out")
    return PgBouncer(program, stage.main.postgres, mode)


FAULTS: dict[str, Fault] = {
    "kill": _kill,
    "cut": _cut,
    "crash": _crash,
    "restart": _restart,
    "silent_source": _silent_source,
    "silent_warehouse": _silent_warehouse,
    "pooler_restarts": _pooler_restarts,
    "pooler_refused": _pooler_refused,
}
