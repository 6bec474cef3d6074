"""Requests to the server of one connection, sent again when a failure may pass.

All that is asked is only reading, so that every request may be sent again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urljoin

import requests
from requests import PreparedRequest, Response

from dapu.errors import JobError, JobInterrupted, TransientError
from dapu.sources.documents.bounds import Body
from dapu.sources.http.auth import Credentials, credentials
from dapu.sources.http.links import next_link
from dapu.sources.http.messages import HttpAnswer, Request, same_place
from dapu.sources.http.retry import TRANSIENT_STATUSES, RateLimiter, RetryPolicy, retry_after
from dapu.sources.http.stoppable_adapter import StoppableAdapter
from dapu.warehouse.connection_kinds import HttpConnection

_CONNECTS_WITHIN = 30.0  # seconds
_BLOCK = 1 << 18
_SHOWN = 300  # characters of an answer or an address in a message
_MOST_REDIRECTS = 10
_UNAUTHORIZED, _FIRST_ERROR = 401, 400
_TAGS = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class Sink(Protocol):
    """What takes the body of an answer: a file, or what looks like one."""

    def seek(self, position: int, /) -> object:
        """Called with 0 before each try."""

    def truncate(self) -> object:
        """Called then too."""

    def write(self, data: bytes, /) -> object:
        """Takes the next bytes."""


class HttpSession:
    """A session with one server.

    note: gets a line when a request is sent again.
    """

    def __init__(self, connection: HttpConnection, note: Callable[[str], None]) -> None:
        self._connection, self._note = connection, note
        self._stopped = threading.Event()
        self._rate_limiter = RateLimiter(connection.rate_limit)
        self._adapter = StoppableAdapter()
        self._credentials = credentials(connection.auth, self._ask_for_token)
        self._session = _Session(
            {*connection.headers, *filter(None, [self._credentials.header])}, self._adapter
        )

    def send(self, request: Request, into: Sink) -> HttpAnswer:
        """Asks, until there is an answer, and writes its body into `into`, from the beginning.

        An answer has a status below 400. Raises JobError when there is none, or not all of it.
        """
        headers = {**self._connection.headers, **request.headers}
        return self._send(request.with_headers(headers), into, self._credentials)

    def stop(self) -> None:
        """Ends a running request and all waiting; may be called from another thread."""
        self._stopped.set()
        self._adapter.cut()

    def close(self) -> None:
        """Lets the connections go."""
        self._session.close()

    def _ask_for_token(self, request: Request) -> bytes:
        # The headers of the connection are for its own server, which need not be this one.
        body = Body("the answer with the token")
        self._send(request, body, Credentials())
        return body.getvalue()

    def _send(self, request: Request, into: Sink, auth: Credentials) -> HttpAnswer:
        retries, renewed = RetryPolicy(self._connection.retries), False
        while True:
            auth.make_ready()
            self._rate_limiter.wait(self._stopped)
            try:
                answer = self._once(request, into, auth, may_renew=not renewed)
            except TransientError as failure:
                wait = retries.wait_after(failure)
                self._note(f"{failure}; asks again in {wait:.1f} s")
                self._stopped.wait(wait)
                continue
            if answer is not None:
                return answer
            renewed = True

    def _once(
        self, request: Request, into: Sink, auth: Credentials, *, may_renew: bool
    ) -> HttpAnswer | None:
        """One try. None when the credentials are old, and were renewed.

        Raises TransientError when there may be an answer soon.
        """
        into.seek(0)
        into.truncate()
        with self._translated_errors(request), self._start(request, auth) as response:
            if response.status_code == _UNAUTHORIZED and may_renew and auth.renew():
                return None
            self._check_status(request, response)
            for block in response.iter_content(_BLOCK):
                into.write(block)
            return _answer(response)

    def _start(self, request: Request, auth: Credentials) -> Response:
        silence = self._connection.timeout.total_seconds()
        headers = dict(request.headers)
        if request.body is not None and not isinstance(request.body, str):
            headers.setdefault("Content-Type", "application/json")
        return self._session.request(
            request.method,
            request.url,
            params=dict(request.parameters),
            data=request.encoded_body(),
            headers=headers,
            auth=auth,
            timeout=(min(silence, _CONNECTS_WITHIN), silence),
            stream=True,
        )

    @contextmanager
    def _translated_errors(self, request: Request) -> Iterator[None]:
        """Says what went wrong on the way, and whether it may pass."""
        self._check_running()
        try:
            yield
        except requests.exceptions.SSLError as error:
            self._check_running()
            if "certificate" in str(error).lower():
                raise JobError(
                    f"{_line(request)}: {innermost(error)}; an authority that the machine does not "
                    "know, such as a company's own, is made known with SSL_CERT_FILE"
                ) from error
            raise TransientError(
                f"{_line(request)}: the connection broke off ({innermost(error)})"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            self._check_running()
            raise TransientError(
                f"{_line(request)}: there is no answer ({innermost(error)})"
            ) from error
        except (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            self._check_running()
            raise TransientError(
                f"{_line(request)}: the answer broke off ({innermost(error)})"
            ) from error
        except requests.RequestException as error:
            raise JobError(f"{_line(request)}: {error}") from error

    def _check_status(self, request: Request, response: Response) -> None:
        status = response.status_code
        if status < _FIRST_ERROR:
            return
        said = f"{_line(request)}: {status} {response.reason or ''}".rstrip()
        excerpt = _excerpt(response)
        message = f"{said}: {excerpt}" if excerpt else said
        if status in TRANSIENT_STATUSES:
            raise TransientError(message, retry_after(response.headers))
        raise JobError(message, {"status": status})

    def _check_running(self) -> None:
        if self._stopped.is_set():
            raise JobInterrupted("the job was stopped while it asked a server")


class _Session(requests.Session):
    """A session that sends no credentials to another server to which it is redirected.

    private: the headers that are for the connection's server alone.
    """

    def __init__(self, private: set[str], adapter: StoppableAdapter) -> None:
        super().__init__()
        self._private = private
        self.max_redirects = _MOST_REDIRECTS
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Called by requests before it follows a redirect."""
        here, there = str(response.request.url), str(prepared_request.url)
        if same_place(here, there):
            return
        if prepared_request.body is not None:
            raise requests.exceptions.InvalidURL(f"it sends the question on to {there}")
        for name in self._private:
            prepared_request.headers.pop(name, None)


def _answer(response: Response) -> HttpAnswer:
    following = next_link(response.headers.get("Link", ""))
    url = str(response.url)
    return HttpAnswer(
        response.status_code,
        response.headers,
        url,
        urljoin(url, following) if following else None,
    )


def _line(request: Request) -> str:
    """The request as a person reads it; its parameters are in it, and secrets are hidden later."""
    url = requests.Request(request.method, request.url, params=dict(request.parameters))
    text = f"{request.method} {url.prepare().url}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _excerpt(response: Response) -> str:
    """The beginning of an answer that is an error, without tags."""
    try:
        start = next(response.iter_content(_BLOCK), b"")
    except requests.RequestException:
        return ""
    text = " ".join(_TAGS.sub(" ", start.decode(errors="replace")).split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def innermost(error: BaseException) -> str:
    """The innermost cause, which is what a person can act on."""
    inner: Any = error
    while True:
        causes = [getattr(inner, "reason", None), *reversed(inner.args)]
        following = next((cause for cause in causes if isinstance(cause, BaseException)), None)
        if following is None:
            return f"{type(inner).__name__}: {inner}"
        inner = following
