"""Runs a web server of the standard library for a test."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

_POLL = 0.02  # seconds until it sees that it shall stop


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Answers in threads of their own; stops at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Server(ThreadingHTTPServer):
    """A client that goes away is no news."""

    def handle_error(self, *arguments: Any) -> None:
        """See socketserver."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)
