"""MySQL's and MariaDB's types: the PostgreSQL type that holds each value, and its text for COPY.

https://mariadb.com/kb/en/data-types/ and https://dev.mysql.com/doc/refman/en/data-types.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pymysql.constants import FIELD_TYPE as T

from dapu.rows.exactness import exactness
from dapu.rows.rows import Column
from dapu.rows.types import is_number
from dapu.sources.databases.expected_type import base, declared_type, size
from dapu.sources.databases.fragments import fragment
from dapu.sources.databases.mysql.protocol import Described

_TEXT_FORMS = {
    **dict.fromkeys(("utf8mb4", "utf8mb3", "utf8", "ascii"), "mysql.utf8"),
    # Each of its 256 bytes is a character: what cp1252 leaves open is U+0081 and so on.
    "latin1": "mysql.converted",
}
"""By character set; of the others not each byte is a character."""
_INTEGERS = {
    T.TINY: ("smallint", "smallint"),
    T.SHORT: ("smallint", "integer"),
    T.INT24: ("integer", "integer"),
    T.LONG: ("integer", "bigint"),
    T.LONGLONG: ("bigint", "numeric(20,0)"),
}
"""For each integer the types of its signed and its unsigned form."""

_STRINGS = {
    *(T.VARCHAR, T.VAR_STRING, T.STRING, T.ENUM, T.SET),
    *(T.TINY_BLOB, T.BLOB, T.MEDIUM_BLOB, T.LONG_BLOB),
}
_SIMPLE = {
    T.FLOAT: ("real", "mysql.floating"),
    T.DOUBLE: ("double precision", "mysql.floating"),
    T.YEAR: ("smallint", "mysql.plain"),
    T.DATE: ("date", "mysql.plain"),
    T.NEWDATE: ("date", "mysql.plain"),
    T.TIME: ("interval", "mysql.plain"),
    T.TIMESTAMP: ("timestamp with time zone", "mysql.utc"),
    T.DATETIME: ("timestamp without time zone", "mysql.plain"),
    T.GEOMETRY: ("bytea", "mysql.geometry"),
    T.NULL: ("text", "mysql.plain"),
}
_TIMES = ("time", "interval")
_OWN = {"json": "jsonb", "uuid": "uuid", "inet4": "inet", "inet6": "inet"}


@dataclass(frozen=True)
class MysqlField:
    """A column of a result. text: the SQL for a value's text in COPY's text format."""

    column: Column
    text: str


def field_of(
    field: Described,
    own_type: str | None,
    target: str | None,
    quote: Callable[[str], str],
) -> MysqlField | None:
    """How a column travels; None when its type is not known here.

    own_type: `json`, `uuid`, `inet4`, `inet6` where MariaDB says so, which shows them as text.
    target: the type of the target's column, when there is one.
    """
    found = _form(field, own_type)
    if found is None:
        return None
    pg_type, form = found
    if form == "mysql.bits" and target is not None and is_number(target):
        form = "mysql.bits_number"
    value = quote(field.name)
    text = _text(form, value, field)
    declared = _declared_type(field, pg_type, target)
    exact = exactness(declared) if pg_type == "text" else None
    if exact is not None:
        text = fragment("mysql.if_exact", value=value, text=text, pattern=exact.pattern)
    return MysqlField(Column(field.name, declared), fragment("mysql.field", value=value, text=text))


def _form(field: Described, own_type: str | None) -> tuple[str, str] | None:
    """The PostgreSQL type, and the name of the SQL that writes a value."""
    code = field.code
    if code in _INTEGERS:
        return _INTEGERS[code][field.unsigned], "mysql.plain"
    if code in (T.DECIMAL, T.NEWDECIMAL):
        return _decimal(field), "mysql.plain"
    if code == T.BIT:
        return f"bit({field.length})", "mysql.bits"
    if code == T.JSON:
        return "jsonb", "mysql.converted"
    if code in _STRINGS:
        return _string_form(field, own_type)
    return _SIMPLE.get(code)


def _decimal(field: Described) -> str:
    """What a table's column was declared as. Of what is computed the server gives an estimate."""
    digits = field.length - (field.scale > 0) - (not field.unsigned)
    return f"numeric({digits},{field.scale})" if field.origin[1] else "numeric"


def _string_form(field: Described, own_type: str | None) -> tuple[str, str]:
    if field.charset == "binary":
        return "bytea", "mysql.bytes"
    pg_type = _OWN.get(own_type or "", "text")
    return pg_type, _TEXT_FORMS.get(field.charset, "mysql.other_charset")


def _text(form: str, value: str, field: Described) -> str:
    if form == "mysql.other_charset":
        utf8 = fragment("mysql.utf8", value=fragment("mysql.converted", value=value))
        return fragment("mysql.other_charset", value=value, utf8=utf8)
    if form == "mysql.converted":
        return fragment("mysql.utf8", value=fragment("mysql.converted", value=value))
    return fragment(form, value=value, length=str(field.length))


def _declared_type(field: Described, own: str, target: str | None) -> str:
    """See `declared_type`. COPY takes what is not a number as it is, or refuses it."""
    declared = declared_type(own, target, computed=not field.origin[1], scale=field.scale)
    if target is None or declared == target:
        return declared
    if is_number(own) and is_number(target):
        is_id = (own, target) == ("numeric(20,0)", "bigint")  # seldom above 2^63
        return target if is_id else own
    digits = size(target)
    if base(target).startswith(_TIMES) and digits is not None and digits[0] < field.scale:
        return own  # a time that would be rounded
    if own.startswith("timestamp") and base(target).startswith(("date", "time ")):
        return own  # and one of which a part would be lost
    return target
