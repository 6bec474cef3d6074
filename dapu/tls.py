"""Which servers are trusted: one rule for all that dapu asks over HTTPS.

The authorities are those of the machine's store, where a company puts its own; SSL_CERT_FILE and
SSL_CERT_DIR name another file or folder for it, as for all that uses OpenSSL. Those of
REQUESTS_CA_BUNDLE are added.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from dapu.errors import ConfigurationError

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_STORE, _ADDED = ("SSL_CERT_FILE", "SSL_CERT_DIR"), ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def client_context() -> ssl.SSLContext:
    """What checks a server's certificate; nobody may change it.

    Raises ConfigurationError for a variable that names a file which cannot be read.
    """
    for name in _STORE:
        _given(name)
    name = next(filter(os.environ.get, _ADDED), _ADDED[0])
    added = _given(name)
    try:
        return _context(added, *map(os.environ.get, _STORE))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"{name} names {added}: {error}") from None


@lru_cache(maxsize=1)  # to read a hundred authorities takes longer than a small answer
def _context(added: Path | None, *store: str | None) -> ssl.SSLContext:  # noqa: ARG001 - the key
    import truststore  # and with it what only few of the commands need

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # An answer may have no length. Then only the sender's word that it ends says that it is whole.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if added:
        context.load_verify_locations(**{"capath" if added.is_dir() else "cafile": str(added)})
    return context


def bundle() -> str | None:
    """The file with the authorities, for a driver that takes nothing else; None where none is.

    Those of a folder are written into one, which is there until the process ends.
    """
    names = (*_ADDED, *_STORE)
    given = next((path for name in names if (path := _given(name))), None)
    if given is None:
        return ssl.get_default_verify_paths().cafile
    return _joined(given).name if given.is_dir() else str(given)


@lru_cache(maxsize=1)
def _joined(folder: Path) -> IO[bytes]:
    """What lies in a folder that OpenSSL takes, each authority once."""
    found = {path.resolve() for path in folder.iterdir()}  # most names are links to others
    texts = [path.read_bytes() for path in sorted(found) if path.is_file()]
    file = NamedTemporaryFile(prefix="dapu-authorities-", suffix=".pem")  # noqa: SIM115 - kept
    file.write(b"\n".join(text for text in texts if _CERTIFICATE in text))
    file.flush()
    return file


def _given(name: str) -> Path | None:
    value = os.environ.get(name)
    if not value:
        return None
    path = Path(value)
    if name == "SSL_CERT_DIR":  # several, as in PATH
        path = next((one for one in map(Path, value.split(os.pathsep)) if one.is_dir()), path)
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"{name} names {value}, which is not there or cannot be read")
    return path
