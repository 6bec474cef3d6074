"""What stands in warehouse.yaml: everything has a default, so that the file may be empty."""

from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from dapu.durations import Duration
from dapu.environment import fill_in
from dapu.yamlfile import Strict, parse_yaml, read_text, validate

FILE = "warehouse.yaml"
_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; write, for example, `Europe/Tallinn`"
        ) from None
    return name


def _identifier(name: str) -> str:
    if name and not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} must be lower-case letters, digits and underscores")
    return name


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
    hours = [int(part or 0) for part in match.groups()] if match else [99]
    if not match or hours[0] > 23 or hours[2] > 24 or max(hours[1], hours[3]) > 59:
        raise ValueError(f"{value!r} is no part of a day; write, for example, `8-18` or `22:30-6`")
    return {"start": time(hours[0], hours[1]), "end": time(hours[2] % 24, hours[3])}


Identifier = Annotated[str, AfterValidator(_identifier)]
DayPartText = Annotated[DayPart, BeforeValidator(_read_day_part)]

_DAY_PARTS = {
    "morning": DayPart(start=time(0), end=time(8)),
    "workhours": DayPart(start=time(8), end=time(18)),
    "evening": DayPart(start=time(18), end=time(0)),
}


class RegistrySettings(Strict):
    """Where the registry stands in the warehouse's database."""

    schema_name: Identifier = Field("meta", alias="schema", min_length=1, max_length=40)
    prefix: Identifier = Field("", max_length=20)


class WorkerSettings(Strict):
    """How long a worker takes new jobs, and in how many processes."""

    minutes: float = Field(27, gt=0)
    processes: int = Field(1, ge=1, le=64)


class KeepSettings(Strict):
    """How long the Cleaner keeps what has ended."""

    agenda: Duration = timedelta(days=60)
    events: Duration = timedelta(days=30)
    workers: Duration = timedelta(days=7)


class Settings(Strict):
    """warehouse.yaml."""

    name: str | None = None
    description: str | None = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    registry: RegistrySettings = RegistrySettings.model_validate({})
    day_parts: dict[str, DayPartText] = _DAY_PARTS
    defaults: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    worker: WorkerSettings = WorkerSettings.model_validate({})
    keep: KeepSettings = KeepSettings()
    agents: list[str] = []

    @property
    def zone(self) -> ZoneInfo:
        """The warehouse's time zone: of day parts, cron expressions and its database sessions."""
        return ZoneInfo(self.timezone)


def read_settings(folder: Path, environment: dict[str, str]) -> Settings:
    """Reads warehouse.yaml of a warehouse directory; `${NAME}` comes from the environment.

    Raises FaultyFile with every fault of the file.
    """
    path = folder / FILE
    text = read_text(path)
    values = fill_in(parse_yaml(path, text), environment, path, text)
    return validate(Settings, values, path, text)
