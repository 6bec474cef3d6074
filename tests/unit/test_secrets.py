"""Passwords are kept out of all that is shown."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from dapu import secrets


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_secrets", set())


@pytest.mark.parametrize("secret", ["hunter2", "a b/c@d:e%f", 'q"uo\\te', "ünïcode", "it's"])
def test_a_secret_is_hidden_however_it_is_written(secret: str) -> None:
    secrets.remember(secret)
    for shown in (
        secret,
        json.dumps({"password": secret}),
        json.dumps({"password": secret}, ensure_ascii=False),
        f"pg://me:{quote(secret, safe='')}@host",
        repr(secret),
    ):
        assert secret not in secrets.redact(f"before {shown} after")
        assert "***" in secrets.redact(shown)


def test_a_secret_inside_a_longer_one_does_not_uncover_it() -> None:
    secrets.remember("abc")
    secrets.remember("abcdef")
    assert secrets.redact("abcdef abc") == "*** ***"


def test_no_password_hides_nothing() -> None:
    secrets.remember("")
    assert secrets.redact("a text") == "a text"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "sslpassword",
        "API_KEY",
        "token",
        "client_secret",
        "sig",
        "Ocp-Apim-Subscription-Key",
        "key",
    ],
)
def test_settings_that_hold_secrets_are_known_by_their_names(name: str) -> None:
    assert secrets.is_secret_name(name)
    assert not secrets.is_secret_name("connect_timeout")
