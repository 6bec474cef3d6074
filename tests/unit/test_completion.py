"""What a shell completes, from the files alone; the shell's own part is click's."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from dapu.cli.main import cli
from dapu.lineage.kept_facts import KeptFacts
from tests.conftest import write_files

_TASKS = ("erp.staging.sale", "erp.staging.shop", "own.mart.day")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = {f"routes/{task.replace('.', '/')}/task.yaml": "" for task in _TASKS}
    folder = write_files(tmp_path / "finances", {"warehouse.yaml": "", **files})
    facts = '["own.mart.day", [], [], [], [], [["day", []], ["*", []], ["amount", []]], true, true]'
    KeptFacts(folder.resolve()).write({"own.mart.day": "h"}, {"own.mart.day": [[[], []], facts]})
    return folder


def offered(*words: str | Path) -> list[str]:
    *before, last = map(str, words)
    complete = ShellComplete(cli, {}, "dapu", "_DAPU_COMPLETE")
    return [item.value for item in complete.get_completions(before, last)]


def test_tasks_schemas_and_routes(folder: Path) -> None:
    assert offered("run", folder, "") == [*_TASKS, "staging.*", "mart.*"]
    assert offered("run", folder, "own.mart.day", "+erp.staging.s") == [
        "+erp.staging.sale",
        "+erp.staging.shop",
    ]
    assert offered("why", folder, "route:o") == ["route:own"]
    assert offered("status", folder, "ta") == ["tag:"]
    assert offered("diff", folder, "own.") == ["own.mart.day"]
    assert offered("discover", folder, "e") == ["erp"]


def test_columns(folder: Path) -> None:
    assert offered("impact", folder, "own") == ["own.mart.day."]
    assert offered("impact", folder, "own.mart.day.") == ["own.mart.day.day", "own.mart.day.amount"]


def test_within_the_directory_it_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "routes" / "erp")
    assert offered("run", "own") == ["own.mart.day"]
    assert offered("run", "own.mart.day", "erp.staging.sa") == ["erp.staging.sale"]
    assert offered("generate", "erp", "--schema", "m") == ["mart"]
    monkeypatch.chdir(folder.parent)
    assert offered("run", "fin") == ["fin"]  # click's mark for a directory
