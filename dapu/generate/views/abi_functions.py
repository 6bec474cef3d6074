"""The decoders that views of contract ABIs call, in PL/pgSQL."""

from __future__ import annotations

from psycopg2.extensions import connection as PgSession
from psycopg2.extensions import quote_ident

from dapu.generate.views.abi_types import AbiType
from dapu.generate.views.abi_words import word
from dapu.named_sql import sql_folder

HEX_NUMBERS_SINCE = 160000  # PostgreSQL 16 reads numbers from hexadecimal digits


def decoders(session: PgSession, schema: str) -> str:
    """The statements that make or replace the decoders in a schema, as this server needs them."""
    text = sql_folder("functions").joinpath("abi.sql").read_text("utf-8")
    number = AbiType("uint", "uint256", 256)
    unsigned = word(number, "data", 1, session.server_version >= HEX_NUMBERS_SINCE)
    return text.format(schema=quote_ident(schema, session), unsigned=unsigned.value)
