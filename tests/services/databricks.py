"""A stand-in for Databricks: its statements as sqlglot understands them, run by DuckDB.

What it does not have: lists in views, and the checks of Unity Catalog. A volume is a folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from databricks.sql import exc

_PUT = re.compile(r"put '(.*)' into '(.*)' overwrite")
_NAMED_FILE = re.compile(r"'(/Volumes/.*)'")
_PARQUET = re.compile(r"parquet\.`(.*)`")
_ERROR: type[Exception] = exc.Error
_MACROS = r"""
create macro parse_json(text) as text;
create macro get_variant(item, path, kind) as
    json_extract_string(item, regexp_replace(path, '\["([^"]*)"\]', '."\1"', 'g'));
create macro variant_text(item) as item;
"""


class Databricks:
    """One catalog with one schema. `told` has what was said, `fails_at` what fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.keywords: dict[str, Any] = {}
        self.fails_at = self.dies_after = ""
        self._database = duckdb.connect()
        self._database.execute(_MACROS)
        self._found: list[tuple[Any, ...]] = []

    def connect(self, **keywords: Any) -> Databricks:
        self.keywords = keywords
        return self

    def cursor(self) -> Databricks:
        return self

    def close(self) -> None:
        """The next connection is to the same database."""

    def execute(self, text: str, values: dict[str, Any] | None = None) -> None:
        plain = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()
        self.told.append(plain)
        if self.fails_at and plain.startswith(self.fails_at):
            raise _ERROR(f"no {self.fails_at} today")
        self._found = self._do(plain, values)
        if self.dies_after and plain.startswith(self.dies_after):
            raise KeyboardInterrupt

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._found[0] if self._found else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query in DuckDB's own SQL gives."""
        return self._database.execute(query).fetchall()

    def staged(self) -> list[Path]:
        """The files in the volume."""
        return sorted(self.folder.rglob("*.parquet"))

    def _do(self, text: str, values: dict[str, Any] | None) -> list[tuple[Any, ...]]:
        word = text.split(maxsplit=1)[0]
        if word == "put":
            return self._put(text)
        if word in ("list", "remove"):
            return self._list_or_remove(word, text)
        if text.startswith("create volume"):
            (self.folder / "Volumes").mkdir(exist_ok=True)
            return []
        return self._run(text, values)

    def _put(self, text: str) -> list[tuple[Any, ...]]:
        match = _PUT.fullmatch(text)
        assert match is not None
        remote = self._file(match[2])
        remote.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(match[1], remote)
        return []

    def _list_or_remove(self, word: str, text: str) -> list[tuple[Any, ...]]:
        match = _NAMED_FILE.search(text)
        assert match is not None
        if word == "remove":
            self._file(match[1]).unlink()
            return []
        return [(f"/{path.relative_to(self.folder)}", path.name) for path in self.staged()]

    def _file(self, name: str) -> Path:
        return self.folder / name.lstrip("/")

    def _run(self, text: str, values: dict[str, Any] | None) -> list[tuple[Any, ...]]:
        # An `alter view … as` is a `create or replace` that keeps what was granted.
        text = re.sub(r"^alter view", "create or replace view", text)
        match = _PARQUET.search(text)
        text = _PARQUET.sub("documents_file", text).replace("variant_get(", "get_variant(")
        text = text.replace("to_json(", "variant_text(")
        parsed = sqlglot.transpile(
            text, read="databricks", write="duckdb", error_level=sqlglot.ErrorLevel.RAISE
        )
        statement = parsed[0]
        if match is not None:
            statement = statement.replace("documents_file", f"'{self._file(match[1])}'")
        return self._database.execute(statement, values or None).fetchall()
