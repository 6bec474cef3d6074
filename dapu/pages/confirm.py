"""The page that asks before something is done: what it will do, to how many, to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ConfirmPage:
    """What it shows.

    title: of the action. sentence: what it does. lines: some of what it is done to, each with what
    is to be known of it; of many, `count` says how many. fields: what the form sends back.
    asks: of what else the form asks: `length`, `note`, `full`; given: what stands there already.
    fault: why nothing was done.
    """

    action: str
    title: str
    sentence: str
    count: int
    what: str
    lines: Sequence[tuple[str, str]]
    fields: Sequence[tuple[str, str]]
    then: str
    asks: Sequence[str] = field(default=())
    given: Mapping[str, Any] = field(default_factory=dict)
    is_danger: bool = False
    fault: str | None = None
