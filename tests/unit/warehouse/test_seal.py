"""Configurations that wait in the warehouse are encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest

from dapu.errors import ConfigurationError
from dapu.warehouse.seal import FILE, VARIABLE, Seal, read_seal


def test_a_text_comes_back_with_the_same_key_only() -> None:
    sealed = Seal("one").close("text")
    assert "text" not in sealed
    assert Seal("one").open(sealed) == "text"
    with pytest.raises(ConfigurationError, match=VARIABLE):
        Seal("two").open(sealed)
    assert Seal("one").checksum("text") == Seal("one").checksum("text")
    assert Seal("one").checksum("text") != Seal("two").checksum("text")


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    seal = read_seal(tmp_path)
    assert read_seal(tmp_path) == seal
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / FILE).parent.iterdir()] == [Path(FILE).name]


def test_a_key_that_is_given_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "given")
    assert read_seal(tmp_path) == Seal("given")
    assert not (tmp_path / FILE).exists()
