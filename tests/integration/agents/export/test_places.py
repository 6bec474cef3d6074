"""Files are written to S3 and SFTP servers, and from one to the other: real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.agents.file.test_places import on_s3, on_ssh
from tests.services.s3 import S3
from tests.services.ssh import Ssh
from tests.support.copy_task import CopyTask
from tests.support.export_task import ExportTask
from tests.support.file_task import Share
from tests.support.one_task import OneTask

EXPORT = "do: export\nfile: new/a.csv\nquery: query.sql"
QUERY = {"query.sql": "select {{ task }} as task"}
EXPORTED = b"task\nsource.staging.thing\n"


def test_an_export_to_s3(task: OneTask, s3_server: S3) -> None:
    bucket = s3_server.make_bucket("exports")
    task.has(on_s3(s3_server, bucket), EXPORT, QUERY)
    assert "1 row, new/a.csv (26 bytes) to `source` (s3://exports/deep)" in task.run()
    assert s3_server.keys(bucket) == ["deep/new/a.csv"]
    assert s3_server.get(bucket, "deep/new/a.csv") == EXPORTED
    assert "was not written again" in task.run()
    s3_server.put(bucket, "deep/new/a.csv", b"somebody's own")
    task.run()
    assert s3_server.get(bucket, "deep/new/a.csv") == EXPORTED
    task.has(on_s3(s3_server, "no-such-bucket"), EXPORT, QUERY)
    assert "`source` (s3://no-such-bucket/deep)" in task.fails()


def test_an_export_to_sftp(task: OneTask, ssh_server: Ssh, tmp_path: Path) -> None:
    export = ExportTask(task, ssh_server.folder / "exports")
    (ssh_server.folder / "exports/new").mkdir()
    place = on_ssh(ssh_server).replace(ssh_server.url, f"{ssh_server.url}/exports")
    task.has(place, EXPORT, QUERY)
    assert "1 row, new/a.csv (26 bytes) to `source` (sftp://" in task.run()
    assert (export.folder / "new/a.csv").read_bytes() == EXPORTED
    assert "was not written again" in task.run()
    (export.folder / "new/a.csv").write_text("somebody's own")
    task.run()
    assert (export.folder / "new/a.csv").read_bytes() == EXPORTED
    assert export.names() == ["new/a.csv"]
    task.has(place.replace("/exports", "/gone"), EXPORT, QUERY)
    assert "gone) does not exist" in task.fails()
    assert not (ssh_server.folder / "gone").exists()


@pytest.fixture
def copy(task: OneTask, tmp_path: Path) -> CopyTask:
    """A task that copies."""
    return CopyTask(task, tmp_path / "source", tmp_path / "target")


def test_files_are_moved_from_sftp_to_s3_and_back(
    copy: CopyTask, ssh_server: Ssh, s3_server: S3
) -> None:
    share, bucket = Share(ssh_server.folder / "inbox"), s3_server.make_bucket("archive")
    share.put("in/a.csv", "1")
    share.put("in/b.csv", "22")
    inbox = on_ssh(ssh_server).replace(ssh_server.url, f"{ssh_server.url}/inbox") + "\n"
    copy.source_keys, copy.target_keys = inbox, on_s3(s3_server, bucket) + "\n"
    assert "2 files, moved" in copy.copies("file: in/*.csv\nmove: true")
    assert s3_server.keys(bucket) == ["deep/a.csv", "deep/b.csv"]
    assert copy.names(share) == []
    copy.source_keys, copy.target_keys = copy.target_keys, copy.source_keys
    assert "2 files, moved" in copy.copies("file: '*'\nfolder: back/again\nmove: true")
    assert s3_server.keys(bucket) == []
    assert copy.names(share) == ["back/again/a.csv", "back/again/b.csv"]
    copy.target_keys = "driver: files\npath: http://127.0.0.1:9/x\n"
    s3_server.put(bucket, "deep/a.csv", b"1")
    copy.has("file: a.csv")
    assert "(http://127.0.0.1:9/x)" in copy.task.fails()


def test_a_move_onto_a_mount_of_the_same_folder_loses_nothing(
    copy: CopyTask, ssh_server: Ssh
) -> None:
    share = Share(ssh_server.folder / "mounted")
    file = share.put("a.csv", "1")
    mounted = on_ssh(ssh_server).replace(ssh_server.url, f"{ssh_server.url}/mounted") + "\n"
    on_disk = f"driver: files\npath: {share.path}\n"
    for copy.source_keys, copy.target_keys in [(on_disk, mounted), (mounted, on_disk)]:
        share.age(file)
        copy.has("file: a.csv\nmove: true")
        assert "is being written" in copy.task.fails()
        assert file.read_text() == "1"
