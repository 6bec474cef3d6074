"""Who may ask: bearer tokens (RFC 6750), known in plain text or only by a hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dapu import secrets

_HASHED = re.compile(r"([^.]+)\.([0-9a-fA-F]{128}|[A-Za-z0-9+/_-]{86}(?:==)?)")


@dataclass(frozen=True)
class Tokens:
    """The tokens that are known.

    plain: as callers send them. hashed: `salt.hash`, where hash is the SHA-512 of token + salt +
    secret, in hexadecimal digits or base64. secrets: those that it may have been made with.
    """

    plain: Sequence[str] = field(default=(), repr=False)
    hashed: Sequence[str] = ()
    secrets: Sequence[str] = field(default=("",), repr=False)

    def __bool__(self) -> bool:
        return bool(self.plain or self.hashed)

    def know(self, token: str) -> bool:
        """Whether a token is one of them. How long that takes says nothing of how much fits."""
        return self.find(token) is not None

    def find(self, token: str) -> str | None:
        """The one of them that a token is, as it is known here."""
        found = [
            known
            for known in self.plain
            if hmac.compare_digest(token.encode(errors="replace"), known.encode())
        ]
        pairs = [(known, secret) for known in self.hashed for secret in self.secrets]
        found += [known for known, secret in pairs if self._fits(token, known, secret)]
        return found[0] if found else None

    def _fits(self, token: str, known: str, secret: str) -> bool:
        salt, _, stored = known.partition(".")
        return hmac.compare_digest(hash_of(token, salt, secret), _bytes(stored))


def hash_of(token: str, salt: str, secret: str) -> bytes:
    """The SHA-512 of a token, its salt and the server's secret, one after the other."""
    return hashlib.sha512((token + salt + secret).encode(errors="replace")).digest()


def read_tokens(environment: Mapping[str, str]) -> Tokens:
    """The tokens of SYNCCTL_AUTH_TOKENS, SYNCCTL_RAW_AUTH_TOKENS and SYNCCTL_TOKEN_SECRET."""
    given = _words(environment.get("SYNCCTL_AUTH_TOKENS"))
    raw = _words(environment.get("SYNCCTL_RAW_AUTH_TOKENS"))
    keys = _words(environment.get("SYNCCTL_TOKEN_SECRET"))
    hashed = [word for word in given if _HASHED.fullmatch(word)]
    plain = [word for word in given if word not in hashed] + raw
    _hide([*plain, *keys])
    return Tokens(plain, hashed, keys or [""])


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _hide(words: Iterable[str]) -> None:
    for word in words:
        secrets.remember(word)


def _bytes(stored: str) -> bytes:
    if len(stored) == 2 * hashlib.sha512().digest_size:
        return bytes.fromhex(stored)
    return base64.b64decode(
        stored.rstrip("=") + "==", altchars=b"-_" if set(stored) & set("-_") else None
    )
