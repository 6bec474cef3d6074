"""Files for another process that never reach a disk, so that nothing is left of them after a kill.

A configuration has passwords in it. It stands in memory (memfd_create(2)), under a path that only
the connector and what it starts can open, and is deleted when the last of them has ended.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dapu.sources.documents.exact_json import dump

_ABOVE = 64  # descriptors below are those that programs use as they start


class SecretFile:
    """A file in memory. path: under which a process opens it that was given `descriptor`."""

    def __init__(self, name: str, content: bytes) -> None:
        made = os.memfd_create(name)
        self.descriptor = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        os.close(made)
        os.fchmod(self.descriptor, 0o600)
        self.path = f"/dev/fd/{self.descriptor}"
        view = memoryview(content)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def close(self) -> None:
        """Lets go of it: it is deleted as soon as the connector has ended too."""
        os.close(self.descriptor)


@contextmanager
def secret_files(documents: Mapping[str, Any]) -> Iterator[dict[str, SecretFile]]:
    """A file for each document, as JSON, while the block runs. documents: by the file's name."""
    files: dict[str, SecretFile] = {}
    try:
        for name, document in documents.items():
            files[name] = SecretFile(name, _json(document))
        yield files
    finally:
        for file in files.values():
            file.close()


def _json(document: Any) -> bytes:
    return (json.dumps(document) if document is None else dump(document)).encode()
