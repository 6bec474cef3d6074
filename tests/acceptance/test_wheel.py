"""What is built from an archive of the repository has all that dapu ships."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_FILES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py")
_FOLDERS = ("dapu", "definitions", "sql")


def run(*arguments: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a wheel, built from a source distribution of a tree that git does not know."""
    tree, unpacked = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("installed")
    for name in _FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_ROOT / name, tree / name, symlinks=True, ignore=ignored)
    for name in _FILES:
        shutil.copy(_ROOT / name, tree)
    assert not [path for path in tree.rglob("*") if path.is_symlink()]
    run("-m", "build", "--no-isolation", "--outdir", "made", folder=tree)
    (wheel,) = (tree / "made").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(unpacked)
    return unpacked


@pytest.mark.slow
def test_a_wheel_has_every_file_and_no_other_package(installed: Path) -> None:
    for name, folder in (
        ("sql", "sql"),
        ("starter", "definitions/starter"),
        ("generated", "definitions/generated"),
        ("converted", "definitions/converted"),
    ):
        shipped = {path.relative_to(_ROOT / folder) for path in (_ROOT / folder).rglob("*")}
        inside = installed / "dapu" / name
        assert {path.relative_to(inside) for path in inside.rglob("*")} == shipped
    assert (installed / "dapu" / "py.typed").is_file()
    tops = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert tops == {"dapu"}


@pytest.mark.slow
def test_dapu_init_from_a_wheel_makes_a_warehouse_directory(
    installed: Path, tmp_path: Path
) -> None:
    made = run("-m", "dapu", "init", "first", folder=tmp_path, PYTHONPATH=str(installed))
    assert "first is made" in made
    assert (tmp_path / "first" / "warehouse.yaml").is_file()
    assert (tmp_path / "first" / ".gitignore").is_file()
    find = "from dapu.named_sql import sql_folder; print(sql_folder('queries'))"
    found = run("-c", find, folder=tmp_path, PYTHONPATH=str(installed))
    assert found.strip() == str(installed / "dapu" / "sql" / "queries")
