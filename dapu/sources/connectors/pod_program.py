"""A program that runs a connector as a pod, and prints what it prints.

    python -m dapu.sources.connectors.pod_program run ORDER config=FILE … -- read --config …
    python -m dapu.sources.connectors.pod_program delete ORDER

ORDER is a `PodOrder` as JSON; nothing secret is in it. It is to a cluster what `docker run --rm` is
to an engine: its exit status is the connector's, and at its end pod and Secret are deleted. Where
it is killed, `delete` is run; where the whole machine is lost, the next run anywhere deletes the
pod, after nobody has looked after it for a while.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, Configuration, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_config
from kubernetes.watch import Watch
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from dapu.sources.connectors.pod_log import LostLines, PodLog
from dapu.sources.connectors.pod_order import ALIVE, CREATOR, PodOrder, now

_CONNECT, _QUIET = 10, 30  # seconds to wait for an answer; for the next line, before a look
_PAUSE = 1.0  # seconds between two readings of a log that broke off
_MOST_READINGS = 5  # of the log of a pod that has ended
_LONGEST_WATCH = 60
_HEARTBEAT = 60.0  # seconds between two signs that the pod is looked after
_ABANDONED = timedelta(minutes=15)  # without such a sign
_BLOCK = 1 << 16
_HOPELESS = ("InvalidImageName", "ErrImageNeverPull")  # what a pod waits for in vain
_OVER = ("Succeeded", "Failed")
_SELECTOR = ",".join(f"{name}={value}" for name, value in CREATOR.items())
# What was asked for may have been done though no answer came: see how 409 and 404 are taken.
_RETRY = Retry(
    total=4,
    backoff_factor=0.3,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)


class PodFailure(Exception):
    """The pod did not run, or not to its end. The message has its state."""


def main(words: Sequence[str]) -> int:
    """Does what the words say; the exit status."""
    command, text, *rest = words
    order = PodOrder(**json.loads(text))
    try:
        api = _connect(order)
        if command == "delete":
            _delete(api, order.namespace, order.name)
            return 0
        cut = rest.index("--")
        files = dict(word.partition("=")[::2] for word in rest[:cut])
        documents = {name: Path(path).read_bytes() for name, path in files.items()}
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        return _Pod(api, order).run(documents, rest[cut + 1 :])
    except (PodFailure, LostLines, ConfigException, ValueError) as error:
        why = str(error)
    except ApiException as error:
        why = f"Kubernetes refuses ({error.status}): {_message(error)}"
    except HTTPError as error:
        why = f"Kubernetes does not answer: {error}"
    sys.stderr.write(f"{why}\n")
    return 1


class _Pod:
    """One pod on its way."""

    def __init__(self, api: CoreV1Api, order: PodOrder) -> None:
        self._api, self._order = api, order
        self._where = {"name": order.name, "namespace": order.namespace}
        self._log = PodLog(sys.stdout.buffer, sys.stderr.buffer)
        self._is_over = threading.Event()

    def run(self, documents: Mapping[str, bytes], words: Sequence[str]) -> int:
        """Runs it to its end, and deletes it; the connector's exit status."""
        with suppress(ApiException):
            _sweep(self._api, self._order.namespace)
        try:
            self._create(documents, words)
            threading.Thread(target=self._look_after, daemon=True).start()
            self._wait_until_started()
            return self._follow()
        finally:
            self._is_over.set()
            _delete(self._api, self._order.namespace, self._order.name)

    def _create(self, documents: Mapping[str, bytes], words: Sequence[str]) -> None:
        """The Secret belongs to the pod, so that no moment leaves one behind alone."""
        order = self._order
        order.secret(documents, "")  # refused before there is a pod
        with _unless_there():
            self._api.create_namespaced_pod(order.namespace, order.pod(words))
        uid = self._read().metadata.uid
        with _unless_there():
            self._api.create_namespaced_secret(order.namespace, order.secret(documents, uid))

    def _wait_until_started(self) -> None:
        end = time.monotonic() + self._order.start_within
        while (left := end - time.monotonic()) > 0:
            pod = self._read()
            if _has_started(pod):
                return
            seconds = max(1, min(int(left), _LONGEST_WATCH))
            with suppress(HTTPError, ApiException):  # a watch may end at any time: look, and again
                self._watch(pod.metadata.resource_version, seconds)
        pod = self._read()
        if not _has_started(pod):
            raise PodFailure(
                f"the pod {self._order.name} has not started within "
                f"{self._order.start_within:g} s: {describe(pod)}"
            )

    def _watch(self, version: str, seconds: int) -> None:
        watch = Watch()
        events = watch.stream(
            self._api.list_namespaced_pod,
            self._order.namespace,
            field_selector=f"metadata.name={self._order.name}",
            resource_version=version,
            timeout_seconds=seconds,
            _request_timeout=(_CONNECT, seconds + _CONNECT),
        )
        for event in events:
            if event["type"] == "DELETED" or _has_started(event["object"]):
                watch.stop()

    def _follow(self) -> int:
        """Reads the log to its end, however often the connection breaks."""
        left = _MOST_READINGS
        while True:
            pod = self._read()  # before the log: what follows is then all that there is
            left -= pod.status.phase in _OVER
            with suppress(HTTPError, ApiException):
                self._read_log()
            if self._log.status is not None:
                self._log.end()
                return self._log.status
            if not left:
                raise PodFailure(
                    f"the pod {self._order.name} ended before the connector did: {describe(pod)}"
                )
            time.sleep(_PAUSE)

    def _read_log(self) -> None:
        answer = self._api.read_namespaced_pod_log(
            **self._where,
            follow=True,
            since_seconds=self._log.age,
            _preload_content=False,
            _request_timeout=(_CONNECT, _QUIET),
        )
        self._log.begin()
        for block in answer.stream(_BLOCK):
            self._log.take(block)

    def _read(self) -> Any:
        try:
            return self._api.read_namespaced_pod(**self._where, _request_timeout=_CONNECT)
        except ApiException as error:
            if error.status == 404:
                raise PodFailure(f"somebody deleted the pod {self._order.name}") from None
            raise

    def _look_after(self) -> None:
        while not self._is_over.wait(_HEARTBEAT):
            with suppress(ApiException, HTTPError):
                body = {"metadata": {"annotations": {ALIVE: now()}}}
                self._api.patch_namespaced_pod(**self._where, body=body)


def describe(pod: Any) -> str:
    """The state of a pod and of its containers, in the cluster's words."""
    status = pod.status
    parts = [_joined(status.phase, status.reason, status.message)]
    parts += [
        _joined(condition.type, condition.reason, condition.message)
        for condition in status.conditions or []
        if condition.status == "False" and condition.reason not in (None, "PodCompleted")
    ]
    for container in status.container_statuses or []:
        state = container.state
        waiting, ended = state.waiting, state.terminated
        if waiting:
            parts.append(_joined(container.name, waiting.reason, waiting.message))
        if ended:
            code = f"exit status {ended.exit_code}"
            parts.append(_joined(container.name, ended.reason, ended.message, code))
    return "; ".join(parts)


def _joined(*words: str | None) -> str:
    return ": ".join(word for word in words if word)


def _has_started(pod: Any) -> bool:
    """Whether its log can be read. Raises PodFailure where it never will."""
    for container in pod.status.container_statuses or []:
        waiting = container.state.waiting
        if waiting and waiting.reason in _HOPELESS:
            raise PodFailure(f"the pod {pod.metadata.name} cannot start: {describe(pod)}")
        if container.state.running or container.state.terminated:
            return True
    return pod.status.phase in _OVER


def _sweep(api: CoreV1Api, namespace: str) -> None:
    """Deletes pods that a lost machine has left."""
    limit = datetime.now(UTC) - _ABANDONED
    for pod in api.list_namespaced_pod(namespace, label_selector=_SELECTOR).items:
        alive = (pod.metadata.annotations or {}).get(ALIVE)
        if alive and datetime.fromisoformat(alive) < limit:
            _delete(api, namespace, pod.metadata.name)


def _delete(api: CoreV1Api, namespace: str, name: str) -> None:
    for delete in (api.delete_namespaced_pod, api.delete_namespaced_secret):
        try:
            delete(name, namespace)
        except ApiException as error:
            if error.status not in (404, 409):  # gone, or going
                raise


class _unless_there(suppress):  # noqa: N801 - reads as a word
    """The name is this run's own: what is there already is what a lost answer had made."""

    def __init__(self) -> None:
        super().__init__(ApiException)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, ApiException) and error.status == 409


def _connect(order: PodOrder) -> CoreV1Api:
    configuration = Configuration()
    given = {"config_file": order.config} if order.config else {}
    load_config(**given, context=order.context, client_configuration=configuration)
    configuration.retries = _RETRY
    return CoreV1Api(ApiClient(configuration))


def _message(error: ApiException) -> str:
    """What the API server says; never what it was sent."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
