"""Which failures are tried again, by what each driver raises."""

from __future__ import annotations

import ssl
from typing import Any

import apsw
import psycopg2
import pymysql
import pytest
import requests
import sqlalchemy
from psycopg2 import errors

from dapu.errors import ConfigurationError, JobError, WrongBackfill
from dapu.worker.retries import can_be_mended


def _behind(cause: BaseException, *, hidden: bool = False) -> JobError:
    """As sources raise what a driver raised."""
    try:
        try:
            raise cause
        except BaseException as error:
            if hidden:
                raise JobError("the source refuses") from None
            raise JobError("the source refuses") from error
    except JobError as error:
        return error


def _server_says(state: str) -> psycopg2.Error:
    """An error with a SQLSTATE, as psycopg2 makes it."""
    error = errors.lookup(state)("said")
    error.__setstate__({"pgcode": state})  # type: ignore[no-untyped-call]
    return error


def _over_sqlalchemy(error: BaseException) -> sqlalchemy.exc.DBAPIError:
    return sqlalchemy.exc.ProgrammingError("select", None, error)


class _FromOdbc(Exception):
    __module__ = "pyodbc"


@pytest.mark.parametrize(
    "error",
    [
        WrongBackfill("--from is after --to"),
        ConfigurationError("needs its driver"),
        *map(_server_says, ("42601", "42703", "42883", "42804", "22021", "22P05", "0A000")),
        pymysql.err.ProgrammingError(1064, "You have an error in your SQL syntax"),
        pymysql.err.OperationalError(1054, "Unknown column"),
        _over_sqlalchemy(pymysql.err.OperationalError(1054, "Unknown column")),
        apsw.SQLError("no such column: x"),
        apsw.SQLError('near "form": syntax error'),
        _FromOdbc("42S22", "Invalid column name"),
        psycopg2.OperationalError("SSL error: certificate verify failed"),
        ssl.SSLCertVerificationError("certificate verify failed"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
    ids=repr,
)
def test_no_retry_mends_them(error: Any) -> None:
    assert not can_be_mended(error)
    assert not can_be_mended(_behind(error))
    assert not can_be_mended(_behind(error, hidden=True))


@pytest.mark.parametrize(
    "error",
    [
        JobError("the source is away"),
        *map(
            _server_says, ("42P01", "42501", "40001", "40P01", "53300", "57014", "22012", "23505")
        ),
        psycopg2.OperationalError("could not connect to server: Connection refused"),
        pymysql.err.OperationalError(1205, "Lock wait timeout exceeded"),
        pymysql.err.ProgrammingError(1146, "Table 'a.b' doesn't exist"),
        _over_sqlalchemy(pymysql.err.OperationalError(2013, "Lost connection")),
        apsw.BusyError("database is locked"),
        apsw.SQLError("no such table: x"),
        _FromOdbc("42S02", "Invalid object name"),
        _FromOdbc("08S01", "Communication link failure"),
        ssl.SSLEOFError("EOF occurred in violation of protocol"),
        requests.ConnectionError("refused"),
        UnicodeDecodeError("utf-8", b"\xc3", 0, 1, "unexpected end of data"),
        ZeroDivisionError("an agent's own"),
    ],
    ids=repr,
)
def test_a_retry_may_mend_them(error: Any) -> None:
    assert can_be_mended(error)
    assert can_be_mended(_behind(error))


def test_the_error_that_came_last_decides() -> None:
    """A statement was wrong, another was tried in its place, and the connection broke."""
    lost = psycopg2.OperationalError("server closed the connection unexpectedly")
    lost.__context__ = _server_says("42703")
    assert can_be_mended(_behind(lost))


def test_the_end_of_a_range_that_a_source_refuses_is_not_tried_again() -> None:
    error = _behind(_server_says("22007"))
    assert can_be_mended(error)
    assert not can_be_mended(error, is_backfill=True)
