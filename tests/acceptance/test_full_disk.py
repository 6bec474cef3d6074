"""What is said where the disk is full that the output goes to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.command import DAPU, PATIENCE


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["status", "--json"], ["query", "select 1"], ["manager"], ["run", "r.s.good"]],
    ids=" ".join,
)
def test_a_full_disk_is_reported_in_a_line(ran: Path, arguments: list[str]) -> None:
    command, *more = arguments
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*DAPU, command, str(ran), *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()  # of a component with its time and name before it
    assert line.endswith("dapu: the output cannot be written: No space left on device")
