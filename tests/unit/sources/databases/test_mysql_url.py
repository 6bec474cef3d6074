"""PyMySQL is given what SQLAlchemy would give it for the same URL."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from dapu.sources.databases.mysql.url import mysql_keywords
from dapu.warehouse.database_url import parse_database_url


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "db/erp",
        "me@[::1]/erp",
        "me:p%40ss@db:3307/erp?charset=latin1&read_timeout=5&local_infile=yes",
        "me@db/?unix_socket=/run/mysqld.sock&connect_timeout=3",
        "me@db/erp?ssl_ca=/etc/ca.pem&ssl_cert=c&ssl_key=k&ssl_check_hostname=false",
        "me@db/erp?ssl_check_hostname=1&init_command=set+names+utf8&client_flag=8",
    ],
)
def test_the_arguments_are_those_of_sqlalchemy(rest: str) -> None:
    text = f"mysql+pymysql://{rest}"
    url = make_url(text)
    _, expected = url.get_dialect()().create_connect_args(url)
    assert mysql_keywords(parse_database_url(text)) == expected


def test_tls_is_not_switched_off_by_false() -> None:
    url = parse_database_url("mysql://db/erp?ssl_disabled=false")
    assert mysql_keywords(url)["ssl_disabled"] is False


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("read_timeout=soon", "`read_timeout` in the url is a whole number, not `soon`"),
        ("local_infile=maybe", "`local_infile` in the url is `true` or `false`, not `maybe`"),
    ],
)
def test_a_value_of_a_wrong_kind_is_reported(option: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mysql_keywords(parse_database_url(f"mysql://db/erp?{option}"))
