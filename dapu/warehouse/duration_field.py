"""A length of time in a YAML file."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from dapu.durations import PATTERN, parse_duration, write_duration

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": PATTERN,
            "patternErrorMessage": "is not a length of time; write, for example, `4 hours`",
            "examples": ["4 hours", "5 minutes", "1 day 12 hours"],
        }
    ),
]
"""A pydantic field that reads a length of time as people write it."""
