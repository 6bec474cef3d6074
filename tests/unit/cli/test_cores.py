"""`--processes cores`: those that the process may run on, within a container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from dapu.cli.cores import ProcessCount, usable_cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 4), ("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 4), ("", 4)],
)
def test_a_quota_is_rounded_up(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert usable_cores(file) == cores
    assert usable_cores(tmp_path / "none") == 4


def test_a_number_stays_in_its_bounds() -> None:
    kind = ProcessCount()
    assert kind.convert("3", None, None) == 3
    assert kind.convert("cores", None, None) >= 1
    for text in ("0", "65", "core"):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
