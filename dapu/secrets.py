"""Words that must never be shown: what a connection calls a password, and secret parts of URLs.

Settings hand every secret to `remember` as they read it; whatever is printed or stored for a
person goes through `redact` first.
"""

from __future__ import annotations

from urllib.parse import quote, quote_plus

HIDDEN = "***"
_secrets: set[str] = set()


def remember(secret: str) -> None:
    """Keeps a secret, plain and as it looks inside a URL, out of all that is shown."""
    if secret:
        _secrets.update({secret, quote(secret, safe=""), quote_plus(secret)})


def redact(text: str) -> str:
    """The text with every known secret replaced by `***`."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
