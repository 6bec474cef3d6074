"""connections.yaml: named places, and every fault with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from dapu import secrets
from dapu.errors import ConfigurationError, FaultyFile
from dapu.warehouse.connection_kinds import PgConnection, UrlConnection
from dapu.warehouse.connections import Connections, read_connections

MAIN = "- name: main\n  driver: pg\n  database: dwh\n"


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_secrets", set())


def read(folder: Path, text: str, **environment: str) -> Connections:
    (folder / "connections.yaml").write_text(text)
    return read_connections(folder, environment)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(FaultyFile) as caught:
        read(folder, text)
    return str(caught.value).replace(f"{folder}/connections.yaml:", "").splitlines()


def test_a_server_is_given_to_libpq_as_it_was_written(tmp_path: Path) -> None:
    text = (
        MAIN
        + "  host: ${H}\n  port: ${P:-5433}\n  username: me\n  password: ${PWD}\n"
        + ("  extra: {application_name: mine, connect_timeout: 3}\n")
    )
    main = read(tmp_path, text, H="db", PWD="s e'c@r/e:t")["main"]
    assert isinstance(main, PgConnection)
    assert main.libpq() == {
        "host": "db", "port": 5433, "dbname": "dwh", "user": "me", "password": "s e'c@r/e:t",
        "application_name": "mine", "connect_timeout": 3,
    }  # fmt: skip
    assert str(main) == "me@db:5433/dwh"


def test_a_relative_sqlite_file_is_sought_in_the_warehouse_directory(tmp_path: Path) -> None:
    found = read(tmp_path, MAIN + "- {name: ops, url: 'sqlite:///data/ops.db'}")["ops"]
    assert isinstance(found, UrlConnection)
    assert found.sqlalchemy_url(tmp_path).database == f"{tmp_path}/data/ops.db"


@pytest.mark.parametrize(("text", "message"), [
    ("", "1: is not a list of connections (`- name: main` …)"),
    ("main: {driver: pg}", "1: is not a list of connections (`- name: main` …)"),
    ("- name: erp\n  url: sqlite://",
     "1: needs a connection `main` with `driver: pg` or `driver: embedded`"),
    ("- name: main\n  url: postgresql://h/d",
     "1: needs a connection `main` with `driver: pg` or `driver: embedded`"),
    (MAIN + "- name: erp\n  drivr: pg", "4: needs `driver:` or `url:`; known are:"),
    (MAIN + "- name: erp\n  driver: pgg", "5: unknown driver `pgg`; did you mean `pg`?"),
    ("- name: main\n  driver: pg\n  databse: x",
     "1: the key `database` is missing"),
    ("- name: main\n  driver: pg\n  databse: x",
     "3: unknown key `databse`; did you mean `database`?"),
    (MAIN + "  port: 70000", "4: port: must be 65535 or less, not 70000"),
    (MAIN + "  extra: password=marked", "4: extra: must be a mapping of keys to values, not text"),
    ("- {name: main, driver: pg, database: 'host=h password=marked'}",
     "1: database: is one word; give `host`, `username` and `password` as keys of their own"),
    (MAIN + MAIN, "4: connection `main` occurs twice"),
    (MAIN + "- name: erp\n  url: no url at all",
     "5: url: is not a database URL; write, for example, mysql+pymysql://user:pwd@host/name"),
    (MAIN + "- name: api\n  url: https://u:marked@host/v1",
     "5: url: is no database's; a web service has `driver: rest`"),
    (MAIN + "- driver: files\n  path: /x", "4: the key `name` is missing"),
    (MAIN + "- just text", "4: needs `driver:` or `url:`; known are:"),
])  # fmt: skip
def test_a_fault_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert any(one.startswith(message) for one in faults(tmp_path, text)), faults(tmp_path, text)


def test_the_faults_of_all_connections_are_reported_at_once(tmp_path: Path) -> None:
    text = "- name: main\n  driver: p\n- name: erp\n  driver: files\n  pth: x\n"
    assert [one.partition(":")[0] for one in faults(tmp_path, text)] == ["2", "3", "5"]


def test_an_unknown_name_is_reported_with_the_nearest_known_one(tmp_path: Path) -> None:
    connections = read(tmp_path, MAIN + "- {name: erp_sales, url: 'sqlite://'}")
    with pytest.raises(ConfigurationError) as caught:
        connections.named("erp_sale")
    assert str(caught.value) == (
        "there is no connection `erp_sale` in connections.yaml; did you mean `erp_sales`?"
    )


@pytest.mark.parametrize("line", [
    "password: marked", "url: 'mysql+pymysql://me:marked@h/d'", "url: 'marked'",
    "extra: {sslpassword: marked}", "extra: {nested: {api_token: marked}}",
    "url: 'mssql+pyodbc://h/d?odbc_password=marked'",
])  # fmt: skip
def test_every_secret_of_a_connection_is_remembered(tmp_path: Path, line: str) -> None:
    with contextlib.suppress(FaultyFile):
        read(tmp_path, f"{MAIN}- name: erp\n  {line}\n")
    assert secrets.redact("marked") == "***"


@pytest.mark.parametrize("value", ["12345", "[marked]", "{a: marked}"])
def test_a_password_of_the_wrong_type_is_not_shown(tmp_path: Path, value: str) -> None:
    message = " ".join(faults(tmp_path, MAIN + f"  password: {value}\n"))
    assert message.startswith("4: password: must be text")
    assert "marked" not in message
    assert "12345" not in message


@pytest.mark.parametrize("number", ["0123", "'12345'", "007"])
def test_a_password_of_digits_keeps_each_of_them(tmp_path: Path, number: str) -> None:
    main: Any = read(tmp_path, MAIN + f"  password: {number}\n")["main"]
    assert main.password.get_secret_value() == number.strip("'")


def test_neither_text_nor_repr_of_a_connection_shows_its_secrets(tmp_path: Path) -> None:
    text = MAIN + "  password: marked\n- {name: erp, url: 'mysql+pymysql://me:marked@h/d'}\n"
    for connection in read(tmp_path, text).values():
        assert "marked" not in f"{connection} {connection!r}"
