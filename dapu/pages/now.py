"""`Now`: what runs, what waits and why, what is next, what ended."""

from __future__ import annotations

from dataclasses import dataclass

from dapu.pages.frame import Reading
from dapu.registry import control
from dapu.registry.activity import Activity, activity


@dataclass(frozen=True)
class NowPage:
    """What it shows. paused_by: who paused the warehouse; None when nobody did."""

    activity: Activity
    paused_by: str | None


def now_page(reading: Reading) -> NowPage:
    """Reads it."""
    cursor, registry = reading.cursor, reading.registry
    pause = control.paused(cursor, registry)
    return NowPage(activity(cursor, registry), str(pause.get("by")) if pause else None)
