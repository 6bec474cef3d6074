"""A disk that is full is reported as that: the warehouse's, and that of dapu's temporary files."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql

from dapu.sources.documents import record_rows
from tests.services.misbehaving_http import MisbehavingServer
from tests.services.rest_task import Crm
from tests.services.small_disk import small_disk
from tests.support.file_task import FileTask


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk(2) as folder:
        yield folder


def test_the_disk_of_the_warehouse_is_full(files: FileTask, disk: Path) -> None:
    place = disk / "space"
    place.mkdir(mode=0o700)
    os.chown(place, pwd.getpwnam("pgserver").pw_uid, -1)
    files.share.put("a.csv", "id\n" + "1234567\n" * 100_000)
    server = files.task.database.server
    server.execute(sql.SQL("create tablespace small location {}").format(sql.Literal(str(place))))
    try:
        files.task.make_table("id int, _file text, _row bigint")
        files.task.execute("alter table staging.thing set tablespace small")
        message = files.fails("file: a.csv\nload: append")
    finally:
        files.task.execute("drop table staging.thing")
        server.execute(sql.SQL("drop tablespace small"))
    assert "No space left on device; the warehouse's server is short of disk" in message
    assert "line" not in message


def test_the_disk_of_temporary_files_is_full(
    crm: Crm, server: MisbehavingServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr(record_rows, "_IN_MEMORY", 1 << 16)
    server.on("/v1/list", json.dumps([{"id": "x" * 1000}] * 4_000))
    crm.has("path: list\ncolumns: {id: id}\n")
    message = crm.fails()
    assert "the disk is full" in message
    assert str(disk) in message
