"""What the command line says of itself, and of wrong use."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from dapu.cli.main import cli
from tests.support.command import dapu, here

_COMMANDS = cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_help_of_each_command_has_an_example(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    done = here(capsys, name, "--help")
    assert done.status == 0
    assert f"  dapu {name} " in done.out or f"Example: dapu {name} " in done.out


def test_help_lists_every_command_with_a_whole_line() -> None:
    done = dapu("--help")
    assert done.status == 0
    for name in _COMMANDS:
        assert f"  {name} " in done.out
    assert "..." not in done.out.partition("Commands:")[2]
    assert "Exit status: 0 done, 1 something failed, 2 wrong use or configuration." in done.out


def test_the_completion_of_words_can_be_printed() -> None:
    done = dapu(environment={"_DAPU_COMPLETE": "bash_source"})
    assert done.status == 0
    assert "complete -o nosort" in done.out
    words = {"_DAPU_COMPLETE": "bash_complete", "COMP_WORDS": "dapu vers", "COMP_CWORD": "1"}
    assert dapu(environment=words).out == "plain,versioner\n"


def test_a_file_in_the_place_of_a_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "warehouse.yaml"
    file.touch()
    done = here(capsys, "status", file)
    assert (done.status, done.err) == (2, f"dapu: {file} is a file; give the warehouse directory\n")


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_a_directory_that_is_not_a_warehouse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: bool
) -> None:
    folder = tmp_path / "finances"
    if made:
        folder.mkdir()
    for name in ("versioner", "status", "worker", "validate"):
        done = here(capsys, name, folder)
        assert done.status == 2
        (line,) = done.err.splitlines()
        assert re.match(rf"(\S+ \S+ {name}: )?dapu: {re.escape(str(folder))} ", line)
        assert "warehouse.yaml" in line
        assert line.endswith(": dapu init finances")


@pytest.mark.parametrize(
    "arguments", [["worker"], ["worker", "x", "--processes", "0"], ["frob"], ["init"]]
)
def test_wrong_use_ends_with_status_two(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    done = here(capsys, *arguments)
    assert done.status == 2
    assert "Usage: dapu" in done.err
