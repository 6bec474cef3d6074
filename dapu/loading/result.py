"""What a load did, for the agenda and for the event."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadResult:
    """rows: read from the source. `notes`: what else a person may want to know."""

    rows: int
    notes: tuple[str, ...] = field(default=())
    changed: bool = True

    def __str__(self) -> str:
        return ", ".join([f"{self.rows:,} rows", *self.notes])
