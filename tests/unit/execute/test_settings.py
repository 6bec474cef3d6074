"""What `dapu execute` is told, and what it says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dapu.cli.execute import config, push, sync
from dapu.errors import ConfigurationError
from dapu.execute.postgres_target import as_libpq
from dapu.execute.settings import FIELDS, read_settings, unknown_variables
from dapu.secrets import redact

GIVEN = {
    "EXECUTESYNC_DATABASE_TYPE": "POSTGRES",
    "EXECUTESYNC_DATABASE_DSN": "postgresql://loader:pa55-word@host/db",
    "EXECUTESYNC_EXECUTE_URL": "https://execute.example.com",
    "EXECUTESYNC_EXECUTE_APIKEY_ID": "id",
    "EXECUTESYNC_EXECUTE_APIKEY_SECRET": "the-s3cret",
}


def test_defaults_are_those_of_the_known_client() -> None:
    settings = read_settings(GIVEN, {})
    assert (settings.wait, settings.max_documents, settings.chunk_size) == (600, 10_000, 10_000)
    assert (settings.include_calcs, settings.hide_inactive_fields, settings.force) == (False,) * 3
    assert (settings.state_dir, settings.log_level, settings.log_file) == (Path(), "info", None)


def test_an_option_goes_before_a_variable() -> None:
    given = GIVEN | {"EXECUTESYNC_WAIT": "42", "EXECUTESYNC_INCLUDE_CALCS": "true"}
    assert read_settings(given, {}).wait == 42
    settings = read_settings(given, {"wait": 7, "chunk_size": None})
    assert (settings.wait, settings.include_calcs) == (7, True)


@pytest.mark.parametrize(
    ("given", "kind"),
    [("postgres", "POSTGRES"), ("GOSQLITE", "SQLITE"), ("Snowflake", "SNOWFLAKE"),
     ("SQLSERVER", "MSSQL")],
)  # fmt: skip
def test_a_warehouse_may_have_other_names(given: str, kind: str) -> None:
    assert read_settings(GIVEN | {"EXECUTESYNC_DATABASE_TYPE": given}, {}).database_type == kind


def test_sqlite_needs_no_dsn() -> None:
    given = GIVEN | {"EXECUTESYNC_DATABASE_TYPE": "SQLITE", "EXECUTESYNC_DATABASE_DSN": ""}
    settings = read_settings(given | {"EXECUTESYNC_STATE_DIR": "/var/lib/execute"}, {})
    assert settings.dsn == "/var/lib/execute/execute.sqlite"


def test_all_that_is_missing_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings({}, {})
    assert str(raised.value).splitlines() == [
        "EXECUTESYNC_DATABASE_TYPE (--database-type) is not given",
        "EXECUTESYNC_EXECUTE_URL (--execute-url) is not given",
        "EXECUTESYNC_EXECUTE_APIKEY_ID (--execute-key-id) is not given",
        "EXECUTESYNC_EXECUTE_APIKEY_SECRET (--execute-key-secret) is not given",
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WAIT", "soon", "EXECUTESYNC_WAIT (--wait): input should be a valid integer"),
        ("MAX_DOCUMENTS", "0", "EXECUTESYNC_MAX_DOCUMENTS (--max-documents): input should be gr"),
        ("INCLUDE_CALCS", "maybe", "EXECUTESYNC_INCLUDE_CALCS (--include-calcs): input should"),
        ("DATABASE_TYPE", "ORACLE", "input should be 'POSTGRES', 'SQLITE', 'SNOWFLAKE', 'DATA"),
        ("LOG_LEVEL", "loud", "EXECUTESYNC_LOG_LEVEL (--log-level): input should be 'quiet', "),
        ("DATABASE_DSN", "", "EXECUTESYNC_DATABASE_DSN (--database-dsn) is not given"),
    ],
)
def test_what_is_wrong_is_reported(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(GIVEN | {f"EXECUTESYNC_{name}": value}, {})
    assert message in str(raised.value)


@pytest.mark.parametrize("login", ["me:pa55-word", "me:pa55/word", "pa55-word"])
def test_an_address_with_a_password_is_refused_and_not_shown(login: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(GIVEN | {"EXECUTESYNC_EXECUTE_URL": f"https://{login}@host"}, {})
    assert "EXECUTE_URL (--execute-url): give the address without a user" in str(raised.value)
    assert "pa55" not in str(raised.value)


def test_quiet_of_older_versions_is_a_level_of_the_log() -> None:
    given = GIVEN | {"EXECUTESYNC_QUIET": "true"}
    assert (read_settings(given, {}).log_level, unknown_variables(given)) == ("quiet", [])
    assert read_settings(given, {"log_level": "debug"}).log_level == "debug"
    assert read_settings(GIVEN | {"EXECUTESYNC_QUIET": "false"}, {}).log_level == "info"


def test_a_variable_that_is_not_a_setting_is_reported() -> None:
    found = unknown_variables(GIVEN | {"EXECUTESYNC_CHUNKSIZE": "1", "OTHER": "1"})
    assert found == [
        "EXECUTESYNC_CHUNKSIZE is not a setting; did you mean `EXECUTESYNC_CHUNK_SIZE`?"
    ]


@pytest.mark.parametrize(
    ("dsn", "secret"),
    [
        ("postgresql://loader:pa55-word@host/db", "pa55-word"),
        ("postgresql://loader:pa%40ss-w@host/db", "pa@ss-w"),
        ("host=h user=u password=pa55-word dbname=d", "pa55-word"),
        ("host=h password='pa55 word' dbname=d", "pa55 word"),
        ("postgresql://host/db?user=u&password=pa55-word", "pa55-word"),
        ("u@acct/d/s?warehouse=w&privateKey=MIIE+vQ-_", "MIIE+vQ-_"),
        ("u@acct/d/s?privateKey=MIIE/v%2BQ%3D&warehouse=w", "MIIE/v%2BQ%3D"),
        ("u@acct/d/s?privateKey=MIIE/v%2BQ%3D&warehouse=w", "MIIE/v+Q="),
        ("u:pa55-word@acct/d/s?warehouse=w", "pa55-word"),
        ("sqlserver://u:pa55-word@host?database=d", "pa55-word"),
        ("postgresql://u:pa55#word@host/d", "pa55#word"),
        ("postgresql://u:pa55/word@host/d", "pa55"),
    ],
)
def test_secrets_of_a_dsn_are_never_shown(dsn: str, secret: str) -> None:
    settings = read_settings(GIVEN | {"EXECUTESYNC_DATABASE_DSN": dsn}, {})
    assert secret not in redact(settings.dsn)
    assert secret not in redact(f"login failed: {secret}")
    assert "the-s3cret" not in redact("the-s3cret")
    assert secret not in repr(settings)


def test_every_setting_has_an_option() -> None:
    options = {option.name for command in (push, sync, config) for option in command.params}
    assert options == set(FIELDS)


@pytest.mark.parametrize(
    ("dsn", "libpq"),
    [
        ("host=h dbname=d", "host=h dbname=d"),
        ("postgres://h/d?sslmode=require", "postgres://h/d?sslmode=require"),
        (
            "postgresql://u:p@h/d?sslmode=require&search_path=execute",
            "postgresql://u:p@h/d?sslmode=require&options=-csearch_path%3Dexecute",
        ),
    ],
)
def test_a_dsn_of_another_driver_is_understood(dsn: str, libpq: str) -> None:
    assert as_libpq(dsn) == libpq


def test_values_are_of_the_right_type() -> None:
    settings: Any = read_settings(GIVEN | {"EXECUTESYNC_LOG_FILE": "x.log"}, {})
    assert isinstance(settings.log_file, Path)
