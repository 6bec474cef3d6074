"""Tokens: plain, or a hash of them with a salt and the server's secret."""

from __future__ import annotations

import base64

import pytest

from dapu.secrets import redact
from dapu.server.tokens import hash_of, read_tokens


def _known(token: str, **environment: str) -> bool:
    return read_tokens(environment).know(token)


def test_a_token_is_plain_or_a_salt_and_a_hash_with_any_of_the_secrets() -> None:
    digest = hash_of("token-1", "salt", "key-2")
    for stored in (
        digest.hex(),
        base64.b64encode(digest).decode(),
        base64.urlsafe_b64encode(digest).decode().rstrip("="),
    ):
        given = {"SYNCCTL_AUTH_TOKENS": f"other,salt.{stored}"}
        secrets = {"SYNCCTL_TOKEN_SECRET": "key-1, key-2"}
        assert _known("token-1", **given, **secrets)
        assert _known("other", **given, **secrets)
        assert not _known("token-2", **given, **secrets)
        assert not _known("token-1", **given, SYNCCTL_TOKEN_SECRET="key-1")
        assert not _known(f"salt.{stored}", **given, **secrets)


def test_the_hash_is_that_of_token_salt_and_secret_one_after_the_other() -> None:
    assert hash_of("ab", "c", "d") == hash_of("a", "bc", "d")
    assert hash_of("abcd", "", "").hex().startswith("d8022f2060ad6efd")  # sha512sum of abcd


def test_with_no_token_given_there_are_none() -> None:
    assert not read_tokens({})
    assert not read_tokens({"SYNCCTL_AUTH_TOKENS": " , "})
    assert read_tokens({"SYNCCTL_RAW_AUTH_TOKENS": "x"})


@pytest.mark.parametrize("text", ["", "Ä", "token-1\n"])
def test_what_is_no_token_is_not_known(text: str) -> None:
    assert not _known(text, SYNCCTL_AUTH_TOKENS="token-1")


def test_tokens_are_kept_out_of_what_is_shown() -> None:
    found = read_tokens({"SYNCCTL_AUTH_TOKENS": "plain-token-1", "SYNCCTL_TOKEN_SECRET": "key-3"})
    assert "plain-token-1" not in redact("the token plain-token-1")
    assert "plain-token-1" not in repr(found)
    assert "key-3" not in repr(found)
