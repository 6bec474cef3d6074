"""Asks the Execute API, and takes an answer only when all of it has come.

The API answers with a line of JSON a document. It says in headers how far the answer reaches
(`X-Sync-Highwater-Mark`, the `since` of the next question) and whether there is more to ask for
(`X-Sync-Truncated`). An answer without them, or one whose end cannot be told from a broken
connection, is an error: taking it for complete would lose documents.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from dapu.errors import JobError

BEGINNING = "1900-01-01"  # the `since` of the first question
_TIMEOUT = (10, 300)  # seconds to connect, and without a byte
_WAITS = (1.0, 2.0, 4.0)  # seconds before each new try
_LONGEST_WAIT = 60.0  # seconds that a server may ask for
_BLOCK = 1 << 18
_PASSING = {429, 500, 502, 503, 504}
_MEANING = {
    401: "the key id and secret are not accepted",
    403: "the key may not read documents",
    404: "there is no Execute API at this address; check the url",
    429: "it is asked too often",
}


@dataclass(frozen=True)
class Answer:
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
    """A session with one Execute server.

    waits: seconds before each new try of a question that failed for a reason that may pass.
    """

    def __init__(
        self, url: str, key_id: str, key_secret: str, waits: Sequence[float] = _WAITS
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise JobError(f"the Execute url {url!r} does not begin with https:// (or http://)")
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = HTTPBasicAuth(key_id.encode(), key_secret.encode())
        self._waits = waits
        self._stopped = threading.Event()
        self._response: requests.Response | None = None

    @contextmanager
    def fetch(self, since: str, limit: int, calculated: bool) -> Iterator[Answer]:
        """Asks for the documents since a mark.

        limit: the most documents in one answer. calculated: with calculated fields.
        Raises JobError when the server does not answer, or says too little to be trusted.
        """
        question: dict[str, Any] = {"limit": limit, "since": since}
        with self._get("/fetch/document/", question, calculated) as response:
            self._check_end_is_known(response)
            yield Answer(
                since=since,
                mark=self._header(response, "X-Sync-Highwater-Mark"),
                truncated=self._truncated(response),
                blocks=self._blocks(response),
                stop=lambda: _shut(response),
            )

    def schema(self, calculated: bool) -> bytes:
        """The fields of all document types, as JSON text."""
        with self._get("/fetch/document/schema", {}, calculated) as response:
            self._check_end_is_known(response)
            return b"".join(self._blocks(response))

    def stop(self) -> None:
        """Ends what is being asked, and asks no more; may be called from another thread."""
        self._stopped.set()
        if self._response is not None:
            _shut(self._response)

    def close(self) -> None:
        """Lets the connection go."""
        self._session.close()

    @contextmanager
    def _get(
        self, path: str, question: dict[str, Any], calculated: bool
    ) -> Iterator[requests.Response]:
        if calculated:
            question = question | {"calc": "true"}
        response = self._try(lambda: self._ask(path, question))
        self._response = response
        try:
            self._check_running()
            yield response
        finally:
            self._response = None
            response.close()

    def _try(self, ask: Callable[[], requests.Response]) -> requests.Response:
        for wait in (*self._waits, None):
            self._check_running()
            try:
                response = ask()
            except (requests.ConnectionError, requests.Timeout) as error:
                if wait is None:
                    raise JobError(f"{self.url} does not answer: {_reason(error)}") from error
                pause = wait
            except requests.RequestException as error:
                raise JobError(f"{self.url} cannot be asked: {error}") from error
            else:
                if response.status_code == requests.codes.ok:
                    return response
                pause = self._wait_or_fail(response, wait)
            self._stopped.wait(pause)
        raise AssertionError("the last try returns or raises")

    def _ask(self, path: str, question: dict[str, Any]) -> requests.Response:
        return self._session.get(self.url + path, params=question, stream=True, timeout=_TIMEOUT)

    def _wait_or_fail(self, response: requests.Response, wait: float | None) -> float:
        """Seconds to wait before the next try. Raises JobError when there is no use in one."""
        status = response.status_code
        with response:
            asked = response.headers.get("Retry-After", "")
            said = response.raw.read(300, decode_content=True).decode("utf-8", "replace").strip()
        if asked.isdecimal() and wait is not None:
            wait = max(wait, float(asked))
        if status in _PASSING and wait is not None and wait <= _LONGEST_WAIT:
            return wait
        meaning = f" ({_MEANING[status]})" if status in _MEANING else ""
        later = f"; it asks to wait {asked} seconds" if asked else ""
        answered = f"; it says: {' '.join(said.split())}" if said else ""
        raise JobError(f"{self.url} answers with status {status}{meaning}{later}{answered}")

    def _check_end_is_known(self, response: requests.Response) -> None:
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if not chunked and "Content-Length" not in response.headers:
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
                f"({_reason(error)}); nothing of it was kept"
            ) from error
        self._check_running()

    def _check_running(self) -> None:
        if self._stopped.is_set():
            raise JobError("it was stopped while Execute was asked; nothing was kept")


def _shut(response: requests.Response) -> None:
    with suppress(ValueError, RuntimeError, OSError):  # it has ended meanwhile
        response.raw.shutdown()


def _reason(error: BaseException) -> str:
    """The innermost cause, which is what a person can act on."""
    inner: Any = error
    while True:
        following = getattr(inner, "reason", None) or inner.__cause__ or inner.__context__
        if not isinstance(following, BaseException):
            return f"{type(inner).__name__}: {inner}"
        inner = following
