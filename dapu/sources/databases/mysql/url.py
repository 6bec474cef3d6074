"""What PyMySQL is to be given for a URL: what SQLAlchemy, which need not be imported, gives it."""

from __future__ import annotations

from typing import Any

from dapu.warehouse.database_url import DatabaseUrl

_NUMBERS = {"connect_timeout", "read_timeout", "write_timeout", "client_flag", "max_allowed_packet"}
# The latter two SQLAlchemy leaves as texts, of which `false` would be true.
_SWITCHES = {"local_infile", "ssl_check_hostname", "ssl_disabled", "ssl_verify_identity"}
_TLS = {"ssl_ca", "ssl_capath", "ssl_cert", "ssl_key", "ssl_cipher", "ssl_check_hostname"}
_YES = ("true", "yes", "on", "y", "t", "1")
_NO = ("false", "no", "off", "n", "f", "0")


def mysql_keywords(url: DatabaseUrl) -> dict[str, Any]:
    """The arguments of `pymysql.connect`. Raises ValueError for a value of a wrong kind."""
    parts = {
        "user": url.username,
        "password": url.password,
        "host": url.host,
        "port": url.port,
        "database": url.database,
    }
    options = {key: _value(key, text) for key, text in url.options}
    tls = {key.removeprefix("ssl_"): options.pop(key) for key in _TLS & options.keys()}
    given = {key: value for key, value in parts.items() if value}
    return given | options | ({"ssl": tls} if tls else {})


def _value(key: str, text: str) -> str | int | bool:
    try:
        if key in _NUMBERS:
            return int(text)
        if key in _SWITCHES:
            return [*_NO, *_YES].index(text.strip().lower()) >= len(_NO)
    except ValueError:
        kind = "a whole number" if key in _NUMBERS else "`true` or `false`"
        raise ValueError(f"`{key}` in the url is {kind}, not `{text}`") from None
    return text
