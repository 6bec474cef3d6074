"""What several of these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.one_task import OneTask
from tests.services.misbehaving_http import MisbehavingServer, misbehaving_http


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    """A web server that does what the test says."""
    with misbehaving_http() as server:
        yield server


@pytest.fixture
def task(make_warehouse: MakeWarehouse, database: Database) -> OneTask:
    """A warehouse with one task."""
    return OneTask(make_warehouse, database)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets requests be sent again soon."""
    monkeypatch.setattr("dapu.http.patience.FIRST_WAIT", 0.01)
