"""Snowflake's login: the DSN of the known client, and the RSA key pairs of key-pair login."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dapu.errors import ConfigurationError
from dapu.suggest import nearest
from dapu.tls import bundle

_DOMAIN = ".snowflakecomputing."
_FORM = (
    "write user@account/database/schema?warehouse=…&authenticator=SNOWFLAKE_JWT&privateKey=…, "
    "with a key from `dapu execute gen`"
)
# What gosnowflake calls a parameter, and the keyword of snowflake.connector.connect.
_KEYWORDS = {
    "warehouse": "warehouse",
    "role": "role",
    "database": "database",
    "schema": "schema",
    "authenticator": "authenticator",
    "account": "account",
    "host": "host",
    "port": "port",
    "protocol": "protocol",
    "passcode": "passcode",
    "token": "token",
    "application": "application",
    "oauthClientId": "oauth_client_id",
    "oauthClientSecret": "oauth_client_secret",
    "oauthAuthorizationUrl": "oauth_authorization_url",
    "oauthTokenRequestUrl": "oauth_token_request_url",
    "oauthRedirectUri": "oauth_redirect_uri",
    "oauthScope": "oauth_scope",
    "workloadIdentityProvider": "workload_identity_provider",
    "proxyHost": "proxy_host",
    "proxyPort": "proxy_port",
    "proxyUser": "proxy_user",
    "proxyPassword": "proxy_password",
}
_SECONDS = {
    "loginTimeout": "login_timeout",
    "requestTimeout": "network_timeout",
    "clientTimeout": "socket_timeout",
}
_FLAGS = {
    "passcodeInPassword": "passcode_in_password",
    "validateDefaultParameters": "validate_default_parameters",
    "disableOCSPChecks": "disable_ocsp_checks",
    "insecureMode": "disable_ocsp_checks",
    "ocspFailOpen": "ocsp_fail_open",
}
_KEY, _REGION = "privateKey", "region"
_KNOWN = (_KEY, _REGION, *_KEYWORDS, *_SECONDS, *_FLAGS)
_TOKEN = ("oauth", "programmatic_access_token", "oauth_client_credentials", "workload_identity")
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")
_KEY_BITS = 2048


def driver() -> ModuleType:
    """`snowflake.connector`, which trusts whom dapu trusts. Raises ConfigurationError."""
    try:
        from snowflake import connector
    except ImportError:
        raise ConfigurationError(
            "Snowflake needs its driver: pip install 'dapu[snowflake]'"
        ) from None
    if trusted := bundle():
        os.environ.setdefault("REQUESTS_CA_BUNDLE", trusted)  # the driver has a list of its own
    return connector


def read_dsn(dsn: str) -> dict[str, Any]:
    """The keywords of snowflake.connector.connect.

    The forms are those of gosnowflake, the known client's driver: account or host:port, with or
    without a schema, and without a user where a token logs in; see `ParseDSN` in its dsn.go. As
    there, a parameter that it does not know is one of the session.
    Raises ConfigurationError that says what is wrong, without the secrets in it.
    """
    try:
        parts = urlsplit(f"snowflake://{dsn.removeprefix('snowflake://')}")
        port = parts.port
    except ValueError:  # its message may have a piece of the password
        raise _unreadable() from None
    keywords = _place(parts.netloc.rpartition("@")[2].partition(":")[0], port)
    path = [unquote(step) for step in parts.path.split("/") if step]
    keywords |= dict(zip(("database", "schema"), path, strict=False))
    if parts.username:
        keywords["user"] = unquote(parts.username)
    if parts.password:
        keywords["password"] = unquote(parts.password)
    session: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        keywords |= _parameter(name, value, session)
    if session:
        keywords["session_parameters"] = session
    _finish(keywords, len(path))
    return keywords


def _place(host: str, port: int | None) -> dict[str, Any]:
    """A host is one where it has a port, or Snowflake's domain; everything else is an account."""
    if port is None and _DOMAIN not in host.lower():
        return {"account": host}
    account, domain, _ = host.lower().partition(_DOMAIN)
    found: dict[str, Any] = {"account": account} if domain else {"host": host}
    return found | ({"port": port, "host": host} if port else {})


def _parameter(name: str, value: str, session: dict[str, str]) -> dict[str, Any]:
    if name == _KEY:
        return {"private_key": _private_key(value)}
    if name in _KEYWORDS:
        return {_KEYWORDS[name]: value}
    if name in _SECONDS:
        return {_SECONDS[name]: _seconds(name, value)}
    if name in _FLAGS:
        return {_FLAGS[name]: _flag(name, value)}
    if name == _REGION:
        return {_REGION: value}
    near = get_close_matches(name.lower(), [known.lower() for known in _KNOWN], n=1, cutoff=0.8)
    if near:
        raise ConfigurationError(f"Snowflake's DSN has an unknown `{name}`{nearest(name, _KNOWN)}")
    session[name] = value
    return {}


def _seconds(name: str, value: str) -> int:
    if not value.isdecimal():
        raise ConfigurationError(f"Snowflake's DSN has `{name}={value}`; write whole seconds")
    return int(value)


def _flag(name: str, value: str) -> bool:
    if value.lower() not in (*_TRUE, *_FALSE):
        raise ConfigurationError(f"Snowflake's DSN has `{name}={value}`; write true or false")
    return value.lower() in _TRUE


def _finish(keywords: dict[str, Any], steps: int) -> None:
    """Completes account and region. Raises ConfigurationError for what cannot log in."""
    region = keywords.pop(_REGION, "")
    if region and "host" not in keywords and "." not in keywords.get("account", ""):
        keywords["account"] = f"{keywords.get('account', '')}.{region}"
    is_token = keywords.get("authenticator", "").lower() in _TOKEN or "token" in keywords
    proves = {"password", "private_key", "token", "authenticator"} & keywords.keys()
    if (
        not keywords.get("account")
        or not keywords.get("database")
        or not (keywords.get("user") or is_token)
        or not proves
        or steps > len(("database", "schema"))
    ):
        raise _unreadable()


def _unreadable() -> ConfigurationError:
    return ConfigurationError(f"Snowflake's DSN cannot be read; {_FORM}")


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
