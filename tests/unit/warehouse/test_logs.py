"""Where the log goes, and what stands in it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zlib import decompress

import pytest

from dapu import secrets
from dapu.warehouse import logs
from dapu.warehouse.settings import LogSettings


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    logs.close_logs()


def opened(folder: Path, **settings: Any) -> None:
    read = LogSettings.model_validate(settings)
    logs.open_logs(read, "finances", "worker", UTC, folder=folder)


def test_json_has_the_task_the_job_and_the_worker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(tmp_path, format="json", file="dapu.log")
    secrets.remember("pa55word!")
    logs.log("error", "no: pa55word!\nreally", task="r.s.t", job=7, worker=3, status=None)
    first, second = capsys.readouterr().err, (tmp_path / "dapu.log").read_text()
    assert first == second
    found = json.loads(first)
    assert found.pop("at")[10] == "T"
    assert found == {
        "level": "error", "warehouse": "finances", "component": "worker",
        "message": "no: ***\nreally", "task": "r.s.t", "job": 7, "worker": 3,
    }  # fmt: skip


def test_text_is_one_line_and_a_level_may_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(tmp_path, format="text", level="warning")
    logs.log("info", "nothing")
    logs.log("warning", "two\nlines", job=7)
    assert capsys.readouterr().err[19:] == " worker: warning: two lines [job=7]\n"


def test_a_file_is_rotated_by_whoever_comes_and_no_line_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path, file="dapu.log", keep=50, rotate_at=1)
    [one] = logs._LOGGER.handlers
    opened(tmp_path, file="dapu.log", keep=50, rotate_at=1)
    [other] = logs._LOGGER.handlers
    logs._LOGGER.addHandler(one)  # as of another process: each line twice
    for handler in (one, other):
        monkeypatch.setattr(handler, "maxBytes", 2000)
    for number in range(100):
        logs.log("info", "x" * 40, number=number)
    files = list(tmp_path.glob("dapu.log*"))
    assert len(files) > 4
    assert all(file.stat().st_size <= 2000 for file in files)
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(int(line.partition("number=")[2][:-1]) for line in lines) == sorted(
        [*range(100)] * 2
    )


def test_gelf_by_datagrams_in_chunks_where_it_is_long(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        opened(tmp_path, gelf=f"udp://127.0.0.1:{server.getsockname()[1]}")
        logs.log("info", "first\nsecond", task="r.s.t", job=7)
        found = json.loads(decompress(server.recv(9000)))
        assert (found["version"], found["short_message"], found["_job"]) == ("1.1", "first", 7)
        assert (found["level"], found["_warehouse"], found["_task"]) == (6, "finances", "r.s.t")
        long = "".join(chr(0x4E00 + (i * 7919) % 20000) for i in range(12000))
        logs.log("error", long)
        pieces = [server.recv(9000)]
        pieces += [server.recv(9000) for _ in range(pieces[0][11] - 1)]
        assert len(pieces) > 1
        assert {piece[:10] for piece in pieces} == {pieces[0][:10]}
        whole = b"".join(piece[12:] for piece in sorted(pieces, key=lambda piece: piece[10]))
        assert json.loads(decompress(whole))["full_message"] == long


def test_gelf_by_tcp_and_a_server_that_is_away_stops_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        heard = list[bytes]()

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(9000))

        thread = threading.Thread(target=listen)
        thread.start()
        opened(tmp_path, gelf=f"tcp://127.0.0.1:{port}")
        logs.log("warning", "careful")
        thread.join(5)
    assert heard[0].endswith(b"\0")
    assert json.loads(heard[0][:-1])["level"] == 4
    for _ in range(3):
        logs.log("info", "nobody listens")


def test_without_settings_nobody_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(tmp_path)
    logs.log("error", "x")
    assert capsys.readouterr() == ("", "")
    assert not logs.logs_to_stderr()
