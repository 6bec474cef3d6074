"""URLs of databases mean to dapu what they mean to SQLAlchemy, which it need not import."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dapu.warehouse.database_url import DatabaseUrl, parse_database_url


def as_sqlalchemy_does(text: str) -> DatabaseUrl | None:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return None
    options = [
        (key, value)
        for key, values in url.query.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return DatabaseUrl(
        url.drivername, url.username, url.password, url.host, url.port, url.database,
        tuple(sorted(options)),
    )  # fmt: skip


def as_dapu_does(text: str) -> DatabaseUrl | None:
    try:
        url = parse_database_url(text)
    except ValueError:
        return None
    return replace(url, options=tuple(sorted(url.options)))


@pytest.mark.parametrize(
    "text",
    [
        "sqlite://",
        "sqlite:///data/ops.db",
        "sqlite:////srv/a@b.db",
        "sqlite:///data/100%25.db",
        "mysql+pymysql://me:p%40ss%2F@db:3306/erp?charset=utf8mb4&ssl_ca=a+b",
        "postgresql://me:a/b:c?d@db/erp",
        "postgresql://me@[::1]:5433/erp",
        "postgresql://:p@db",
        "mssql+pyodbc://?odbc_connect=Driver%3Dx",
        "oracle://me:p@db:1521/?service_name=s",
        "mysql://db:port/erp",
        "mysql://db:/erp",
        "mysql://@/erp",
        "mysql:/db",
        "no url at all",
        "",
    ],
)
def test_urls_of_every_kind(text: str) -> None:
    assert as_dapu_does(text) == as_sqlalchemy_does(text)


@given(st.text(alphabet="ab1:@/?=&%+.", max_size=20))
def test_any_text_after_the_driver(rest: str) -> None:
    text = f"mysql://{rest}"
    assert as_dapu_does(text) == as_sqlalchemy_does(text)
