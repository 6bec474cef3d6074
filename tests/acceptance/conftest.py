"""What several of these tests share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import Worker
from tests.conftest import MakeWarehouse
from tests.support.components import ROUTE, a_task, manager
from tests.support.rounds import Seen, prepare

TASKS = {
    **ROUTE,
    **a_task("r.s.good", description="all is well"),
    **a_task(
        "r.s.bad",
        {"odd.sql": "select i as number, 'x' as letter from generate_series(1, 25) i"},
        run="{retries: 0}",
        checks="[{sql: odd.sql}]",
    ),
    **a_task("r.s.later", {"run.sql": "select 1 / 0"}),
}


@pytest.fixture
def ran(make_warehouse: MakeWarehouse) -> Path:
    """A warehouse in which one task is done, one has failed, and one waits for its next try."""
    folder = make_warehouse(TASKS)
    prepare(folder)
    manager(folder)
    tally = Worker(open_warehouse(folder), Seen(), minutes=0.5).run()
    assert tally.failing == {"r.s.bad": "failed", "r.s.later": "waiting"}
    return folder


@pytest.fixture
def empty() -> Iterator[Path]:
    """An empty folder. Right below /tmp, since as root the server runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-init-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
