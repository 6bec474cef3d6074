"""The settings of `dapu execute`: from options, EXECUTESYNC_* in the environment, or `.env`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from dapu.errors import ConfigurationError
from dapu.secrets import is_secret_name, remember
from dapu.suggest import nearest
from dapu.warehouse.yamlfile import Strict

PREFIX = "EXECUTESYNC_"
TYPES = ("POSTGRES", "SQLITE", "SNOWFLAKE", "DATABRICKS", "MSSQL")
_QUIET = f"{PREFIX}QUIET"  # of older versions of the known client; now a level of the log
_OTHER_NAMES = {"GOSQLITE": "SQLITE", "POSTGRESQL": "POSTGRES", "SQLSERVER": "MSSQL"}
_KEYWORD_PASSWORD = re.compile(r"password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)

# One with a character that ends the part of a URL where the password should stand, if not written
# as %2F; messages about such a URL may have pieces of it.
_ODD_PASSWORD = re.compile(r"(?:\w+://)?[^:/@?#]*:(.*)@", re.DOTALL)
_ENDS_AUTHORITY = re.compile("[/?#]")
_SHOWS_LOGIN = "shows_login"  # the fault of a value that is not to be shown
_TRUE = ("1", "t", "true", "y", "yes", "on")
_REVEALS = 3  # characters; shorter pieces reveal nothing, and hiding them would spoil every text


class SyncSettings(Strict):
    """The settings. A field's title is its variable, less EXECUTESYNC_."""

    database_type: Literal["POSTGRES", "SQLITE", "SNOWFLAKE", "DATABRICKS", "MSSQL"] = Field(
        title="DATABASE_TYPE", description=f"The warehouse: {', '.join(TYPES)}"
    )
    database_dsn: SecretStr = Field(
        SecretStr(""), title="DATABASE_DSN", description="Where the warehouse is, and who logs in"
    )
    execute_url: str = Field(title="EXECUTE_URL", description="Address of the Execute server")
    execute_key_id: str = Field(title="EXECUTE_APIKEY_ID", description="Id of the API key")
    execute_key_secret: SecretStr = Field(
        title="EXECUTE_APIKEY_SECRET", description="Secret of the API key"
    )
    wait: int = Field(
        600, ge=0, title="WAIT", description="Seconds between the rounds of `sync`; 0: one round"
    )
    max_documents: int = Field(
        10_000, ge=1, title="MAX_DOCUMENTS", description="The most documents in one answer"
    )
    chunk_size: int = Field(
        10_000, ge=1, title="CHUNK_SIZE", description="The most items of a list in one row"
    )
    include_calcs: bool = Field(
        False, title="INCLUDE_CALCS", description="Read calculated fields too"
    )
    hide_inactive_fields: bool = Field(
        False, title="HIDE_INACTIVE_FIELDS", description="Views without fields out of use"
    )
    state_dir: Path = Field(
        Path(), title="STATE_DIR", description="Folder of the SQLite file, if no DSN names one"
    )
    log_level: Literal["quiet", "info", "debug"] = Field(
        "info", title="LOG_LEVEL", description="How much to log: quiet, info or debug"
    )
    log_file: Path | None = Field(
        None, title="LOG_FILE", description="File to which the log is written too"
    )
    force: bool = Field(False, title="FORCE", description="Read everything once again")

    @field_validator("database_type", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        name = str(value).upper()
        return _OTHER_NAMES.get(name, name)

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return str(value).lower()

    @field_validator("execute_url")
    @classmethod
    def _without_login(cls, value: str) -> str:
        """The address is shown and stored as it is, so that it can hold no password."""
        if "@" in value:
            raise PydanticCustomError(
                _SHOWS_LOGIN,
                "give the address without a user and password; the key that is used is "
                "EXECUTESYNC_EXECUTE_APIKEY_ID and EXECUTESYNC_EXECUTE_APIKEY_SECRET",
            )
        return value

    @property
    def dsn(self) -> str:
        """The DSN; the default of SQLite is a file in the state folder."""
        given = self.database_dsn.get_secret_value()
        if not given and self.database_type == "SQLITE":
            return str(self.state_dir / "execute.sqlite")
        return given


FIELDS = SyncSettings.model_fields
_BY_VARIABLE = {f"{PREFIX}{field.title}": name for name, field in FIELDS.items()}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{FIELDS[name].title}"


def read_settings(environment: Mapping[str, str], options: Mapping[str, Any]) -> SyncSettings:
    """The settings; an option goes before a variable.

    Raises ConfigurationError that names every setting that is missing or wrong.
    """
    values: dict[str, Any] = {
        name: environment[key] for key, name in _BY_VARIABLE.items() if environment.get(key)
    }
    if environment.get(_QUIET, "").lower() in _TRUE:
        values.setdefault("log_level", "quiet")
    values |= {name: value for name, value in options.items() if value is not None}
    _remember_secrets(values)
    try:
        settings = SyncSettings.model_validate(values)
    except ValidationError as error:
        faults = [_fault(str(detail["loc"][0]), detail) for detail in error.errors()]
        raise ConfigurationError("\n".join(faults)) from None
    if not settings.dsn:
        raise ConfigurationError(f"{variable('database_dsn')} (--database-dsn) is not given")
    return settings


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that looks like a setting and is not one."""
    return [
        f"{key} is not a setting{nearest(key, _BY_VARIABLE)}"
        for key in environment
        if key.startswith(PREFIX) and key not in _BY_VARIABLE and key != _QUIET
    ]


def _fault(name: str, detail: Any) -> str:
    what = f"{variable(name)} (--{name.replace('_', '-')})"
    if detail["type"] == "missing":
        return f"{what} is not given"
    said = detail["msg"][0].lower() + detail["msg"][1:]
    if detail["type"] == _SHOWS_LOGIN:
        return f"{what}: {said}"
    return f"{what}: {said}, not {str(detail['input'])!r}"


def _remember_secrets(values: Mapping[str, Any]) -> None:
    remember(str(values.get("execute_key_secret", "")))
    for secret in _secrets_of(str(values.get("database_dsn", ""))):
        remember(secret)
        remember(unquote(secret))


def _secrets_of(dsn: str) -> Iterator[str]:
    for found in _KEYWORD_PASSWORD.finditer(dsn):
        yield found[1].strip("'")
    try:
        parts = urlsplit(dsn if "://" in dsn else f"dsn://{dsn}")
    except ValueError:  # its host is not a host
        yield dsn
        return
    if parts.password:
        yield parts.password
    elif match := _ODD_PASSWORD.match(dsn):
        pieces = _ENDS_AUTHORITY.split(match[1])
        yield from (match[1], *(piece for piece in pieces if len(piece) >= _REVEALS))
    for part in parts.query.split("&"):
        key, _, value = part.partition("=")
        if is_secret_name(key):
            yield value
