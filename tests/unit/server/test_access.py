"""Passwords, addresses and paths that the pages take; no database is asked."""

from __future__ import annotations

import pytest

from dapu.server.access import passwords
from dapu.server.access.attempts import network_of
from dapu.server.access.forms import local
from dapu.warehouse.login_settings import Login


def test_a_hash_fits_its_password_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_N", 16)
    stored = passwords.hashed("sööd ✓")
    assert stored != passwords.hashed("sööd ✓")
    assert passwords.fits("sööd ✓", stored)
    assert not passwords.fits("sood", stored)
    assert not passwords.fits_nobody("sööd ✓")
    assert "scrypt" not in repr(Login.model_validate({"name": "a", "password": stored}))


def test_a_password_in_plain_text_is_refused() -> None:
    with pytest.raises(ValueError, match="dapu password"):
        Login.model_validate({"name": "a", "password": "secret-word"})


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("::ffff:10.0.0.5", "10.0.0.5"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        (None, "unknown"),
    ],
)
def test_where_attempts_are_counted(address: str | None, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "path", ["//a.example", "/\\a.example", "https://a", "", "/a\n", "ä", "/\t/a", "/ä\\", "a"]
)
def test_only_paths_of_the_server_are_gone_to(path: str) -> None:
    assert local(path) == "/"
    assert local("/jobs?status=failed#x") == "/jobs?status=failed#x"
    assert local("/tasks/r.s.größe") == local("/tasks/r.s.gr%C3%B6%C3%9Fe")
    assert local("/\uff0fevil.example") == "/%EF%BC%8Fevil.example"
