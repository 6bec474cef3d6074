"""`do: filecopy`: files go from one place to another, each as a whole."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from dapu.sources.files.places import atomic_write
from tests.support.copy_task import CopyTask
from tests.support.one_task import FOLDER, OneTask


@pytest.fixture
def copy(task: OneTask, tmp_path: Path) -> CopyTask:
    """A task that copies."""
    return CopyTask(task, tmp_path / "source", tmp_path / "target")


def test_what_is_new_or_changed_is_copied(copy: CopyTask) -> None:
    copy.source.put("in/a.csv", "1")
    copy.source.put("in/deep/b.csv", "22")
    copy.source.put("in/c.txt", "3")
    options = "file: 'in/**/*.csv'\nfolder: copies"
    assert copy.copies(options).startswith("2 files, copied from `source`")
    assert copy.names() == ["copies/a.csv", "copies/deep/b.csv"]
    (copy.target.path / "copies/a.csv").unlink()  # somebody took it away
    assert "0 files, all that match in/**/*.csv in `source`" in copy.task.run()
    copy.source.put("in/a.csv", "new", hours_ago=0.5)
    assert "1 file, copied" in copy.task.run()
    assert (copy.target.path / "copies/a.csv").read_text() == "new"
    assert "2 files, copied" in copy.task.run(full=True)
    assert "2 files, copied" in copy.copies("file: 'in/**/*.csv'\nfolder: elsewhere")
    assert copy.names(copy.source) == ["in/a.csv", "in/c.txt", "in/deep/b.csv"]


def test_a_file_is_moved_and_its_folder_may_have_a_date(copy: CopyTask) -> None:
    copy.source.put("a.csv", "1")
    options = "file: a.csv\nfolder: 'archive/{{ today }}'\nmove: true"
    assert copy.copies(options).startswith("1 file, moved from `source`")
    [(today,)] = copy.task.rows("select current_date::text")
    assert copy.names() == [f"archive/{today}/a.csv"]
    assert copy.names(copy.source) == []
    assert "0 files, there is no file a.csv in `source`" in copy.task.run()
    copy.source.put("a.csv", "1")  # the same content again is one more file
    assert "1 file, moved" in copy.task.run()
    assert copy.names(copy.source) == []


def test_a_file_of_other_content_may_be_kept(copy: CopyTask) -> None:
    copy.source.put("a.csv", "1")
    copy.target.put("a.csv", "1")
    options = "file: a.csv\noverwrite: false\nmove: true"
    assert "1 file" in copy.copies(options)
    copy.source.put("a.csv", "2")
    said = copy.fails(options)
    assert "a.csv is in `target`" in said
    assert "already, with other content, and `overwrite: false` keeps it" in said
    assert "1 file" in copy.copies("file: a.csv")
    assert (copy.target.path / "a.csv").read_text() == "2"


def test_a_source_is_kept_when_what_arrived_is_not_what_was_sent(
    copy: CopyTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(place: object, local: Path, aside: Path) -> None:
        aside.write_text(local.read_text().replace("1", "2"))

    monkeypatch.setattr(atomic_write, "_copy", broken)
    copy.source.put("a.csv", "1")
    said = copy.fails("file: a.csv\nmove: true")
    assert "a.csv in `target`" in said
    assert "is not what was sent there: its SHA-256 differs" in said


def test_nothing_is_moved_when_the_job_fails(copy: CopyTask) -> None:
    copy.source.put("a.csv", "1")
    copy.has("file: a.csv\nmove: true")
    definition = copy.task.folder / FOLDER / "task.yaml"
    definition.write_text(f"{definition.read_text()}checks: [{{sql: never.sql}}]\n")
    (definition.parent / "never.sql").write_text("select 1 as one")
    assert "never.sql" in copy.task.fails()
    assert copy.names() == []
    assert copy.names(copy.source) == ["a.csv"]


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """As on a full disk, no file of this process can grow beyond 4 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_and_leaves_nothing(
    copy: CopyTask, request: pytest.FixtureRequest
) -> None:
    copy.source.put("a.csv", "1" * 5000)
    request.getfixturevalue("small_files_only")
    assert "cannot write a.csv in `target`" in (said := copy.fails("file: a.csv\nmove: true"))
    assert "File too large" in said


def test_what_cannot_be_copied_is_reported(copy: CopyTask) -> None:
    assert "there is no file a.csv in `source`" in copy.fails("file: a.csv")
    assert "0 files" in copy.copies("file: '*.csv'")
    copy.source.put("a.csv", "1")
    copy.source.put("~$a.csv", "\x05Juhan")
    assert "is open in its editor by Juhan" in copy.fails("file: a.csv")
    (copy.source.path / "~$a.csv").unlink()
    copy.target.put("~$a.csv", "\x05Juhan")
    copy.target.put("a.csv", "2")
    assert "by Juhan; it is written when it is closed" in copy.fails("file: a.csv")
    copy.target_keys = copy.source_keys
    assert "a.csv in `source`" in (said := copy.fails("file: a.csv"))
    assert "would be copied onto itself" in said


@pytest.mark.parametrize("way", ["dot", "detour", "link", "linked file"])
def test_a_file_is_not_moved_onto_itself(copy: CopyTask, way: str) -> None:
    source = copy.source.put("a.csv", "1")
    folder = "folder: '.'" if way == "dot" else "folder: deep"
    match way:
        case "dot":
            copy.target_keys = copy.source_keys
        case "detour":
            copy.source.put("deep/b.csv", "2")
            copy.target_keys = f"driver: files\npath: {copy.source.path}/deep/..\n"
            folder = ""
        case "link":
            copy.target_keys += "follow_links: true\n"
            (copy.target.path / "deep").symlink_to(copy.source.path)
        case "linked file":
            copy.target_keys += "follow_links: true\n"
            (copy.target.path / "a.csv").symlink_to(source)
            assert "1 file, moved" in copy.copies("file: a.csv\nmove: true")
            assert (copy.target.path / "a.csv").read_text() == "1"
            return
    assert "would be copied onto itself" in copy.fails(f"file: '*.csv'\nmove: true\n{folder}")
    assert source.read_text() == "1"
