"""What an editor shows in the files of a new warehouse directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import npm
from tests.services.language_server import running_language_server
from tests.support.command import here

TASK = "routes/example/staging/orders/task.yaml"
TEXT = """\
depends: example.staging.greeting
run: {timeout: 5 mintes}
actions:
  - do: database
    query: extract.sql
    load: merge
    kye: [id]
"""


@pytest.fixture(scope="module")
def npm_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm.installed(tmp_path_factory.mktemp("npm"), "yaml-language-server@1")


def test_faults_keys_and_what_they_do_are_shown_where_they_stand(
    npm_packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "first"
    here(capsys, "init", folder)
    with running_language_server(npm_packages, folder) as editor:
        found = editor.faults(TASK, TEXT)
        assert [line for line, _ in found] == [1, 2, 7]
        for (_, message), says in zip(found, ("array", "length of time", "kye"), strict=True):
            assert says in message
        assert "rows that the source no longer has" in editor.hover(TASK, 6, 6)
        assert {"replace", "merge", "history"} <= set(editor.completions(TASK, 6, 10))
        connections = (folder / "connections.yaml").read_text("utf-8")
        more = "- {name: erp, driver: pg, database: x, port: '${PORT}'}\n"
        assert editor.faults("connections.yaml", connections + more) == []
