"""Words that must never be shown: what a connection calls a password, and secret parts of URLs.

Settings hand every secret to `remember` as they read it; whatever is printed or stored for a
person goes through `redact` first.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_secrets: set[str] = set()
_SECRET_KEY = re.compile(
    r"pass|pwd|secret|token|credential|private|authorization|cookie"
    r"|(api|access|account|subscription)[_-]?key|^(key|sig|signature)$",
    re.IGNORECASE,
)


def remember(secret: str) -> None:
    """Keeps a secret out of all that is shown: plain, and as URLs, JSON and Python write it."""
    if secret:
        quoted = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        quoted |= {repr(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
        _secrets.update({secret} | quoted)


def is_secret_name(key: str) -> bool:
    """Whether a setting of that name holds something that nobody is to see."""
    return _SECRET_KEY.search(key) is not None


def redact(text: str) -> str:
    """The text with every known secret replaced by `***`."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
