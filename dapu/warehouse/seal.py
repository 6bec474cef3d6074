"""Configurations of others that wait in the warehouse until a worker needs them, encrypted.

The key is `DAPU_SERVER_KEY` of the environment or `.env`; else `.dapu/server.key`, which is made at
the first use. Every machine whose workers run requests of `dapu server` needs the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dapu.errors import ConfigurationError
from dapu.warehouse.environment import read_environment

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

VARIABLE = "DAPU_SERVER_KEY"
FILE = ".dapu/server.key"
_BYTES = 32


@dataclass(frozen=True)
class Seal:
    """Encrypts and decrypts texts (Fernet: AES-128-CBC with HMAC-SHA256) with one key."""

    key: str

    def close(self, text: str) -> str:
        """The text, encrypted."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was encrypted. Raises ConfigurationError where that was done with another key."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigurationError(
                f"the request was encrypted with another key: give this machine the {VARIABLE} of "
                f"the server, or a copy of its {FILE}"
            ) from None

    def checksum(self, text: str) -> str:
        """By which a text is found again; nobody without the key can guess from it."""
        return hmac.new(self._derived(b"checksum"), text.encode(), hashlib.sha256).hexdigest()

    @property
    def _fernet(self) -> Fernet:
        try:
            from cryptography.fernet import Fernet
        except ImportError:
            raise ConfigurationError(
                "requests of `dapu server` need more packages: pip install 'dapu[server]'"
            ) from None
        return Fernet(base64.urlsafe_b64encode(self._derived(b"encryption")))

    def _derived(self, purpose: bytes) -> bytes:
        return hmac.new(self.key.encode(), b"dapu server " + purpose, hashlib.sha256).digest()


def read_seal(folder: Path) -> Seal:
    """The seal of a warehouse directory; its key is made where there is none.

    Raises ConfigurationError when the file can be neither read nor written.
    """
    given = read_environment(folder).get(VARIABLE)
    if given:
        return Seal(given)
    path = folder / FILE
    try:
        if not path.exists():
            _make_key(path)
        return Seal(path.read_text("ascii").strip())
    except OSError as error:
        raise ConfigurationError(
            f"the server's key {path} cannot be used: {error.strerror}; or set {VARIABLE}"
        ) from None


def _make_key(path: Path) -> None:
    """Two that come at once make it once: a link appears with its content, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_BYTES) + "\n")
    with suppress(FileExistsError):
        path.hardlink_to(partial)
    partial.unlink()
