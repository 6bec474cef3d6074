"""Whether `dapu server` does what its OpenAPI document says, whatever Schemathesis sends to it."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

_TOKEN = "a-token-of-this-script"
_DAPU = (sys.executable, "-m", "dapu")
_SECONDS = 60.0  # until the server answers
_SCHEMATHESIS = "from schemathesis.cli import schemathesis; schemathesis()"


def main() -> int:
    """Returns the exit status: 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    parser.add_argument("--examples", type=int, default=200, help="for each request (200)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dapu-") as folder, _server(Path(folder)) as url:
        command = [sys.executable, "-c", _SCHEMATHESIS, "run", f"{url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {_TOKEN}"]
        # What a schema cannot say: that a parameter holds JSON, and which belong together.
        command += ["--exclude-checks", "positive_data_acceptance"]
        command += ["--exclude-path", "/live"]  # a stream, which ends after ten minutes
        command += ["--max-examples", str(given.examples), "--seed", str(given.seed)]
        command += ["--generation-database", "none"]
        return subprocess.run(command, check=False, cwd=folder).returncode


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A server over a new warehouse, which runs nothing; its address."""
    warehouse = str(folder / "warehouse")
    for name in ("init", "versioner"):
        subprocess.run([*_DAPU, name, warehouse], check=True, stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*_DAPU, "server", warehouse, "--host", "127.0.0.1", "--port", str(port)]
    variables = os.environ | {"SYNCCTL_AUTH_TOKENS": _TOKEN}
    server = subprocess.Popen([*command, "--processes", "0"], env=variables)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            if requests.get(f"{url}/health", timeout=10).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    sys.exit("the server does not answer")


if __name__ == "__main__":
    sys.exit(main())
