"""What a load did, for the agenda and for the event."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class LoadResult:
    """rows: read from the source. notes, data: what else a person may want to know.

    unit: what is counted, where it is not rows.
    """

    rows: int
    notes: tuple[str, ...] = ()
    changed: bool = True
    data: dict[str, Any] = field(default_factory=dict)
    unit: str = "rows"

    @classmethod
    def of_changes(
        cls, rows: int, *, inserted: int, updated: int, deleted: int | None = None
    ) -> LoadResult:
        """What a load did that wrote differences only. deleted: None where it deletes nothing."""
        notes = [f"{inserted:,} inserted", f"{updated:,} updated"]
        if deleted is not None:
            notes.append(f"{deleted:,} deleted")
        notes.append(f"{max(rows - inserted - updated, 0):,} unchanged")
        return cls(rows, tuple(notes), changed=bool(inserted or updated or deleted))

    def also(self, notes: tuple[str, ...]) -> LoadResult:
        """The same with more to tell."""
        return replace(self, notes=(*self.notes, *notes))

    def __str__(self) -> str:
        return ", ".join([f"{self.rows:,} {self.unit}", *self.notes])
