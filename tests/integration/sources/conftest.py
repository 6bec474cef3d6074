"""What several of these tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.scripted_connector import ScriptedConnector, stream


@pytest.fixture
def connector(tmp_path: Path) -> ScriptedConnector:
    """A connector that says what the test says, with one stream."""
    folder = tmp_path / "connector"
    folder.mkdir()
    found = ScriptedConnector(folder)
    found.has(stream("users", {"id": "integer"}))
    return found
