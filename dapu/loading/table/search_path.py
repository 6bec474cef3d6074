"""Which schemas PostgreSQL leaves out when it shows names."""

from __future__ import annotations

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.named_sql import statement


class SearchPath:
    """The session's search_path, changed for a few statements."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        cursor.execute(statement("search_path.current_search_path"))
        row = cursor.fetchone()
        self._before = str(row[0]) if row else ""

    def set(self, *schemas: str) -> None:
        """Names of other schemas have their schema in what PostgreSQL shows."""
        path = sql.SQL(", ").join(map(sql.Identifier, schemas)).as_string(self._cursor)
        self._cursor.execute(statement("search_path.search_path"), {"path": path})

    def restore(self) -> None:
        """As it was."""
        self._cursor.execute(statement("search_path.search_path"), {"path": self._before})
