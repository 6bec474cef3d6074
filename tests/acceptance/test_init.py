"""The first minutes of a newcomer: from nothing to a table, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Finished, dapu, here


@pytest.mark.slow
def test_the_commands_that_init_names_load_a_table(empty: Path) -> None:
    def run(*arguments: str) -> Finished:
        return dapu(*arguments, folder=empty)

    made = run("init", "first")
    assert made.status == 0, made.text
    title, *commands, last = made.out.splitlines()
    assert title == "first is made. Now:"
    assert last.endswith(": dapu server first")
    assert commands == [
        f"  dapu {name} first" for name in ("versioner", "registrar", "manager", "worker", "status")
    ]
    said = [run(*command.split()[1:]) for command in commands]
    assert [(done.status, done.err) for done in said] == [(0, "")] * 5, said
    assert "example.staging.greeting" in said[-1].out
    assert " done " in said[-1].out
    assert f"host={empty}/first/.dapu/postgres port=" in said[-1].out
    greeting = run("query", "first", "select words from staging.greeting where number = 3")
    assert "hello number 3" in greeting.out
    assert run("manager", "first").out.endswith("manager: nothing is due\n")
    assert run("worker", "first").out.endswith("worker: nothing is due\n")


def test_init_leaves_a_folder_alone_that_is_not_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("")
    done = here(capsys, "init", tmp_path)
    assert (done.status, done.err) == (2, f"dapu: {tmp_path} already exists and is not empty\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_report_of_the_first_warehouse_runs_as_soon_as_its_masters_have_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A `pause` among the starter's defaults would hold back each report for so long.
    here(capsys, "init", tmp_path / "first")
    assert "pause" not in (tmp_path / "first" / "warehouse.yaml").read_text()


def test_init_fills_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "init", tmp_path)
    assert done.status == 0
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {
        ".gitignore",
        "connections.yaml",
        "warehouse.yaml",
        "routes/example/route.yaml",
        "routes/example/staging/greeting/extract.sql",
        "routes/example/staging/greeting/task.yaml",
        "ver/001_schemas.sql",
        *(
            f".schemas/{name}.json"
            for name in ("warehouse", "connections", "grants", "route", "task", "tests")
        ),
        ".vscode/extensions.json",
        ".vscode/settings.json",
    }


def test_init_where_nothing_can_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    done = here(capsys, "init", tmp_path / "file" / "below")
    assert done.status == 1
    assert "Not a directory" in done.err
    assert "Traceback" not in done.err


def test_what_init_makes_is_without_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here(capsys, "init", tmp_path)
    assert here(capsys, "validate", tmp_path).out == "1 task without fault; 0 faults\n"
