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
_WORD = re.compile(r"[^\W\d_]+|\d+")  # tasks, columns and values are called so too
_STRONG = 6  # characters from which on a text that is not a word can only be a secret
_SHORTEST = 3  # characters below which `***` would give a text away
# Where drivers put them, with their quotes: `://user:…@`, `password=…`, `"token": "…"`.
_BEFORE = (
    r"""(://[^\s/?#:@]*:|(?:pass\w*|pwd|secret|token|\w*key|sig\w*|bearer|basic)["']?\s*[=: ]\s*)"""
    r"""(["']?)"""
)
_AFTER = r"""(?=["'@&;,)\s]|$)"""


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
    """A message without secrets: each is replaced by `***`. Data that was asked for is none.

    What could be an ordinary word or number is replaced where it stands alone, and is left in a
    task's id, a path or a date; short words and numbers, such as `job`, which `***` in a known
    sentence would give away, and one or two characters only where drivers put secrets.
    """
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = _without(secret, text)
    return text


def _without(secret: str, text: str) -> str:
    if len(secret) >= _STRONG and not _WORD.fullmatch(secret):
        return text.replace(secret, HIDDEN)
    text = re.sub(
        f"{_BEFORE}{re.escape(secret)}{_AFTER}", rf"\1\2{HIDDEN}", text, flags=re.IGNORECASE
    )
    if len(secret) < (_STRONG if _WORD.fullmatch(secret) else _SHORTEST):
        return text
    return re.sub(rf"(?<![\w./-]){re.escape(secret)}(?![\w/-]|\.\w)", HIDDEN, text)
