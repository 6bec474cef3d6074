"""Connectors that are images: `docker run`, with limits, and nothing left of it afterwards.

What docker is told: https://docs.docker.com/reference/cli/docker/container/run/. The configuration
is in no argument and no variable: it is mounted, read-only, from a folder in memory that only
dapu's own user can enter. The files in it can be read by all: an image may run as any user.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from dapu.sources.connectors.prepared import Prepared
from dapu.sources.connectors.runner import Runner
from dapu.sources.documents.exact_json import dump

_IN_MEMORY = Path("/dev/shm")
_MOUNTED = "/config"
_MOST_PROCESSES = 1000
# How docker itself finds its server.
_VARIABLES = (
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
)  # fmt: skip
# Connectors of the protocol's old days ask for these.
_OF_CONNECTOR = ("USE_STREAM_CAPABLE_STATE=true", "AUTO_DETECT_SCHEMA=true")


@dataclass(frozen=True)
class DockerRunner(Runner):
    """Runs an image. image: with its tag. memory: as docker writes it, `4g`."""

    image: str = ""
    memory: str = ""
    cpus: float = 0

    @contextmanager
    def prepared(self, documents: Mapping[str, Any]) -> Iterator[Prepared]:
        """See `Runner`."""
        folder = Path(
            tempfile.mkdtemp(prefix="dapu-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None)
        )
        name = f"dapu-{uuid4().hex}"
        try:
            mounts = []
            for document, content in documents.items():
                file = folder / f"{document}.json"
                file.write_text("null" if content is None else dump(content), "utf-8")
                file.chmod(0o444)
                target = f"{_MOUNTED}/{file.name}"
                mounts += ["--mount", f"type=bind,source={file},target={target},readonly"]
            paths = {name: f"{_MOUNTED}/{name}.json" for name in documents}
            cleanup = [["docker", "rm", "--force", name], ["rm", "-r", "-f", str(folder)]]
            yield Prepared(
                [*self._run(name), *mounts, self.image],
                paths,
                variables=_VARIABLES,
                cleanup=cleanup,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, name: str) -> list[str]:
        pull = "always" if self.image.endswith(":latest") else "missing"
        words = ["docker", "run", "--rm", "--init", "--name", name, "--pull", pull]
        words += ["--label", "creator=dapu", "--memory", self.memory, "--cpus", f"{self.cpus:g}"]
        words += ["--pids-limit", str(_MOST_PROCESSES), "--security-opt", "no-new-privileges"]
        return words + [word for value in _OF_CONNECTOR for word in ("--env", value)]
