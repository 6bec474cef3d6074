"""Hashes of passwords: scrypt (RFC 7914), `scrypt:n:r:p:salt:hash`, in base64 without `=`.

The costs are those that OWASP's password storage cheat sheet names: 2^17, 8, 1; 128 MB for 0.4 s.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading

_N, _R, _P = 1 << 17, 8, 1
_SALT, _BYTES = 16, 32
_MEMORY = 256 << 20
_one_at_a_time = threading.Lock()  # else a hundred guesses at once would take all memory


def hashed(password: str) -> str:
    """What stands in the settings for a password."""
    salt = secrets.token_bytes(_SALT)
    digest = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt:{_N}:{_R}:{_P}:{_text(salt)}:{_text(digest)}"


def fits(password: str, stored: str) -> bool:
    """Whether a password is the one that was hashed."""
    _, n, r, p, salt, digest = stored.split(":")
    found = _scrypt(password, _bytes(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, _bytes(digest))


def fits_nobody(password: str) -> bool:
    """False, after as long as `fits` takes: time does not say which names there are."""
    _scrypt(password, b"\0" * _SALT, _N, _R, _P)
    return False


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with _one_at_a_time:
        return hashlib.scrypt(
            password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=_BYTES
        )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
