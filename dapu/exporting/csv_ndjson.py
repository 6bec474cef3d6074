"""CSV and NDJSON: PostgreSQL writes the file's bytes itself, none is touched on the way."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dapu.exporting.query import Query


def write_csv(
    query: Query, path: Path, *, delimiter: str = ",", header: bool = True, packed: bool = False
) -> int:
    """Writes CSV as RFC 4180 has it, in UTF-8; returns the number of rows.

    A value that is NULL is nothing, and an empty text is `""`.
    """
    query.fields()
    sign = {"\t": "E'\\t'", "'": "''''"}.get(delimiter, f"'{delimiter}'")
    with _open(path, packed) as file:
        return query.copy(file, f"format csv, delimiter {sign}, header {header}")


def write_ndjson(query: Query, path: Path, *, packed: bool = False) -> int:
    """Writes each row as JSON in a line of its own, in UTF-8; returns the number of rows."""
    query.fields()
    with _open(path, packed) as file:
        return query.copy_json(file)


@contextmanager
def _open(path: Path, packed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not packed:
            yield file
            return
        # Neither name nor time goes into it: the same rows give the same bytes.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as archive:
            yield cast(BinaryIO, archive)
