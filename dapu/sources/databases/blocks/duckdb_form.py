"""A value of DuckDB as the text that is hashed: as PostgreSQL writes it."""

from __future__ import annotations

from dapu.sources.databases.fragments import fragment

_WITH_ZEROS = ("time with", "interval")
"""Types that DuckDB writes with zeros at the end of a second's fraction."""


def duckdb_form(column: str, source: str, *, is_plain: bool, bits: bool) -> str:
    """SQL for the text.

    column: quoted. source: the PostgreSQL type of its values. is_plain: whether no text of it can
    be taken for two columns. bits: whether both sides write the bits of a number.
    """
    if not is_plain:
        return fragment("blocks.duckdb_text", column=column)
    if bits:
        return fragment("blocks.duckdb_float", column=column)
    return fragment(_statement(source), column=column)


def _statement(source: str) -> str:
    if source in ("bytea", "boolean"):
        return "blocks.duckdb_bytes" if source == "bytea" else "blocks.duckdb_boolean"
    if source == "timestamp with time zone":
        return "blocks.duckdb_moment"
    if source.startswith(_WITH_ZEROS):
        return "blocks.duckdb_fraction"
    return (
        "blocks.duckdb_time" if source.startswith(("date", "timestamp")) else "blocks.duckdb_plain"
    )
