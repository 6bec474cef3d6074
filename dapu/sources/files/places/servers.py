"""The fsspec file system of a connection, each protocol with its own words for who enters."""

from __future__ import annotations

import base64
import ssl
from typing import Any, cast
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem

from dapu.errors import ConfigurationError, JobError
from dapu.secrets import redact
from dapu.tls import client_context
from dapu.warehouse.connection_kinds import FilesConnection


def open_file_system(connection: FilesConnection) -> AbstractFileSystem:
    """Opens it, without fsspec's caches: what they know is old by the next job.

    Raises ConfigurationError when a package is missing, JobError when the server refuses.
    """
    parts = urlsplit(connection.path)
    protocol = parts.scheme if "://" in connection.path else "file"
    arguments = {
        "file": _of_folder,
        "s3": _of_s3,
        "sftp": _of_sftp,
        "http": _of_http,
        "https": _of_http,
    }[protocol](connection)
    protocol = "ssh" if protocol == "sftp" else protocol
    try:
        return fsspec.filesystem(protocol, **arguments, skip_instance_cache=True)
    except ImportError as error:
        raise ConfigurationError(
            f"the connection `{connection.name}` needs a package that is not installed "
            f"({error}); install dapu[files]"
        ) from None
    except Exception as error:  # noqa: BLE001 - each protocol's library has its own errors
        raise JobError(
            f"the connection `{connection.name}` ({connection}) is refused: {redact(str(error))}"
        ) from None


def _password(connection: FilesConnection) -> str | None:
    return connection.password.get_secret_value() if connection.password else None


def _of_folder(connection: FilesConnection) -> dict[str, Any]:
    return dict(connection.extra)


def _of_s3(connection: FilesConnection) -> dict[str, Any]:
    given = {"key": connection.username, "secret": _password(connection)}
    known = {key: value for key, value in given.items() if value is not None}
    given_config = connection.extra.get("config_kwargs", {})
    config = {"http_session_cls": _s3_session()} | given_config
    return {"use_listings_cache": False} | known | connection.extra | {"config_kwargs": config}


def _s3_session() -> type:
    from aiobotocore.httpsession import AIOHTTPSession

    class Session(AIOHTTPSession):  # type: ignore[misc]
        """Trusts whom dapu trusts, unless the connection or AWS_CA_BUNDLE says otherwise."""

        def _build_verify_context(self) -> ssl.SSLContext:
            if self._verify is True:
                return client_context()
            return cast(ssl.SSLContext, super()._build_verify_context())

    return Session


def _of_sftp(connection: FilesConnection) -> dict[str, Any]:
    """The server's key must be known: in ~/.ssh/known_hosts, unless `known_hosts` says where."""
    import sshfs  # noqa: F401 - registers the protocol

    parts = urlsplit(connection.path)
    given = {"port": parts.port, "username": connection.username, "password": _password(connection)}
    known = {key: value for key, value in given.items() if value is not None}
    return {"host": parts.hostname, "known_hosts": ()} | known | connection.extra


def _of_http(connection: FilesConnection) -> dict[str, Any]:
    arguments = {"ssl": client_context()} | connection.extra
    client: dict[str, Any] = {"raise_for_status": _check_end_is_known}
    arguments["client_kwargs"] = client | arguments.get("client_kwargs", {})
    if connection.username is not None:
        known = f"{connection.username}:{_password(connection) or ''}".encode()
        proof = {"Authorization": f"Basic {base64.b64encode(known).decode()}"}
        arguments["headers"] = arguments.get("headers", {}) | proof
    return arguments


async def _check_end_is_known(response: Any) -> None:
    """Raises JobError for an answer of which no one could tell whether it was cut."""
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    if response.method == "GET" and response.ok and not chunked and response.content_length is None:
        raise JobError(
            f"{response.url} does not say how long it is (neither Content-Length nor chunks), so "
            "that one cut short would look complete"
        )
