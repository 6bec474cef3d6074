"""Asks the Execute API, and takes an answer only when all of it has come.

The API answers with a line of JSON a document. It says in headers how far the answer reaches
(`X-Sync-Highwater-Mark`, the `since` of the next question) and whether there is more to ask for
(`X-Sync-Truncated`). An answer without them, or one whose end cannot be distinguished from a broken
connection, is an error: taking it for complete would lose documents.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from dapu.errors import ConfigurationError, JobError, TransientError
from dapu.sources.http.retry import TRANSIENT_STATUSES, RetryPolicy, retry_after
from dapu.sources.http.session import innermost
from dapu.sources.http.stoppable_adapter import StoppableAdapter

BEGINNING = "1900-01-01"  # the `since` of the first question
_TIMEOUT = (30, 300)  # seconds to connect, and without a byte
_RETRIES = 3
_BLOCK = 1 << 18
_SHOWN = 300  # bytes of an answer that is an error
_MEANING = {
    401: "the key id and its secret are not accepted",
    403: "the key may not read documents",
    404: "there is no Execute API at this address; check the url",
    429: "it is asked too often",
}


@dataclass(frozen=True)
class ExecuteAnswer:
    """One answer: the documents since a mark. Its body is read once.

    since: the mark that was asked for. mark: the one up to which this answer reaches.
    truncated: there are more documents after `mark`.
    blocks: the body. Raises JobError when it ends too early.
    stop: ends the body at once, with an error; may be called from another thread.
    """

    since: str
    mark: str
    truncated: bool
    blocks: Iterator[bytes]
    stop: Callable[[], None]


class ExecuteClient:
    """A session with one Execute server."""

    def __init__(self, url: str, key_id: str, key_secret: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"the address of Execute, {url!r}, does not begin with https:// (or http://)"
            )
        if not _has_host(url):
            raise ConfigurationError(f"the address of Execute, {url!r}, names no host")
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = HTTPBasicAuth(key_id.encode(), key_secret.encode())
        self._adapter = StoppableAdapter()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._adapter)
        self._stopped = threading.Event()

    @contextmanager
    def fetch(self, since: str, limit: int, calculated: bool) -> Iterator[ExecuteAnswer]:
        """Asks for the documents since a mark.

        limit: the most documents in one answer. calculated: with calculated fields.
        Raises JobError when the server does not answer, or says too little to be trusted.
        """
        question: dict[str, Any] = {"limit": limit, "since": since}
        with self._get("/fetch/document/", question, calculated) as response:
            yield ExecuteAnswer(
                since=since,
                mark=self._header(response, "X-Sync-Highwater-Mark"),
                truncated=self._truncated(response),
                blocks=self._blocks(response),
                stop=self._adapter.cut,
            )

    def schema(self, calculated: bool) -> bytes:
        """The fields of all document types, as JSON text."""
        with self._get("/fetch/document/schema", {}, calculated) as response:
            return b"".join(self._blocks(response))

    def stop(self) -> None:
        """Ends what is being asked, and asks no more; may be called from another thread."""
        self._stopped.set()
        self._adapter.cut()

    def close(self) -> None:
        """Lets the connection go."""
        self._session.close()

    @contextmanager
    def _get(
        self, path: str, question: dict[str, Any], calculated: bool
    ) -> Iterator[requests.Response]:
        if calculated:
            question = question | {"calc": "true"}
        with self._answered(path, question) as response:
            self._check_running()
            self._check_end_is_known(response)
            yield response

    def _answered(self, path: str, question: dict[str, Any]) -> requests.Response:
        """Asks until there is an answer."""
        retries = RetryPolicy(_RETRIES)
        while True:
            self._check_running()
            try:
                return self._ask(path, question)
            except TransientError as failure:
                self._stopped.wait(retries.wait_after(failure))

    def _ask(self, path: str, question: dict[str, Any]) -> requests.Response:
        """One try. Raises TransientError when there may be an answer soon."""
        try:
            response = self._session.get(
                self.url + path, params=question, stream=True, timeout=_TIMEOUT
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            self._check_running()
            raise TransientError(f"{self.url} does not answer ({innermost(error)})") from error
        except requests.RequestException as error:
            raise JobError(f"{self.url} cannot be asked: {error}") from error
        if response.status_code == requests.codes.ok:
            return response
        with response:
            message = self._explain(response)
        if response.status_code in TRANSIENT_STATUSES:
            raise TransientError(message, retry_after(response.headers))
        raise JobError(message)

    def _explain(self, response: requests.Response) -> str:
        status = response.status_code
        meaning = f": {_MEANING[status]}" if status in _MEANING else ""
        try:
            start = next(response.iter_content(_SHOWN), b"")
        except requests.RequestException:
            start = b""
        said = " ".join(start[:_SHOWN].decode("utf-8", "replace").split())
        answered = f"; it says: {said}" if said else ""
        return f"{self.url} answers with status {status}{meaning}{answered}"

    def _check_end_is_known(self, response: requests.Response) -> None:
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        over_tls = response.url.startswith("https:")  # there the sender announces the end
        if not chunked and not over_tls and "Content-Length" not in response.headers:
            raise JobError(
                f"the answer of {self.url} does not say where it ends (neither Content-Length nor "
                "chunks), so that one cut short would look complete; nothing was taken. "
                "A proxy on the way that speaks HTTP/1.0 can be the cause"
            )

    def _header(self, response: requests.Response, name: str) -> str:
        value = response.headers.get(name, "").strip()
        if not value:
            kind = response.headers.get("Content-Type", "no type")
            raise JobError(
                f"the answer of {self.url} has no header {name} (its content is {kind}); "
                "nothing was taken. Is this the address of Execute, with no login page before it?"
            )
        return value

    def _truncated(self, response: requests.Response) -> bool:
        value = self._header(response, "X-Sync-Truncated").lower()
        if value not in ("true", "false"):
            raise JobError(
                f"the answer of {self.url} has X-Sync-Truncated: {value}, which is neither true "
                "nor false; nothing was taken"
            )
        return value == "true"

    def _blocks(self, response: requests.Response) -> Iterator[bytes]:
        size = 0
        try:
            for block in response.raw.stream(_BLOCK, decode_content=True):
                size += len(block)
                yield block
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._check_running()
            raise JobError(
                f"the answer of {self.url} was cut short after {size:,} bytes "
                f"({innermost(error)}); nothing of it was kept"
            ) from error
        self._check_running()

    def _check_running(self) -> None:
        if self._stopped.is_set():
            raise JobError("it was stopped while Execute was asked; nothing was kept")


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
