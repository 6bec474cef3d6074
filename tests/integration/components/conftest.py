"""What several of these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.support.gate import Gate


@pytest.fixture
def gate(make_warehouse: MakeWarehouse, database: Database, capsys: Any) -> Iterator[Gate]:
    """A warehouse with tables and roles, which are dropped afterwards."""
    gate = Gate(make_warehouse, database, capsys)
    yield gate
    for name in gate.names.values():
        if gate.rows(f"select 1 from pg_roles where rolname = '{name}'"):
            gate.run_sql(f"drop owned by {name}; drop role {name}")
