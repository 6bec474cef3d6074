"""`dapu run`: what its options refuse before anything is asked of the warehouse."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from dapu.cli.main import cli


def test_an_empty_bound_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "warehouse.yaml").write_text("")
    (tmp_path / "connections.yaml").write_text("- {name: main, driver: embedded, path: pg}\n")
    done = CliRunner().invoke(cli, ["run", str(tmp_path), "r.s.t", "--from", ""])
    assert done.exit_code == 2
    assert "--from" in done.output
    assert not (tmp_path / "pg").exists()
