"""`dapu conf-prep` fills names of the environment into a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import here


def test_conf_prep_fills_in_names_and_keeps_the_file_to_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "connections.yaml"
    file.write_text("password: ${PWD_OF_MAIN}\nport: ${PORT:-5432}\n")
    (tmp_path / ".env").write_text("PWD_OF_MAIN='a b'\n")
    done = here(capsys, "conf-prep", file, "-o", "-")
    assert (done.status, done.out) == (0, "password: a b\nport: 5432\n")
    done = here(capsys, "conf-prep", file)
    assert done.status == 0
    assert file.read_text() == "password: a b\nport: 5432\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_conf_prep_writes_nothing_when_a_name_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.conf"
    file.write_text("a\n${NO_SUCH_NAME_HERE}\n")
    done = here(capsys, "conf-prep", file)
    assert done.status == 2
    assert f"{file}:2: the environment has no NO_SUCH_NAME_HERE" in done.err
    assert file.read_text() == "a\n${NO_SUCH_NAME_HERE}\n"
    done = here(capsys, "conf-prep", tmp_path / "none.conf")
    assert done.status == 2
    assert "none.conf:1: cannot be read: No such file or directory" in done.err
