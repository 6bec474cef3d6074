"""Pieces of SQL that stand in files too, and that a statement for a source is put together from."""

from __future__ import annotations

from dapu.named_sql import statement


def fragment(name: str, /, **parts: str) -> str:
    """A named piece of `sql/queries`, without its comment, its braces filled with SQL."""
    lines = statement(name).splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).format(**parts)
