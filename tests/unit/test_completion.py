"""What a shell completes, from the files alone; the shell's own part is click's."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from dapu.cli.main import cli
from dapu.lineage.kept_facts import KeptFacts
from tests.conftest import write_files
from tests.services import unavailable

_TASKS = ("erp.staging.sale", "erp.staging.shop", "own.mart.day")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = {f"routes/{task.replace('.', '/')}/task.yaml": "" for task in _TASKS}
    files["routes/erp/staging/sale/task.yaml"] = "tags: [daily, 'ledger']  # of [all]\nrun: {}\n"
    files["routes/own/route.yaml"] = "defaults:\n  tags:\n    - hourly # often\n    - daily\n"
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
    assert offered("status", folder, "tag:") == ["tag:daily", "tag:hourly", "tag:ledger"]
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


_SHELLS = {
    "bash": (["bash", "--norc", "-i"], "bash_source", ""),
    "zsh": (["zsh", "-f", "-i"], "zsh_source", "autoload -Uz compinit; compinit -u -D; "),
}


def needed(shell: str) -> None:
    """Leaves the test out where the shell is missing."""
    if shutil.which(shell) is None:
        unavailable(f"needs Debian's {shell}")


def pressed(shell: str, typed: str, wanted: str, folder: Path) -> str:
    """What a shell on a terminal of its own shows when a person types and presses the tab key.

    wanted: until that is shown, or ten seconds are over.
    """
    command, source, setup = _SHELLS[shell]
    needed(shell)
    programs = Path(sys.executable).parent
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(folder), "TERM": "dumb"}
    person, terminal = os.openpty()
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder, env=environment,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(terminal)
        os.write(person, f'{setup}eval "$(_DAPU_COMPLETE={source} dapu)"\n{typed}\t'.encode())
        shown, until = "", time.monotonic() + 10
        while wanted not in shown and time.monotonic() < until:
            if select.select([person], [], [], 0.1)[0]:
                shown += os.read(person, 4096).decode()
        process.kill()
    os.close(person)
    return shown


@pytest.mark.parametrize(
    ("shell", "typed", "wanted"),
    [
        ("bash", "dapu run route:o", "route:own"),
        ("bash", "dapu status tag:d", "tag:daily"),
        pytest.param("zsh", "dapu status tag:d", "tag:daily", marks=pytest.mark.zsh),
    ],
)
def test_in_a_real_shell(folder: Path, shell: str, typed: str, wanted: str) -> None:
    """Bash takes a colon for the end of a word."""
    shown = pressed(shell, typed, wanted, folder)
    assert wanted in shown


@pytest.mark.fish
def test_in_a_real_fish(folder: Path) -> None:
    needed("fish")
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    asked = "_DAPU_COMPLETE=fish_source dapu | source; complete -C 'dapu run +route:o'"
    done = subprocess.run(
        ["fish", "-c", asked], cwd=folder, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["+route:own"]
