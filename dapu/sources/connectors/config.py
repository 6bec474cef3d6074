"""A connector's own configuration: as it was given, or as the connector itself renewed it.

A connector that renews its refresh token sends its whole configuration anew, and the old token is
void from then on. So it is stored at once: in `config_file` where there is one, else in a file
below `.dapu/connectors/`, which holds until somebody changes the `config` that was given.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dapu import secrets
from dapu.errors import ConfigurationError, JobError
from dapu.warehouse.connection_kinds import ConnectorConnection

KEPT = ".dapu/connectors"


class Config(Protocol):
    """A configuration that the connector itself may renew."""

    @property
    def document(self) -> dict[str, Any]:
        """What the connector is given."""
        ...

    def renew(self, document: dict[str, Any]) -> None:
        """Stores what the connector made of it. Raises JobError when it cannot."""
        ...


@dataclass
class ConnectorConfig:
    """A configuration and the file where a renewed one is stored.

    given: the checksum of what the definition says; None where it is the file itself.
    """

    document: dict[str, Any]
    file: Path
    given: str | None

    def renew(self, document: dict[str, Any]) -> None:
        """Stores what the connector made of it. Raises JobError when it cannot be written."""
        hide_secrets(document)
        content = {"given": self.given, "config": document} if self.given else document
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            _write_private(self.file, json.dumps(content, indent=2) + "\n")
        except OSError as error:
            raise JobError(
                f"the connector renewed its configuration, which cannot be stored in {self.file}: "
                f"{error.strerror}"
            ) from error
        self.document = document


def read_config(connection: ConnectorConnection, folder: Path) -> ConnectorConfig:
    """The configuration of a connection. folder: the warehouse directory.

    Raises ConfigurationError when its file cannot be read.
    """
    if connection.config_file is not None:
        path = folder / connection.config_file
        config = ConnectorConfig(_read(path), path, None)
    else:
        text = json.dumps(connection.config, sort_keys=True)
        given = hashlib.sha256(text.encode()).hexdigest()
        name = re.sub(r"[^A-Za-z0-9_-]", "_", connection.name)
        path = folder / KEPT / f"{name}.config.json"
        config = ConnectorConfig(_renewed(path, given) or connection.config, path, given)
    hide_secrets(config.document)
    return config


def _renewed(path: Path, given: str) -> dict[str, Any] | None:
    """What the connector stored the last time, if it came of what is given now."""
    if not path.exists():
        return None
    kept = _read(path)
    return kept["config"] if kept.get("given") == given else None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"there is no file {path} (`config_file`)") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} is not a JSON object")
    return document


def _write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)


def hide_secrets(part: Any, *, is_secret: bool = False) -> None:
    """Keeps what is called a token or a password out of all that is shown."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            hide_secrets(value, is_secret=is_secret or secrets.is_secret_name(str(key)))
    elif isinstance(part, list):
        for value in part:
            hide_secrets(value, is_secret=is_secret)
    elif is_secret and isinstance(part, str):
        secrets.remember(part)
