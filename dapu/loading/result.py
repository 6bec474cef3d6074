"""What a load did, for the agenda and for the event."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dapu.text import counted


def left_out_note(count: int) -> list[str]:
    """A note on rows that gave way to a newer one with their key."""
    return [f"{count:,} left out, since another row has their key"] if count else []


@dataclass(frozen=True)
class LoadResult:
    """What a load did. An agent that loads nothing gives one too."""

    rows: int
    """Read from the source."""

    notes: tuple[str, ...] = ()
    """What else a person may want to know: `3 inserted`, `1 left out, since …`."""

    changed: bool = True
    """Whether the load changed the table."""

    data: dict[str, Any] = field(default_factory=dict)
    """Details for the event."""

    unit: str = "row"
    """What is counted: a `row`, or a `document`, a `file`, ..."""

    columns: tuple[str, ...] = ()
    """The columns of the rows."""

    kept: tuple[str, ...] = ()
    """Columns of the table that the rows do not have, and that it keeps."""

    deleted: int = 0
    """Rows that the source no longer has, and that were deleted or marked."""

    schema_changes: tuple[str, ...] = ()
    """How the table or its source changed: a column that came, went or has another type."""

    read_anew: bool = False
    """Whether all rows were read, those of earlier runs too. The job fills it in."""

    @classmethod
    def of_changes(
        cls,
        rows: int,
        *,
        inserted: int,
        updated: int,
        deleted: int | None = None,
        left_out: int = 0,
    ) -> LoadResult:
        """What a load did that wrote differences only.

        deleted: None where it deletes nothing. left_out: see `left_out_note`.
        """
        notes = [f"{inserted:,} inserted", f"{updated:,} updated"]
        if deleted is not None:
            notes.append(f"{deleted:,} deleted")
        notes.append(f"{max(rows - left_out - inserted - updated, 0):,} unchanged")
        notes += left_out_note(left_out)
        changed = bool(inserted or updated or deleted)
        return cls(rows, tuple(notes), changed=changed, deleted=deleted or 0)

    def also(self, notes: tuple[str, ...]) -> LoadResult:
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def __str__(self) -> str:
        return ", ".join([counted(self.rows, self.unit), *self.notes])
