"""A login by Azure AD. Microsoft's driver is not there: what it would be told is looked at."""

from __future__ import annotations

from typing import Any

import pyodbc
import pytest

from dapu.errors import ConfigurationError
from dapu.execute import mssql_login, mssql_odbc
from dapu.execute.client import ExecuteAnswer
from dapu.execute.documents import Incoming
from dapu.execute.mssql_target import MssqlTarget
from dapu.execute.target import MarkStep

PLACE = "Server={tcp:h,1433};Database={d}"
SECRET = "s3cr;et}"
LINE = (
    b'{"$TYPE":"AFE","DOCUMENT_ID":"1","$VERSION":1,"$DATE":"2024-01-01T00:00:00Z",'
    b'"$DELETED":false}\n'
)


def told(dsn: str) -> tuple[str, dict[int, bytes]]:
    keywords = mssql_login.read_dsn(dsn)
    return mssql_odbc.connection_string(keywords, keywords.pop("fedauth"))


@pytest.mark.parametrize(
    ("given", "login"),
    [
        ("fedauth=ActiveDirectoryMSI", "Authentication={ActiveDirectoryMsi}"),
        (
            "fedauth=ActiveDirectoryManagedIdentity;user id=i",
            "Authentication={ActiveDirectoryMsi};UID={i}",
        ),
        (
            "fedauth=ActiveDirectoryPassword;user id=a@b.c;password=p",
            "Authentication={ActiveDirectoryPassword};UID={a@b.c};PWD={p}",
        ),
        (
            f'fedauth=ActiveDirectoryApplication;user id=app@tenant;password="{SECRET}"',
            "Authentication={ActiveDirectoryServicePrincipal};UID={app};PWD={s3cr;et}}}",
        ),
        ("fedauth=ActiveDirectoryIntegrated", "Authentication={ActiveDirectoryIntegrated}"),
    ],
)
def test_each_login_is_one_of_the_driver(given: str, login: str) -> None:
    assert told(f"server=h;database=d;{given}") == (f"{PLACE};{login}", {})


def test_a_token_is_set_before_connecting() -> None:
    text, before = told(
        "server=h;database=d;fedauth=ActiveDirectoryServicePrincipalAccessToken;password=ey"
    )
    assert text == PLACE
    assert before == {1256: b"\4\0\0\0e\0y\0"}


def test_what_else_the_dsn_says_is_passed_on() -> None:
    text, _ = told(
        r"server=h\x;database=d;encrypt=true;app name=a;applicationintent=readonly;"
        "fedauth=ActiveDirectoryMSI"
    )
    assert text.startswith(
        r"Server={tcp:h\x};Database={d};Encrypt={yes};APP={a};ApplicationIntent={ReadOnly};"
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("fedauth=ActiveDirectoryDeviceCode", "`fedauth=ActiveDirectoryDeviceCode`"),
        ("fedauth=ActiveDirectoryPassword;user id=u", "a user id and a password"),
        ("fedauth=ActiveDirectoryServicePrincipalAccessToken", "the token, is missing"),
        ("fedauth=ActiveDirectoryMSI", "msodbcsql18"),
    ],
)
def test_a_login_that_cannot_be_is_told(
    given: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyodbc, "drivers", lambda: ["SQLite3"])
    with pytest.raises(ConfigurationError) as raised:
        MssqlTarget(f"server=h;database=d;{given}")
    assert named in str(raised.value)


class Server:
    """Keeps what it is told, in place of a connection by the driver."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.rowcount = 1
        self.timeout = 0

    def connect(self, text: str, **_: Any) -> Server:
        self.told.append((text,))
        return self

    def cursor(self) -> Server:
        return self

    def execute(self, text: str, *values: Any) -> None:
        assert text.count("?") == len(values)
        self.told.append((text, *values))

    def fetchone(self) -> tuple[Any, ...]:
        return (None,)

    def commit(self) -> None:
        self.told.append(("commit",))

    def rollback(self) -> None:
        self.told.append(("rollback",))

    def close(self) -> None:
        self.told.append(("close",))


def test_a_batch_goes_through_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(pyodbc, "drivers", lambda: [
        "ODBC Driver 9 for SQL Server", "ODBC Driver 18 for SQL Server"])  # fmt: skip
    monkeypatch.setattr(pyodbc, "connect", server.connect)
    target = MssqlTarget("server=h;database=d;connection timeout=7;fedauth=ActiveDirectoryMSI")
    assert server.told[0][0].startswith("Driver={ODBC Driver 18 for SQL Server};Server=")
    assert server.timeout == 7
    answer = ExecuteAnswer("x", "m", truncated=False, blocks=iter(()), stop=lambda: None)
    target.load(answer, Incoming(iter([LINE]), "x", 10), MarkStep("http://e", None, "m"))
    inserted = next(said for said in server.told if "into EXECUTE_DOCUMENTS" in said[0])
    assert "(?, ?, ?, ?, ?, ?, ?, ?, ?)" in inserted[0]
    assert inserted[2:5] == ("AFE", "1", 1)
    assert server.told[-2][1:] == ("m", "http://e")
    assert server.told[-1] == ("commit",)
    assert target.prune() == 1
