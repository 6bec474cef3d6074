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
    secrets.remember("ab1")
    secrets.remember("ab1def")
    assert secrets.redact("ab1def ab1") == "*** ***"


def test_a_short_word_is_not_given_away_by_a_known_sentence() -> None:
    secrets.remember("job")
    assert secrets.redact("r.s.t: job 161 started") == "r.s.t: job 161 started"
    assert (
        secrets.redact("mysql://root:job@db: job 1 failed") == "mysql://root:***@db: job 1 failed"
    )


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


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("1", "job 1 of 2021-01-11: 11 rows"),
        ("u", 'password authentication failed for user "u"'),
        ("staging", "erp.staging.invoice: job 7 of staging.invoice, /srv/staging/in.csv"),
        ("2024", "2024-01-31, part 2024/2025"),
    ],
)
def test_what_could_be_an_ordinary_word_stays_in_names_and_values(secret: str, text: str) -> None:
    secrets.remember(secret)
    assert secrets.redact(text) == text


@pytest.mark.parametrize("secret", ["1", "u", "staging", "2024", "pa55", "x9$kQ"])
def test_any_secret_is_hidden_where_drivers_put_it(secret: str) -> None:
    secrets.remember(secret)
    encoded = quote(secret, safe="")
    for start, end in (
        ("refused: pg://me:", "@host/db"),
        ("dsn 'host=h password=", " user=me'"),
        ('{"token": "', '"}'),
        ("Authorization: Bearer ", ""),
    ):
        assert secrets.redact(f"{start}{encoded}{end}") == f"{start}***{end}"
