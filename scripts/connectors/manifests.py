"""A declarative manifest, run by the real airbyte-cdk, over a service that does all sorts of wrong.

    ./scripts/connectors/run manifests

The service answers with garbage, with other types than the manifest says, with errors, half, hugely
or never. Each reading must end with what was wrong, leave the table as it was, and nothing running.
Exit status 1 when something is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from scripts.connectors.stage import Stage, a_stage
from tests.services.serving import Server, serving

_MANIFEST = """\
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [users]}
streams:
  - type: DeclarativeStream
    name: users
    primary_key: [id]
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: "{{ config['url'] }}"
        path: /
        error_handler: {type: DefaultErrorHandler, max_retries: 1}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}, name: {type: string}}}
spec: {type: Spec, connection_specification: {type: object}}
"""
_TASK = "crm.staging.users"
_ACTION = "run: {retries: 0}\nactions: [{do: airbyte, stream: users, load: replace}]\n"
_LONGEST = 120.0  # seconds of a reading, on a busy machine
_GOOD = [{"id": 1, "name": "Ann"}]


@dataclass(frozen=True)
class Answer:
    """What the service does. words: of the job's message; none where the reading is to succeed."""

    body: bytes
    words: tuple[str, ...] = ()
    status: int = 200
    missing: int = 0
    waits: float = 0


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


_ANSWERS: Mapping[str, Answer] = {
    "good": Answer(_json(_GOOD)),
    # airbyte-cdk takes what is not JSON for an answer without records.
    "garbage": Answer(b"<html>\x00\xff the service is down"),
    "good again": Answer(_json(_GOOD)),
    "a number": Answer(b"17", ("users",)),
    "another type": Answer(_json([{"id": "x"}]), ("users", "record 1", "x")),
    "a type inside another": Answer(_json([{"id": {"a": 1}}]), ("users", "record 1")),
    "errors": Answer(b"{}", ("Internal server error",), status=500),
    "no right to it": Answer(b"{}", ("Forbidden",), status=403),
    "half": Answer(_json(_GOOD), ("users",), missing=1000),
    "silence": Answer(b"", ("silent",), waits=60),
    "40 MB in a value": Answer(_json([{"id": 1, "name": "x" * (40 << 20)}])),
    "60 MB in a value": Answer(_json([{"id": 1, "name": "x" * (60 << 20)}]), ("50 MB",)),
}


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, help="where connectors are installed")
    given = parser.parse_args()
    now = ["good"]
    server = Server(("127.0.0.1", 0), _handler(now))
    server.daemon_threads = True  # one of them is silent
    with tempfile.TemporaryDirectory(prefix="dapu-") as name, serving(server):
        folder = Path(name)
        (folder / ".dapu").mkdir()
        (folder / ".dapu/connectors").symlink_to(given.cache.resolve())
        (folder / "crm.yaml").write_text(_MANIFEST)
        connection = (
            "- {name: crm, driver: connector, manifest: crm.yaml, silence: 15 seconds, "
            f"config: {{url: 'http://127.0.0.1:{server.server_port}'}}}}\n"
        )
        with a_stage(folder, connection, {_TASK: _ACTION}) as stage:
            faults = [fault for case in _ANSWERS for fault in _try(stage, case, now)]
    for fault in faults:
        print(f"FAULT: {fault}")
    print("manifests: all is as it must be" if not faults else f"manifests: {len(faults)} faults")
    return 1 if faults else 0


def _handler(now: list[str]) -> type[BaseHTTPRequestHandler]:
    """now: the one case that is tried."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = _ANSWERS[now[0]]
            time.sleep(answer.waits)
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body) + answer.missing))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


def _try(stage: Stage, case: str, now: list[str]) -> list[str]:
    now[0] = case
    answer = _ANSWERS[case]
    before = _table(stage) if answer.words else None
    started = time.monotonic()
    job = stage.queue(_TASK)
    with stage.worker() as worker:
        worker.join(_LONGEST)
    found = "select status, coalesce(message, '') from meta.agenda where job = %s"
    [(status, message)] = stage.rows(found, (job,))
    print(f"{case}: {status}, {time.monotonic() - started:.0f} s, {message[:300]}", flush=True)
    faults = []
    if status != ("failed" if answer.words else "done"):
        faults.append(f"{case}: it is {status}")
    faults += [f"{case}: no word of {word}" for word in answer.words if word not in message]
    if "Traceback" in message:
        faults.append(f"{case}: a traceback")
    if before is not None and _table(stage) != before:
        faults.append(f"{case}: the table has changed")
    if left := _running(stage):
        faults.append(f"{case}: still running: {left}")
    return faults


def _table(stage: Stage) -> Any:
    return stage.rows("select count(*), max(id), max(md5(name)) from staging.users")


def _running(stage: Stage) -> str:
    found = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return "; ".join(line for line in found if f"{stage.folder}/.dapu/connectors" in line)


if __name__ == "__main__":
    sys.exit(main())
