"""A warehouse for Execute's documents, for tests: PostgreSQL or SQLite, the same to the test."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from dapu.execute import sync
from dapu.execute.client import ExecuteAnswer
from dapu.execute.documents import Incoming
from dapu.execute.postgres import PostgresDocuments
from dapu.execute.postgres_views import PostgresViews
from dapu.execute.schema import read_schema
from dapu.execute.settings import read_settings
from dapu.execute.sync import Sync
from dapu.statement import TableName
from tests.services.execute_server import KEY_ID, KEY_SECRET, ExecuteServer

VERSIONS = (
    "select type, id, version from execute_documents_latest_all_versions where chunk = 0 "
    "order by type, id, version"
)


@dataclass
class ExecuteWarehouse:
    """The warehouse, and what is pushed into it."""

    kind: str
    dsn: str
    server: ExecuteServer
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment |= {
            "EXECUTESYNC_DATABASE_TYPE": self.kind,
            "EXECUTESYNC_DATABASE_DSN": self.dsn,
            "EXECUTESYNC_EXECUTE_URL": self.server.url,
            "EXECUTESYNC_EXECUTE_APIKEY_ID": KEY_ID,
            "EXECUTESYNC_EXECUTE_APIKEY_SECRET": KEY_SECRET,
            "EXECUTESYNC_STATE_DIR": str(self.folder),
        }

    def sync(self, **options: Any) -> Sync:
        return Sync(read_settings(self.environment, options))

    def push(self, *, full: bool = False, **options: Any) -> int:
        """Reads what is new; returns how many documents came."""
        return self.sync(**options).push(full=full).documents

    def create_views(self, **options: Any) -> None:
        self.sync(**options).create_views()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query gives; a placeholder is %s."""
        if self.kind == "SQLITE":
            with closing(sqlite3.connect(self.dsn)) as file, file:
                return file.execute(query.replace("%s", "?"), values).fetchall()
        with closing(psycopg2.connect(self.dsn)) as session, session.cursor() as cursor:
            cursor.execute(query, values or None)
            found = cursor.fetchall() if cursor.description else []
            session.commit()
            return found

    def one(self, query: str) -> Any:
        """The one value that a query gives."""
        return self.rows(query)[0][0]

    def mark(self) -> str | None:
        """How far the server was read."""
        found = self.rows("select mark from execute_sync")
        return str(found[0][0]) if found and found[0][0] else None

    def put_views(self) -> None:
        """Makes the views; unlike `create_views` it mends nothing that they stand on."""
        if self.kind != "POSTGRES":  # where views stand on the documents themselves
            self.create_views()
            return
        schema = json.dumps(self.server.schema).encode()
        with closing(psycopg2.connect(self.dsn)) as session, session, session.cursor() as cursor:
            documents = PostgresDocuments(cursor, TableName("public", "execute_documents"))
            PostgresViews(cursor, documents).put(read_schema(schema))

    def versions(self) -> list[tuple[Any, ...]]:
        """What the warehouse has: type, id and version, each of which must be there once."""
        self.put_views()
        return self.rows(VERSIONS)

    def has_all(self) -> bool:
        """Whether the warehouse, and each of its views, has exactly what the server has."""
        there = sorted(self.server.documents())
        return self.versions() == there and self.views_show(there)

    def views_show(self, there: list[tuple[str, str, int]]) -> bool:
        """Whether the views, as they are, show the newest of these versions of each document."""
        newest = sorted({document[:2]: document for document in sorted(there)}.values())
        latest = self.rows(VERSIONS.replace("latest_all_versions", "latest"))
        of_types = [
            (kind, *row)
            for kind in sorted(self.server.schema)
            for row in self.rows(f"select document_id, _version from {kind} order by 1")
        ]
        return latest == newest and of_types == newest


def another_goes_first(warehouse: ExecuteWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next push has read its answer, and not stored it, when a whole other one is done."""
    original = sync._SyncRound._take

    def take(self: sync._SyncRound, answer: ExecuteAnswer, incoming: Incoming) -> None:
        monkeypatch.undo()
        warehouse.push()
        original(self, answer, incoming)

    monkeypatch.setattr(sync._SyncRound, "_take", take)
