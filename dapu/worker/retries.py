"""Which failures a later try may mend.

An error of a database says by its code whether the same statement can ever succeed: a query with a
wrong word in it cannot, one that met a lock can. Where nothing says so, it is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dapu.errors import ConfigurationError, WrongBackfill

# https://www.postgresql.org/docs/current/errcodes-appendix.html, and ODBC's, which are alike. Of
# class 42 all but tables and what else may come or go, and rights that may be given.
_PERMANENT_STATES = re.compile(r"42|22021|22P05|0A000")
_PASSING_STATES = re.compile(r"42501|42P01|42S01|42S02|42P0[4-7]|4271[0-2]|42701|42723|42000")
# Of MySQL and MariaDB: syntax, column, ambiguous column, function, character set; and of SQL
# Server: syntax, function, column.
_PERMANENT_NUMBERS = {1064, 1054, 1052, 1305, 1115, 102, 156, 195, 207}
# Of drivers that have no codes: SQLite, Oracle, SQL Server, DuckDB; and of TLS.
_PERMANENT_TEXT = re.compile(
    r"syntax error|no such (column|function)|incomplete input|unrecognized token"
    r"|ORA-009(00|04|07|11|17|18|22|23|33|36)|invalid column name|incorrect syntax"
    r"|Parser Error|Binder Error|certificate verify failed|certificate file .* does not exist",
    re.IGNORECASE,
)
_DRIVERS = {"psycopg2", "sqlalchemy", "pymysql", "apsw", "sqlite3", "oracledb", "duckdb", "pyodbc",
            "pymssql", "_duckdb"}  # fmt: skip


def can_be_mended(error: BaseException, *, is_backfill: bool = False) -> bool:
    """Whether the same job may succeed later, with nobody changing its definition.

    is_backfill: whether it reads a range that an operator gave, whose ends a source may refuse.
    """
    import ssl  # takes longer than the other imports together

    for cause in _causes(error):
        if isinstance(cause, WrongBackfill | ConfigurationError | ssl.SSLCertVerificationError):
            return False
        if isinstance(cause, UnicodeDecodeError):
            return "unexpected end" in cause.reason  # a file that is still being written
        if type(cause).__module__.partition(".")[0] in _DRIVERS:
            return not _is_refused(cause, is_backfill)
    return True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it comes from, the last first. `from None` hides that from people only.

    An error that was raised again while it was handled may come from itself.
    """
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_refused(error: BaseException, is_backfill: bool) -> bool:
    """Whether a database says that the statement, or the way to it, is wrong."""
    error = getattr(error, "orig", None) or error  # SQLAlchemy's errors hold the driver's
    state = getattr(error, "pgcode", None)
    first = error.args[0] if error.args else None
    if state is None and isinstance(first, str) and re.fullmatch(r"\w{5}", first):
        state = first  # as ODBC has it
    if state is not None:
        if is_backfill and state.startswith("22"):  # a value that is none of its type
            return True
        return bool(_PERMANENT_STATES.match(state)) and not _PASSING_STATES.match(state)
    if isinstance(first, int):
        return first in _PERMANENT_NUMBERS
    return _PERMANENT_TEXT.search(str(error)) is not None
