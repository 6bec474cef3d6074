"""A server over a warehouse, with a connector that does what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dapu.server.access import passwords
from dapu.server.access.passwords import hashed
from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector
from tests.support.browser import HOSTILE, MakeServed
from tests.support.components import registrar
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


@pytest.fixture(scope="module")
def logins() -> str:
    """Of three people whose password is their name and `-password`. Cheap ones, for the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_N", 16)
        people = {"vic": "viewer", "ann": "operator", "ada": "admin"}
        return "\n".join(
            f'  - {{name: {name}, role: {role}, password: "{hashed(f"{name}-password")}"}}'
            for name, role in people.items()
        )


@pytest.fixture
def make_served(
    make_warehouse: MakeWarehouse,
    database: Database,
    connector: ScriptedConnector,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeServed:
    monkeypatch.setattr(passwords, "_N", 16)  # of names that are not there

    def make(section: str) -> Served:
        task = f'description: "{HOSTILE}"\nactions: [{{do: sql, file: [after.sql]}}]'
        files = {"warehouse.yaml": section, "routes/local/staging/after/task.yaml": task}
        found = Served(make_warehouse, database, connector, files)
        registrar(found.folder)
        return found

    return make
