"""The DSN forms of the Go drivers that the known client uses, each with what it means here."""

from __future__ import annotations

from typing import Any

import pytest

from dapu.errors import ConfigurationError
from dapu.execute import mssql_login
from dapu.warehouse import snowflake_login

HOST = {"server": "h", "port": "1433", "database": "d", "user": "u", "password": "p"}
SECRET = "s3cret-in-it"


@pytest.mark.parametrize(
    ("dsn", "differs"),
    [
        ("server=h;user id=u;password=p;database=d", {}),
        (" Server = h ; User ID = u ; Password = p ; Database = d ; ", {}),
        ("data source=h;uid=u;pwd=p;initial catalog=d", {}),
        ("addr=h,1444;user=u;password=p;database=d", {"port": "1444"}),
        ("server=tcp:h,1444;uid=u;pwd=p;database=d", {"port": "1444"}),
        (r"server=h\x;uid=u;pwd=p;database=d", {"server": r"h\x"}),
        ("server=h;uid=u;pwd=p;database=d;port=7", {"port": "7"}),
        ('server=h;uid=u;pwd="a;b""c";database=d', {"password": 'a;b"c'}),
        ("server=h;uid=u;pwd=a=b;database=d", {"password": "a=b"}),
        ("odbc:server=h;uid=u;pwd={a;b}}c{ };database=d", {"password": "a;b}c{ "}),
        ("odbc:server=h;uid=u;pwd=a{b;database=d", {"password": "a{b"}),
        ("odbc:server=h;uid=u;pwd=a}b;database=d", {"password": "a}b"}),
        ("sqlserver://u:p@h?database=d&app+name=x", {"appname": "x"}),
        ("server=h;uid=u;pwd=p;database=d;application name=x", {"appname": "x"}),
        ("sqlserver://u:p@h?database=d&connection+timeout=30", {"timeout": 30}),
        ("server=h;uid=u;pwd=p;database=d;dial timeout=5", {"login_timeout": 5}),
        ("server=h;uid=u;pwd=p;database=d;ApplicationIntent=ReadOnly", {"read_only": True}),
        ("sqlserver://u:p@h?database=d&keepAlive=30&log=3&packet+size=4096", {}),
        ("sqlserver://u:p@h/SQLExpress?database=d", {"server": r"h\SQLExpress"}),
    ],
)
def test_a_dsn_of_sql_server(dsn: str, differs: dict[str, Any]) -> None:
    assert mssql_login.read_dsn(dsn) == HOST | differs


def test_the_operating_system_logs_in_to_sql_server() -> None:
    found = mssql_login.read_dsn("server=h;database=d;integrated security=SSPI")
    assert found == {"server": "h", "port": "1433", "database": "d"}


@pytest.mark.parametrize(
    ("dsn", "named"),
    [
        (f"server=h;uid=u;pwd={SECRET}", "database"),
        (f"uid=u;pwd={SECRET};database=d", "cannot be read"),
        (f"{SECRET}", "cannot be read"),
        (f"server=h;uid=u;pwd={SECRET};database=d;dial timeout=soon", "`dial timeout=soon`"),
        (f"server=h;uid=u;pwd={SECRET};datbase=d", "did you mean `database`"),
    ],
)
def test_a_dsn_of_sql_server_that_is_none(dsn: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        mssql_login.read_dsn(dsn)
    assert named in str(raised.value)
    assert SECRET not in str(raised.value)


USER = {"user": "u", "password": "p"}
PLACE = {"account": "a", "database": "d", "schema": "s"}


@pytest.mark.parametrize(
    ("dsn", "keywords"),
    [
        ("u:p@a/d/s", USER | PLACE),
        ("snowflake://u:p@a/d/s", USER | PLACE),
        ("u:p@a/d?warehouse=w", USER | {"account": "a", "database": "d", "warehouse": "w"}),
        ("u:p@a?database=d&schema=s", USER | PLACE),
        ("u:p@a.eu-west-1/d/s", USER | PLACE | {"account": "a.eu-west-1"}),
        ("u:p@a/d/s?region=eu-west-1", USER | PLACE | {"account": "a.eu-west-1"}),
        ("u:p@a.snowflakecomputing.com/d/s", USER | PLACE),
        ("u:p@h:8443/d/s?account=a", USER | PLACE | {"host": "h", "port": 8443}),
        (
            "h.snowflakecomputing.com:443/d/s?account=a&authenticator=oauth&token=t",
            PLACE
            | {
                "host": "h.snowflakecomputing.com",
                "port": 443,
                "authenticator": "oauth",
                "token": "t",
            },
        ),
        ("@a/d/s?authenticator=oauth&token=%2B", PLACE | {"authenticator": "oauth", "token": "+"}),
        ("u:p@a/d/s?loginTimeout=9&requestTimeout=8", USER | PLACE | {
            "login_timeout": 9, "network_timeout": 8}),
        ("u:p@a/d/s?validateDefaultParameters=false", USER | PLACE | {
            "validate_default_parameters": False}),
        ("u:p@a/d/s?QUERY_TAG=x%20y&TIMEZONE=UTC", USER | PLACE | {
            "session_parameters": {"QUERY_TAG": "x y", "TIMEZONE": "UTC"}}),
    ],
)  # fmt: skip
def test_a_dsn_of_snowflake(dsn: str, keywords: dict[str, Any]) -> None:
    assert snowflake_login.read_dsn(dsn) == keywords


@pytest.mark.parametrize(
    ("dsn", "named"),
    [
        ("a/d/s", "cannot be read"),
        (f"u:{SECRET}@a", "cannot be read"),
        (f"u:{SECRET}@a/d/s/more", "cannot be read"),
        (f"u:{SECRET}@h:port/d/s?account=a", "cannot be read"),
        (f"u:{SECRET}@a/d/s?warehose=w", "did you mean `warehouse`"),
        (f"u:{SECRET}@a/d/s?loginTimeout=soon", "whole seconds"),
        (f"u:{SECRET}@a/d/s?ocspFailOpen=maybe", "true or false"),
    ],
)
def test_a_dsn_of_snowflake_that_is_none(dsn: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        snowflake_login.read_dsn(dsn)
    assert named in str(raised.value)
    assert SECRET not in str(raised.value)
