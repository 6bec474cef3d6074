"""What stands in warehouse.yaml: everything has a default, so that the file may be empty."""

from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from dapu.errors import FaultyFile
from dapu.secrets import is_secret_name, remember
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.environment import fill_in
from dapu.warehouse.login_settings import ServerSection
from dapu.warehouse.yamlfile import Document, Strict, read_document, validate

FILE = "warehouse.yaml"
_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a time zone; write, for example, `Europe/Tallinn`"
        ) from None
    return name


def _identifier(name: str) -> str:
    if name and not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} must be lower-case letters, digits and underscores")
    return name


def _gelf_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("udp", "tcp") or not parts.hostname:
        raise ValueError(f"{url!r} is not `udp://host:12201` or `tcp://host:12201`")
    return url


class DayPart(Strict):
    """A part of the day, from a time until another; over midnight when it ends before it starts."""

    start: time
    end: time

    def holds(self, at: time) -> bool:
        """Whether a time of day lies in the part (the start belongs to it, the end does not)."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def _read_day_part(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _HOURS.fullmatch(value.strip())
    if match:
        hour, minute, end_hour, end_minute = (int(part or 0) for part in match.groups())
        if (end_hour, end_minute) == (24, 0):
            end_hour = 0
        if max(hour, end_hour) < 24 and max(minute, end_minute) < 60:
            return {"start": time(hour, minute), "end": time(end_hour, end_minute)}
    raise ValueError(f"{value!r} is not a part of a day; write, for example, `8-18` or `22:30-6`")


Identifier = Annotated[str, AfterValidator(_identifier)]
DayPartText = Annotated[
    DayPart,
    BeforeValidator(_read_day_part),
    WithJsonSchema({"type": "string", "examples": ["8-18", "22:30-6"]}),
]

_DAY_PARTS = {
    "morning": DayPart(start=time(0), end=time(8)),
    "workhours": DayPart(start=time(8), end=time(18)),
    "evening": DayPart(start=time(18), end=time(0)),
}


class RegistrySettings(Strict):
    """Where the registry stands in the warehouse's database."""

    schema_name: Identifier = Field(
        "meta",
        alias="schema",
        min_length=1,
        max_length=40,
        description="The schema of the registry's tables",
    )
    prefix: Identifier = Field(
        "", max_length=20, description="Put before the name of each of the registry's tables"
    )


class WorkerSettings(Strict):
    """How long a worker takes new jobs, and in how many processes."""

    minutes: float = Field(27, gt=0, description="A worker takes no new job after so many minutes")
    processes: int = Field(1, ge=1, le=64, description="How many workers `dapu worker` starts")


class KeepSettings(Strict):
    """How long the Cleaner keeps what has ended."""

    agenda: Duration = Field(timedelta(days=60), description="Jobs that ended")
    events: Duration = Field(timedelta(days=30), description="What happened during jobs")
    workers: Duration = Field(timedelta(days=7), description="Worker processes that ended")


class LogSettings(Strict):
    """Where the log of components goes, beside what is printed."""

    format: Literal["text", "json"] | None = Field(
        None, description="The log goes to standard error like this, and the file too"
    )
    level: Literal["info", "warning", "error"] = Field("info", description="And above")
    file: Path | None = Field(None, description="The log goes to this file too, which is rotated")
    rotate_at: int = Field(10, ge=1, description="Megabytes of the file")
    keep: int = Field(5, ge=0, le=100, description="How many older files are kept")
    gelf: Annotated[str, AfterValidator(_gelf_url)] | None = Field(
        None, description="The log goes to Graylog too: `udp://host:12201`, `tcp://host:12201`"
    )


class OpenLineageSettings(Strict):
    """Where events of OpenLineage go."""

    url: str = Field(description="Of the server, as `https://marquez.example`")
    endpoint: str = Field("api/v1/lineage", description="The path there")
    api_key: SecretStr | None = Field(
        None, description="A bearer token, from the environment: `${NAME}`"
    )
    namespace: str | None = Field(
        None, description="Of the jobs; default the name of the warehouse"
    )


NoticeKind = Literal[
    "failed",
    "failed again",
    "recovered",
    "late",
    "schema changed",
    "rows rejected",
    "row count unusual",
]


class Recipient(Strict):
    """Whom to tell what."""

    name: str = Field(min_length=1, description="What it is called here, in the registry and logs")
    url: SecretStr | None = Field(
        None, description="An apprise URL (extra `notify`); from the environment: `${NAME}`"
    )
    command: list[str] | None = Field(
        None, min_length=1, description="A program, which gets the notices as JSON; or a `url`"
    )
    on: list[NoticeKind] = Field(
        ["failed", "recovered"], min_length=1, description="Of what it is told"
    )
    tasks: list[str] = Field([], description="Patterns and selectors of tasks; default all")

    @model_validator(mode="after")
    def _one_way(self) -> Recipient:
        if (self.url is None) == (self.command is None):
            raise ValueError("give either `url` or `command`")
        return self


class Settings(Strict):
    """warehouse.yaml."""

    name: str | None = Field(
        None, description="What the warehouse is called; default the folder's name"
    )
    description: str | None = Field(None, description="What it is for, for people")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC",
        description="Of day parts, cron expressions, time stamps in the output, and the database "
        "sessions of jobs",
    )
    registry: RegistrySettings = Field(
        RegistrySettings.model_validate({}), description="Where dapu keeps its own tables"
    )
    day_parts: dict[str, DayPartText] = Field(
        _DAY_PARTS,
        description="Names for parts of the day, for `run.when`; one that ends before it starts "
        "goes over midnight",
    )
    defaults: dict[str, Any] = Field(
        {}, description="Keys of task.yaml, for all tasks that do not say otherwise"
    )
    variables: dict[str, Any] = Field({}, description="Names for the SQL files of all tasks")
    worker: WorkerSettings = Field(
        WorkerSettings.model_validate({}), description="What `dapu worker` does without options"
    )
    keep: KeepSettings = Field(KeepSettings(), description="How long the Cleaner keeps history")
    agents: list[str] = Field(
        [], description="Agents of your own, as `package.module:Class` of an installed package"
    )

    hash_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Secret for `hash` columns, from the environment: `${NAME}`",
    )

    logs: LogSettings = Field(
        LogSettings.model_validate({}), description="Where the log of components goes"
    )
    metrics_file: Path | None = Field(
        None,
        description="The Manager and the worker write figures for Prometheus' node exporter: a "
        "path that ends in `.prom` (extra `metrics`)",
    )
    openlineage: OpenLineageSettings | None = Field(
        None, description="Where each job's events of OpenLineage go (extra `openlineage`)"
    )
    server: ServerSection = Field(
        ServerSection.model_validate({}), description="Who may use the pages of `dapu server`"
    )
    notify: list[Recipient] = Field([], description="Whom to tell when something went wrong")

    @field_validator("notify")
    @classmethod
    def _named_once(cls, recipients: list[Recipient]) -> list[Recipient]:
        names = [recipient.name for recipient in recipients]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"has two recipients that are called {name!r}")
        return recipients

    @property
    def zone(self) -> ZoneInfo:
        """The warehouse's time zone: of day parts, cron expressions and its database sessions."""
        return ZoneInfo(self.timezone)


def read_settings(folder: Path, environment: dict[str, str]) -> Settings:
    """Reads warehouse.yaml of a warehouse directory; `${NAME}` comes from the environment.

    Raises FaultyFile with every fault of the file.
    """
    document = read_document(folder / FILE)
    written = document.parse()
    values = fill_in(written, environment, document)
    if isinstance(values, dict):
        _refuse_secret_variables(written.get("variables"), document.below("variables"))
        remember(str(values.get("hash_key") or ""))
        _remember_urls(values.get("notify"))
        _remember_logins(values.get("server"))
        openlineage = values.get("openlineage")
        if isinstance(openlineage, dict):
            remember(str(openlineage.get("api_key") or ""))
    return validate(Settings, values, [document])


def _remember_urls(recipients: Any) -> None:
    for recipient in recipients if isinstance(recipients, list) else ():
        if isinstance(recipient, dict):
            remember(str(recipient.get("url") or ""))


def _remember_logins(server: Any) -> None:
    if not isinstance(server, dict):
        return
    for login in server.get("logins") or ():
        remember(str(login.get("password") or "") if isinstance(login, dict) else "")
    oidc = server.get("oidc")
    remember(str(oidc.get("client_secret") or "") if isinstance(oidc, dict) else "")


def _refuse_secret_variables(variables: Any, document: Document) -> None:
    """Variables are stored with the tasks and shown in messages, so none may be a secret."""
    if not isinstance(variables, dict):
        return
    faults = [
        document.fault(
            f"variables.{name}: a secret cannot be a variable, which is stored and shown; "
            "give it to a connection in connections.yaml",
            name,
        )
        for name, value in variables.items()
        if any(map(is_secret_name, re.findall(r"\$\{(\w+)", str(value))))
        or re.search(r"\$\{(file|cmd):(?!-)", str(value))
        or ("${" in str(value) and is_secret_name(str(name)))
    ]
    if faults:
        raise FaultyFile(faults)
