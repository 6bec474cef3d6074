"""An API server of Kubernetes as far as pods go, over HTTP, with a node that runs a connector.

Pods, Secrets, watches and followed logs are as in
https://kubernetes.io/docs/reference/kubernetes-api/; whatever else is asked for is refused. A pod
begins once its Secret is there, runs the script that it was given, and misbehaves as it is told.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.services import scripted_connector
from tests.services.serving import Server

TOKEN = "a-token-of-the-cluster"
NAMESPACE = "etl"
_PATH = f"/api/v1/namespaces/{NAMESPACE}/"
_LOOK = 0.02  # seconds
Found = dict[str, Any]


class FakeKubernetes:
    """A cluster. folder: its node's. connector: what its images run."""

    def __init__(self, folder: Path, connector: Path) -> None:
        self._folder, self._connector = folder, connector
        folder.mkdir()
        self._lock = threading.Condition()
        self._version = 0
        self.objects: dict[str, dict[str, Found]] = {"pods": {}, "secrets": {}}
        self.made: list[Found] = []
        self.requests: list[str] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.looked_after = 0
        """How often a pod's annotations were changed."""
        self.waits_for: dict[str, str] | None = None
        """What each pod waits for, and never gets: its state `waiting`."""
        self.forbids = ""
        """A word of the requests that are answered with 403."""
        self.loses_answers = 0
        """How many objects are made though the answer says that they are not."""
        self.cuts_logs = 0
        """How many followed logs end after some bytes, in the middle of a line."""
        self.forgets = 0
        """How many bytes of its logs a node has lost."""
        self.evicts = False
        """Pods are evicted as soon as they have said something."""

    @contextmanager
    def running(self) -> Iterator[FakeKubernetes]:
        """It answers while the block runs."""
        server = Server(("127.0.0.1", 0), _Handler)
        server.cluster = self  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(_LOOK,), daemon=True).start()
        cluster = {"server": f"http://127.0.0.1:{server.server_port}"}
        names = {"cluster": "c", "user": "u"}
        config = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "here", "context": names}],
        }
        (self._folder / "kubeconfig").write_text(json.dumps(config))
        try:
            yield self
        finally:
            for name in list(self._processes):
                self._end(name)
            server.shutdown()
            server.server_close()

    @property
    def connection(self) -> str:
        """The key `kubernetes` of a connection."""
        known = {"config": str(self._folder / "kubeconfig"), "context": "here"}
        return f"kubernetes: {json.dumps(known | {'namespace': NAMESPACE})}\n"

    def left(self) -> list[str]:
        """The names of pods and Secrets that there are."""
        return [*self.objects["pods"], *self.objects["secrets"]]

    def add(self, kind: str, found: Found) -> None:
        """Makes an object. A pod waits for its Secret."""
        name = found["metadata"]["name"]
        with self._lock:
            found["metadata"] |= {"uid": f"uid-{name}", "namespace": NAMESPACE}
            if kind == "pods":
                found["status"] = {"phase": "Pending", "containerStatuses": []}
            self.objects[kind][name] = found
            self.made.append(found)
            self._changed(found)
            pod = self.objects["pods"].get(name)
            if pod and kind == "secrets":
                self._start(pod, found)

    def remove(self, kind: str, name: str) -> bool:
        """Deletes an object, and what belongs to it. Returns whether there was one."""
        with self._lock:
            found = self.objects[kind].pop(name, None)
            if found and kind == "pods":
                self._end(name)
                secret = self.objects["secrets"].get(name)
                if secret and secret["metadata"]["ownerReferences"][0]["uid"] == f"uid-{name}":
                    del self.objects["secrets"][name]
            self._lock.notify_all()
            return found is not None

    def wait_for_change(self, name: str, version: int) -> Found | None:
        """A pod once it is newer than a version; None where nothing came of it."""
        with self._lock:
            self._lock.wait_for(
                lambda: name not in self.objects["pods"] or self._newer(name, version), timeout=1
            )
            pod = self.objects["pods"].get(name)
            return pod if pod and self._newer(name, version) else None

    def _newer(self, name: str, version: int) -> bool:
        return int(self.objects["pods"][name]["metadata"]["resourceVersion"]) > version

    def _changed(self, found: Found) -> None:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        self._lock.notify_all()

    def _state(self, pod: Found, phase: str, state: Found, **more: str) -> None:
        status = {
            "name": "connector",
            "ready": False,
            "restartCount": 0,
            "image": "",
            "imageID": "",
        }
        pod["status"] = {"phase": phase, "containerStatuses": [status | {"state": state}], **more}
        self._changed(pod)

    def _start(self, pod: Found, secret: Found) -> None:
        if self.waits_for is not None:
            self._state(pod, "Pending", {"waiting": self.waits_for})
            return
        name = pod["metadata"]["name"]
        place = self._folder / name
        (place / "config").mkdir(parents=True)
        (place / "dapu").mkdir()
        for file, content in secret["data"].items():
            (place / "config" / file).write_bytes(base64.b64decode(content))
        container = pod["spec"]["containers"][0]
        words = [
            word.replace("/config/", f"{place}/config/").replace("/dapu/", f"{place}/dapu/")
            for word in (*container["command"], *container["args"])
        ]
        entry = f"{sys.executable} {scripted_connector.__file__} {self._connector}"
        variables = {one["name"]: one["value"] for one in container["env"]}
        with (place / "log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **variables, "AIRBYTE_ENTRYPOINT": entry},
            )
        self._state(pod, "Running", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
        threading.Thread(target=self._watch, args=(pod, place / "log"), daemon=True).start()

    def _watch(self, pod: Found, log: Path) -> None:
        name = pod["metadata"]["name"]
        process = self._processes[name]
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK)
            if self.evicts and log.stat().st_size:
                self._end(name)
                more = {"reason": "Evicted", "message": "The node was low on resource: memory."}
                with self._lock:
                    self._state(pod, "Failed", _terminated(137, "Error"), **more)
                return
        with self._lock:
            status = process.returncode
            word = "Completed" if status == 0 else "Error"
            self._state(pod, "Failed" if status else "Succeeded", _terminated(status, word))

    def _end(self, name: str) -> None:
        process = self._processes.get(name)
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self._folder / name / "config", ignore_errors=True)

    def log(self, name: str) -> Iterator[bytes]:
        """A followed log, as it comes."""
        path, is_cut = self._folder / name / "log", self.cuts_logs > 0
        self.cuts_logs -= is_cut
        with path.open("rb") as file:
            file.seek(self.forgets)
            while True:
                pod = self.objects["pods"].get(name)
                block = file.read(70)
                if block:
                    yield block
                    if is_cut:
                        return
                elif pod is None or pod["status"]["phase"] != "Running":
                    return
                else:
                    threading.Event().wait(_LOOK)


def _terminated(status: int, reason: str) -> Found:
    return {"terminated": {"exitCode": status, "reason": reason}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _cluster(self) -> FakeKubernetes:
        return self.server.cluster  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        """Reads, lists, watches and follows."""
        if not (words := self._words()):
            return
        match words:
            case [kind] if self._query.get("watch"):
                self._watch()
            case [kind]:
                found = self._cluster.objects[kind].values()
                self._answer(200, {"metadata": {"resourceVersion": "1"}, "items": [*found]})
            case [kind, name]:
                self._answer_with(self._cluster.objects[kind].get(name))
            case ["pods", name, "log"] if self._query["follow"] == "True":
                self._stream(self._cluster.log(name))

    def do_POST(self) -> None:
        """Makes an object."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not (words := self._words()):
            return
        kind, cluster = words[0], self._cluster
        if body["metadata"]["name"] in cluster.objects[kind]:
            self._refuse(409, "AlreadyExists", f"{kind} already exists")
            return
        cluster.add(kind, body)
        if cluster.loses_answers:
            cluster.loses_answers -= 1
            self._refuse(503, "ServiceUnavailable", "the server is currently unable")
        else:
            self._answer(201, body)

    def do_PATCH(self) -> None:
        """Changes annotations."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not (words := self._words()):
            return
        if "merge-patch" not in self.headers["Content-Type"]:
            self._refuse(415, "UnsupportedMediaType", "the body is no merge patch")
            return
        pod = self._cluster.objects[words[0]].get(words[1])
        if pod is not None:
            pod["metadata"]["annotations"] |= body["metadata"]["annotations"]
            self._cluster.looked_after += 1
        self._answer_with(pod)

    def do_DELETE(self) -> None:
        """Deletes an object."""
        if words := self._words():
            is_there = self._cluster.remove(*words)
            self._answer_with({"kind": "Status"} if is_there else None)

    def _words(self) -> list[str]:
        """The path behind the namespace; nothing where the request was refused."""
        parts = urlsplit(self.path)
        self._query = dict(parse_qsl(parts.query))
        request = f"{self.command} {parts.path}"
        self._cluster.requests.append(request)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._refuse(401, "Unauthorized", "Unauthorized")
        elif self._cluster.forbids and self._cluster.forbids in request:
            self._refuse(403, "Forbidden", f"User cannot {request}")
        elif not parts.path.startswith(_PATH):
            self._refuse(404, "NotFound", "the server could not find the requested resource")
        else:
            return parts.path.removeprefix(_PATH).split("/")
        return []

    def _watch(self) -> None:
        name = self._query["fieldSelector"].removeprefix("metadata.name=")
        pod = self._cluster.wait_for_change(name, int(self._query["resourceVersion"]))
        event = {"type": "MODIFIED", "object": pod}
        self._stream([json.dumps(event).encode() + b"\n"] if pod else [])  # then the watch ends

    def _stream(self, blocks: Any) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            for block in blocks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            self.wfile.write(b"0\r\n\r\n")

    def _answer_with(self, found: Found | None) -> None:
        if found is None:
            self._refuse(404, "NotFound", "not found")
        else:
            self._answer(200, found)

    def _refuse(self, status: int, reason: str, message: str) -> None:
        self._answer(status, {"kind": "Status", "reason": reason, "message": message})

    def _answer(self, status: int, document: Found) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""
