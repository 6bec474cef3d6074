"""`dapu psql`: the warehouse's database by hand."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired

import pytest

from tests.conftest import MakeWarehouse
from tests.support.command import DAPU, dapu, here
from tests.support.components import ROUTE


def test_psql_is_given_the_address_and_the_arguments(
    make_warehouse: MakeWarehouse, tmp_path: Path
) -> None:
    folder = make_warehouse(ROUTE)
    program = tmp_path / "psql"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"; exit 3\n')
    program.chmod(0o755)
    done = dapu("psql", folder, "-c", "select 1", environment={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    option, address, *arguments = done.out.splitlines()
    assert (option, arguments, done.status) == ("-d", ["-c", "select 1"], 3)
    assert "dbname=" in address
    assert "host=" in address


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_psql_ends_with_dapu(
    number: signal.Signals, make_warehouse: MakeWarehouse, tmp_path: Path
) -> None:
    """And Ctrl-C, which ends a query of psql, ends neither."""
    folder = make_warehouse(ROUTE)
    program = tmp_path / "psql"
    program.write_text("#!/bin/sh\necho $$\nexec sleep 600\n")
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    with Popen([*DAPU, "psql", folder], env=os.environ | path, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        theirs = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        with pytest.raises(TimeoutExpired):
            process.wait(0.3)
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    with pytest.raises(ProcessLookupError):
        os.kill(theirs, 0)


def test_without_psql_the_address_is_printed(
    make_warehouse: MakeWarehouse, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = make_warehouse(ROUTE)
    monkeypatch.setenv("PATH", "/nowhere")
    done = here(capsys, "psql", folder)
    assert done.status == 0
    assert "dbname=" in done.out
