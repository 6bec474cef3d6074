"""A server over a warehouse, with a connector that does what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector
from tests.support.served import Served


@pytest.fixture
def connector(tmp_path: Path) -> ScriptedConnector:
    folder = tmp_path / "connector"
    folder.mkdir()
    return ScriptedConnector(folder)


@pytest.fixture
def served(
    make_warehouse: MakeWarehouse, database: Database, connector: ScriptedConnector
) -> Iterator[Served]:
    found = Served(make_warehouse, database, connector)
    with found.listening():
        yield found
