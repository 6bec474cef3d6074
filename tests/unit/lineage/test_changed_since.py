"""Which tasks `changed:` finds in a git working tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dapu.errors import ConfigurationError
from dapu.lineage.changed_since import changed_since, is_same_sql
from tests.conftest import write_files

_TASK = "actions: [{do: sql, file: q.sql}]"
_FILES = {
    "warehouse.yaml": "",
    "routes/r/route.yaml": "concurrency: 1",
    **{f"routes/r/s/{name}/task.yaml": _TASK for name in "abcde"},
    **{f"routes/r/s/{name}/q.sql": "select a, 'x  y' from s.t" for name in "abcde"},
    "routes/r/s/e/ver/001_a.sql": "create table s.e ()",
}


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A warehouse directory below the top of its repository."""
    folder = write_files(tmp_path / "top" / "w", _FILES)
    _git(folder.parent, "init", "-q")
    _git(folder.parent, "add", ".")
    _git(folder.parent, "commit", "-qm", "as it was")
    return folder


def test_what_says_the_same_in_another_way_has_not_changed(folder: Path) -> None:
    assert changed_since(folder, "main") == set()
    same = "-- why\nSELECT\n  a,\n  'x  y' -- so\nFROM s.t;\n"
    write_files(
        folder,
        {
            "routes/r/s/a/q.sql": same,
            "routes/r/s/b/task.yaml": "# new\nactions:\n- file: q.sql\n  do: sql\n",
            "routes/r/route.yaml": "concurrency: 5",
        },
    )
    assert changed_since(folder, "main") == set()


def test_what_says_another_thing_has(folder: Path) -> None:
    write_files(
        folder,
        {
            "routes/r/s/a/q.sql": "select a, 'x y' from s.t",
            "routes/r/s/b/task.yaml": _TASK + "\ntags: [x]",
            "routes/r/s/e/ver/001_a.sql": "create  table s.e ()",  # its checksum is another
            "routes/r/s/new/task.yaml": _TASK,
        },
    )
    (folder / "routes/r/s/c/q.sql").unlink()
    assert changed_since(folder, "main") == {f"r.s.{name}" for name in ("a", "b", "c", "e", "new")}
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "all of it")
    assert changed_since(folder, "") == set()
    assert "r.s.new" in changed_since(folder, "HEAD~1")


def test_what_all_inherit_changes_all(folder: Path) -> None:
    write_files(folder, {"routes/r/route.yaml": "concurrency: 1\nvariables: {a: 1}"})
    assert changed_since(folder, "main") == {f"r.s.{name}" for name in "abcde"}


@pytest.mark.parametrize("reference", ["mian", "--output=x", "main:w"])
def test_a_reference_that_git_does_not_know(folder: Path, reference: str) -> None:
    with pytest.raises(ConfigurationError, match=reference):
        changed_since(folder, reference)


def test_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="git"):
        changed_since(tmp_path, "main")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("select {{ a }}  from t -- x", "select {{ a }} from t", True),
        ("select {{ a }} from t", "select {{ b }} from t", False),
        ("select 'a  b' {{ a }}", "select 'a b' {{ a }}", False),
        ("do $$ begin perform 'A'; end $$", "do $$ begin perform 'a'; end $$", False),
        ("select 'A'", "select 'a'", False),
        ("select a != b", "select (a <> b)", False),
        ("select not valid sql at all", "select not valid  sql /* x */ at all", True),
    ],
)
def test_sql(one: str, other: str, same: bool) -> None:
    assert is_same_sql(one, other) is same
