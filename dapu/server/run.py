"""The server as a process: it listens until it is asked to end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import uvicorn

from dapu.server.api import make_app
from dapu.server.desk import Desk
from dapu.server.settings import ServerSettings
from dapu.server.workers import Workers
from dapu.warehouse.warehouse import Warehouse

_IDLE = 65  # seconds that a connection may say nothing
_TURN = 0.001  # seconds: whoever reads a page does not wait for who reads the SQL of all tasks
_GRACE = 10  # seconds for requests in hand


def serve(
    warehouse: Warehouse,
    settings: ServerSettings,
    processes: int,
    say: Callable[[str], None],
) -> None:
    """Listens until SIGTERM or Ctrl-C. processes: how many workers of its own it has at most.

    Raises DapuError when the warehouse is not ready.
    """
    desk = Desk(warehouse, settings)
    desk.check_ready()
    workers = Workers(warehouse.folder, processes, desk.due, say)
    app = make_app(desk, settings.tokens, workers.wake)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,  # its lines would have the addresses of `thenRun`, with their secrets
        proxy_headers=False,  # of whom the settings name, see `Peer`
        server_header=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE,
    )
    say(f"server: listens on http://{settings.host}:{settings.port}, described at /docs")
    # uvicorn ends at these signals by itself, and then sends them anew: that is to end nothing else
    # before the workers have.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    workers.start()
    sys.setswitchinterval(_TURN)
    try:
        server = uvicorn.Server(config)
        app.state.is_over = lambda: server.should_exit
        server.run()
    finally:
        workers.stop()
