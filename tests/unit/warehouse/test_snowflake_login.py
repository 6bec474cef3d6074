"""Snowflake's login: key pairs in each form, and the DSN that takes them."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from dapu.errors import ConfigurationError
from dapu.warehouse.snowflake_login import KeyPair, make_key_pair, read_dsn

DSN = "loader@org-account/DB/SCHEMA?warehouse=WH&authenticator=SNOWFLAKE_JWT&privateKey="


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return make_key_pair("correct horse")


def der(pair: KeyPair) -> bytes:
    return base64.urlsafe_b64decode(pair.dsn)


def test_all_forms_are_of_one_key(pair: KeyPair) -> None:
    key = load_pem_private_key(pair.private_pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048
    assert pair.private_pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert pair.encrypted_pem is not None
    assert pair.encrypted_pem.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    same = load_pem_private_key(pair.encrypted_pem.encode(), b"correct horse")
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for other in (same, load_der_private_key(der(pair), None)):
        made = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert made == public
    assert base64.b64decode(pair.public_body) == public
    assert "".join(pair.public_pem.splitlines()[1:-1]) == pair.public_body


def test_without_a_passphrase_there_is_no_encrypted_form() -> None:
    assert make_key_pair(None).encrypted_pem is None


def test_the_dsn_takes_the_key_in_any_base64(pair: KeyPair) -> None:
    standard = base64.b64encode(der(pair)).decode()
    body = "".join(pair.private_pem.splitlines()[1:-1])
    for text in (pair.dsn, standard, body, standard.rstrip("="), standard.replace("+", "%2B")):
        keywords = read_dsn(DSN + text)
        assert keywords["private_key"] == der(pair)
        assert keywords["authenticator"] == "SNOWFLAKE_JWT"


@pytest.mark.parametrize(
    ("host", "account"),
    [
        ("org-account", "org-account"),
        ("ORG-ACCOUNT.snowflakecomputing.com", "org-account"),
        ("acct.eu-central-1.snowflakecomputing.com:443", "acct.eu-central-1"),
    ],
)
def test_the_host_names_the_account(host: str, account: str) -> None:
    assert read_dsn(f"u:pw@{host}/db/public?warehouse=w")["account"] == account


def test_a_password_will_do() -> None:
    keywords = read_dsn("loader:p%40ss-9@org-acct/db/public?role=R")
    assert (keywords["user"], keywords["password"]) == ("loader", "p@ss-9")
    assert keywords["role"] == "R"


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("org-account/db/public", "Snowflake's DSN cannot be read; write user@account/database"),
        ("u@org-account", "cannot be read"),
        ("u@org-account/db/public/x", "cannot be read"),
        ("u@a/db/public?warehous=x", "unknown `warehous`; did you mean `warehouse`"),
        (DSN + "MIIE", "is not an unencrypted private key in PKCS #8 and base64"),
        (DSN + "not base64!", "is not an unencrypted private key"),
    ],
)
def test_a_dsn_that_is_none_is_reported(dsn: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_dsn(dsn)
    assert message in str(raised.value)


def test_an_encrypted_key_is_reported(pair: KeyPair) -> None:
    assert pair.encrypted_pem is not None
    body = "".join(pair.encrypted_pem.splitlines()[1:-1])
    with pytest.raises(ConfigurationError, match="not an unencrypted private key"):
        read_dsn(DSN + body)
