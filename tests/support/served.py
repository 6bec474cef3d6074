"""A warehouse whose server listens in the test's own process; its jobs run when the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import requests
import uvicorn

from dapu.server.api import make_app
from dapu.server.desk import Desk
from dapu.server.settings import RunBy, read_server_settings
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.worker import Worker
from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector
from tests.support.components import versioner
from tests.support.rounds import Seen

TOKEN = "a-token-of-the-test"
ENVIRONMENT = {"SYNCCTL_AUTH_TOKENS": TOKEN}
SHOP = {"package": "shop", "version": "1"}


class Served:
    """What a caller of the server does, and what it finds."""

    def __init__(
        self,
        make: MakeWarehouse,
        database: Database,
        connector: ScriptedConnector,
        files: dict[str, str] | None = None,
    ):
        self.database, self.connector = database, connector
        entry = f"- name: shop\n{indent(connector.connection, '  ')}\n"
        self.folder: Path = make(
            {
                "connections.yaml": database.connections_yaml() + entry,
                "routes/local/route.yaml": "connection: main",
                "routes/local/staging/after/task.yaml": "actions: [{do: sql, file: [after.sql]}]",
                "routes/local/staging/after/after.sql": "select 1",
                **(files or {}),
            }
        )
        versioner(self.folder)
        self.url = ""

    def desk(self) -> Desk:
        """Where its requests become jobs."""
        settings = read_server_settings(ENVIRONMENT, None, None, "staging")
        return Desk(open_warehouse(self.folder), settings)

    @contextmanager
    def listening(
        self, environment: dict[str, str] | None = None, runner: RunBy = "package", port: int = 0
    ) -> Iterator[None]:
        """The server answers while the block runs. environment: with its variables."""
        known = ENVIRONMENT if environment is None else environment
        settings = read_server_settings(known, None, None, "staging", runner, has_logins=True)
        app = make_app(Desk(open_warehouse(self.folder), settings), settings.tokens, lambda: None)
        server = uvicorn.Server(
            uvicorn.Config(app, port=port, log_level="error", proxy_headers=False)
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started and thread.is_alive():
            thread.join(0.01)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()

    def get(self, path: str, token: str | None = TOKEN, **query: str) -> requests.Response:
        """Asks an endpoint."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(self.url + path, query, headers=headers, timeout=20)

    def post(self, path: str, body: Any, **query: str) -> requests.Response:
        """Asks an endpoint. body: bytes as they are, all else as JSON."""
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return requests.post(self.url + path, params=query, headers=headers, timeout=20, **given)

    def read(self, *streams: Any, task: str = "t1", body: Any = None, **query: str) -> Any:
        """Has streams read, and returns the answer. streams: of a configured catalog."""
        content = {"config": {"password": "hidden-word-1"}, "catalog": {"streams": streams}}
        known = {**SHOP, "syncId": "s1", "taskId": task, **query}
        return self.post("/read", content | (body or {}), **known)

    def work(self) -> Seen:
        """Runs all jobs that are due."""
        seen = Seen()
        Worker(open_warehouse(self.folder), seen, minutes=0.2).run()
        return seen

    def fail_at_once(self) -> None:
        """Jobs that wait are not tried again when they fail."""
        self.rows("update meta.registry set retries = 0")

    def everything(self) -> str:
        """All rows of dapu's own tables, as text."""
        tables = "select table_name from information_schema.tables where table_schema = 'meta'"
        names = [name for (name,) in self.rows(tables)]
        return "\n".join(str(self.rows(f'select t::text from meta."{name}" t')) for name in names)

    def rows(self, query: str) -> list[Any]:
        """What a query of the warehouse gives."""
        with closing(self.database.connect()) as session, session, session.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []


def configured(stream: Any, sync_mode: str = "incremental", **more: Any) -> Any:
    """A stream of a configured catalog."""
    return {"stream": stream, "sync_mode": sync_mode, "destination_sync_mode": "append", **more}
