"""Who registers, and as which commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dapu.components.provenance import commit_of, who


def test_a_folder_is_at_a_commit_or_has_changes(tmp_path: Path) -> None:
    assert commit_of(tmp_path / "none") is None
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)
    commit = commit_of(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "task.yaml").touch()
    assert commit_of(tmp_path) == f"{commit} with changes"


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path) is None


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nameless)
    assert who().partition("@")[0].isdigit()
