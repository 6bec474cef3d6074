"""Columns of which only a keyed hash is kept: their values never reach the warehouse."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from functools import partial

from dapu.errors import JobError
from dapu.rows.changed_columns import ColumnChange, with_changes
from dapu.rows.rows import Rows

_TEXTS = re.compile(r"(text|character varying|character|varchar|char|citext|name)\b[^\[]*")


def hashed_text(key: bytes, text: str | None) -> str | None:
    """HMAC-SHA256 (hex, RFC 2104) of a text without the spaces at its ends; None of none."""
    bare = (text or "").strip()
    return hmac.digest(key, bare.encode(), "sha256").hex() if bare else None


def needed_key(key: bytes | None) -> bytes:
    """The secret of hashes. Raises JobError where there is none."""
    if key is None:
        raise JobError(
            "`hash` needs a secret: set `hash_key: ${DAPU_HASH_KEY}` in warehouse.yaml, and "
            "DAPU_HASH_KEY in the environment, at least 16 characters long"
        )
    return key


def with_hashes(rows: Rows, names: Collection[str], key: bytes | None) -> Rows:
    """The rows with hashes in some columns, which become texts.

    Raises JobError without a key, for a column that is not there or is not a text, and for rows of
    the warehouse itself, whose values are there already.
    """
    if not names:
        return rows
    change = ColumnChange("text", partial(hashed_text, needed_key(key)))
    for name in names:
        check_text(rows, name, "hash", "a hash is made of a text")
    return with_changes(rows, dict.fromkeys(names, change), "hash")


def check_text(rows: Rows, name: str, what: str, why: str) -> None:
    """Raises JobError for a column that is not there, or is not a text. what: who asks for it."""
    kind = type_of(rows, name, what)
    if not _TEXTS.fullmatch(kind):
        raise JobError(
            f"the column {name} is {kind}, and {why}: give it as text, in the query or by the "
            "column's type"
        )


def type_of(rows: Rows, name: str, what: str) -> str:
    """The type of a column. Raises JobError for one that is not there. what: who asks for it."""
    types = {column.name: column.type for column in rows.columns}
    if name not in types:
        raise JobError(f"`{what}` names {name}, which is none of: {', '.join(types)}")
    return types[name]
