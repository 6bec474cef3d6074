"""Snowflake's login: the DSN of the known client, and the RSA key pairs of key-pair login."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dapu.errors import ConfigurationError

_DOMAIN = ".snowflakecomputing.com"
_FORM = (
    "write user@account/database/schema?warehouse=…&authenticator=SNOWFLAKE_JWT&privateKey=…, "
    "with a key from `dapu execute gen`"
)
_KEYWORDS = {
    "warehouse": "warehouse",
    "role": "role",
    "authenticator": "authenticator",
    "account": "account",
    "host": "host",
    "port": "port",
    "protocol": "protocol",
    "passcode": "passcode",
    "loginTimeout": "login_timeout",
}
_KEY_BITS = 2048


def read_dsn(dsn: str) -> dict[str, Any]:
    """The keywords of snowflake.connector.connect.

    Raises ConfigurationError that says what is wrong, without the secrets in it.
    """
    try:
        parts = urlsplit(f"snowflake://{dsn.removeprefix('snowflake://')}")
    except ValueError:  # its message may have a piece of the password
        raise ConfigurationError(f"Snowflake's DSN cannot be read; {_FORM}") from None
    path = [unquote(step) for step in parts.path.split("/") if step]
    if not parts.username or not parts.hostname or len(path) != 2:
        raise ConfigurationError(f"Snowflake's DSN cannot be read; {_FORM}")
    host = parts.netloc.rpartition("@")[2].partition(":")[0]
    keywords: dict[str, Any] = {
        "user": unquote(parts.username),
        "account": host.lower().removesuffix(_DOMAIN) if _DOMAIN in host.lower() else host,
        "database": path[0],
        "schema": path[1],
    }
    if parts.password:
        keywords["password"] = unquote(parts.password)
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "privateKey":
            keywords["private_key"] = _private_key(value)
        elif name in _KEYWORDS:
            keywords[_KEYWORDS[name]] = value
        else:
            known = ", ".join(["privateKey", *_KEYWORDS])
            raise ConfigurationError(f"Snowflake's DSN has an unknown `{name}`; known are: {known}")
    return keywords


def _private_key(text: str) -> bytes:
    """The key, PKCS #8 in DER, from its base64, of either alphabet, with or without `=`."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    plain = "".join(text.replace(" ", "+").split()).rstrip("=")
    plain = plain.replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        load_der_private_key(key, password=None)
    except (binascii.Error, ValueError, TypeError):
        raise ConfigurationError(
            "the privateKey of Snowflake's DSN is not an unencrypted private key in PKCS #8 and "
            "base64; `dapu execute gen` makes one"
        ) from None
    return key


@dataclass(frozen=True)
class KeyPair:
    """An RSA key pair in each form that it is needed in.

    dsn: for `privateKey` of the DSN. private_pem: PKCS #8. encrypted_pem: the same under a
    passphrase, if there is one. public_pem: for a file. public_body: for `alter user`.
    """

    dsn: str
    private_pem: str
    encrypted_pem: str | None
    public_pem: str
    public_body: str


def make_key_pair(passphrase: str | None) -> KeyPair:
    """Makes a new key pair of 2,048 bits."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    key = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    plain = serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8

    def private(
        encoding: serialization.Encoding, how: serialization.KeySerializationEncryption
    ) -> bytes:
        return key.private_bytes(encoding, pkcs8, how)

    encrypted = None
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase.encode())
        encrypted = private(serialization.Encoding.PEM, how).decode()
    public_pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyPair(
        dsn=base64.urlsafe_b64encode(private(serialization.Encoding.DER, plain)).decode(),
        private_pem=private(serialization.Encoding.PEM, plain).decode(),
        encrypted_pem=encrypted,
        public_pem=public_pem.decode(),
        public_body="".join(public_pem.decode().splitlines()[1:-1]),
    )
