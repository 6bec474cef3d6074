"""Actions outside the job's transaction: they run when everything else has been committed.

What can run in no transaction (`vacuum`, `create index concurrently`, a procedure that commits) has
a session of its own, in which each statement is committed by itself. What fails there takes nothing
of the job back; in a task of nothing else it is the job that fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from dapu.definitions.models import ActionOptions
from dapu.errors import JobError
from dapu.loading.result import LoadResult
from dapu.warehouse.postgres_session import Session
from dapu.warehouse.warehouse import Warehouse
from dapu.worker.job_watch import Watch

Position = tuple[int, ActionOptions]


def positions(actions: Sequence[ActionOptions], *, outside: bool) -> list[Position]:
    """The actions that run in the job's transaction or outside of it, with their numbers from 1."""
    return [
        (position, options)
        for position, options in enumerate(actions, start=1)
        if options.outside_transaction == outside
    ]


@contextmanager
def outside_session(warehouse: Warehouse, watch: Watch, worker: int) -> Iterator[Session]:
    """A session in which each statement commits itself; the watch stops what runs in it.

    Raises JobError when the statements leave a transaction open.
    """
    with closing(warehouse.connect(f"worker {worker}", for_jobs=True)) as session:
        session.autocommit = session.runs_others = True
        take_back = watch.on_stop(session.cancel)
        try:
            yield session
        finally:
            take_back()
        if session.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            raise JobError("the statements begin a transaction and do not end it")


def runs_now(options: ActionOptions, *, changed: bool) -> bool:
    """Whether an action runs. changed: whether those before it changed the task's table."""
    return options.runs_when is None or (options.runs_when == "changed") == changed


def not_run(options: ActionOptions) -> LoadResult:
    """What becomes of an action that does not run."""
    how = "unchanged" if options.runs_when == "changed" else "changed"
    return LoadResult(0, (f"not run, since the table is {how}",), changed=False)
