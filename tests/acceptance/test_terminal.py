"""What a person at a terminal sees, and what Ctrl-C does there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import DAPU, PATIENCE, wait_until
from tests.support.components import ROUTE, a_task, manager, one, rows
from tests.support.rounds import prepare

SLOW_QUERY = "select i as id from generate_series(1, 60) i where pg_sleep(0.03) is not null"
PULL = "actions: [{do: database, query: q.sql}]\n"


class Terminal:
    """A command that believes that a person is watching."""

    def __init__(self, *arguments: str | Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*DAPU, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
            preexec_fn=_take_terminal,  # noqa: PLW1509 - it makes two system calls
        )
        os.close(theirs)
        self.text = ""

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def read(self, seconds: float) -> str:
        """What came in the next moment, added to `text`."""
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if ready:
            with suppress(OSError):  # the other end is closed
                self.text += os.read(self._ours, 65536).decode(errors="replace")
        return self.text

    def wait(self) -> int:
        """Reads until the command has ended; returns its exit status."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < until, self.text
            self.read(0.05)
        self.read(0.1)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def _take_terminal() -> None:
    """Makes the terminal the one whose Ctrl-C reaches the command, and its children."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background may not hear of it


@contextmanager
def terminal(*arguments: str | Path) -> Iterator[Terminal]:
    window = Terminal(*arguments)
    try:
        yield window
    finally:
        window.close()


def queued(make_warehouse: MakeWarehouse, files: dict[str, str]) -> Path:
    folder = make_warehouse({**ROUTE, **files})
    prepare(folder)
    manager(folder)
    return folder


def test_a_bar_shows_how_many_rows_a_running_job_has_brought(make_warehouse: MakeWarehouse) -> None:
    folder = queued(
        make_warehouse,
        {"routes/r/s/t/task.yaml": PULL, "routes/r/s/t/q.sql": SLOW_QUERY, **a_task("r.s.u")},
    )
    with terminal("worker", folder) as window:
        assert window.wait() == 0, window.text
    assert "r.s.t" in window.text
    assert " rows" in window.text
    assert "\x1b[" in window.text  # it draws
    assert "✓ r.s.t: 60 rows" in _plain(window.text)
    assert "worker: 2 jobs: 2 done" in window.text
    assert not re.search(r"\d{4}-\d\d-\d\d", window.text)


def test_a_failure_is_marked(make_warehouse: MakeWarehouse) -> None:
    folder = queued(
        make_warehouse, a_task("r.s.t", {"run.sql": "select 1 / 0 as [x]"}, run="{retries: 0}")
    )
    with terminal("worker", folder) as window:
        assert window.wait() == 1
    assert "✗ r.s.t: " in _plain(window.text)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_ctrl_c_gives_the_job_back_and_leaves_no_traceback(
    make_warehouse: MakeWarehouse, connection: PgSession, processes: str
) -> None:
    slow = {"run.sql": "select pg_sleep(60)"}
    folder = queued(make_warehouse, a_task("r.s.t", slow))
    with terminal("worker", folder, "--processes", processes) as window:
        busy = "select count(*) from meta.agenda where status = 'running'"
        wait_until(lambda: window.read(0.01) and one(connection, busy))
        time.sleep(0.2)
        window.press(b"\x03")
        assert window.wait() == 0, window.text
    assert "Traceback" not in window.text
    assert "given back: the worker was asked to stop" in _plain(window.text)
    assert rows(connection, "select status, tries from meta.agenda") == [("waiting", 0)]


def test_ctrl_c_ends_a_command_that_waits(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = queued(make_warehouse, a_task("r.s.t"))
    rows(connection, "update meta.agenda set status = 'running', worker = 1, started_at = now()")
    with terminal("pause", folder, "--wait") as window:
        wait_until(lambda: "waits for: r.s.t" in window.read(0.05))
        window.process.send_signal(signal.SIGINT)
        assert window.wait() == 1
    assert "dapu: stopped" in window.text
    assert "Traceback" not in window.text


def test_ctrl_c_ends_a_statement_on_the_server_too(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    busy = "select count(*) from pg_stat_activity where query = 'select pg_sleep(61)'"
    with terminal("query", make_warehouse(ROUTE), "select pg_sleep(61)") as window:
        wait_until(lambda: one(connection, busy + " and state = 'active'"))
        window.press(b"\x03")
        assert window.wait() == 1
    assert "dapu: stopped" in window.text
    wait_until(lambda: not one(connection, busy))


def _plain(text: str) -> str:
    """Without the terminal's control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_ctrl_c_in_a_run_of_one_task_is_not_success(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = queued(make_warehouse, a_task("r.s.t", {"run.sql": "select pg_sleep(60)"}))
    with terminal("run", folder, "r.s.t") as window:
        busy = "select count(*) from meta.agenda where status = 'running'"
        wait_until(lambda: window.read(0.01) and one(connection, busy))
        time.sleep(0.2)
        window.press(b"\x03")
        assert window.wait() == 1, window.text
    assert "given back: the worker was asked to stop" in _plain(window.text)
