"""The values of one column of a part become what the loader takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from dapu.rows.exactness import REMARK
from dapu.sources.files.part import Values
from dapu.sources.files.values.arrays import with_arrays
from dapu.sources.files.values.convert_cells import cells_to_text
from dapu.sources.files.values.convert_texts import TextColumn, TextStyle
from dapu.sources.files.values.kinds import Kind
from dapu.sources.files.values.lossy import Losses

Change = Callable[[str | None], str | None]


@dataclass
class Converter:
    """Turns the values of a part's column into what the loader takes.

    type: the column's. change: what is kept of a value, as a text; None keeps it.
    is_typed: the values are to stay as they are.
    """

    kind: Kind
    type: str
    style: TextStyle
    change: Change | None
    is_typed: bool

    def __post_init__(self) -> None:
        self._texts = TextColumn(self.kind, self.style)
        self._losses = Losses(self.kind, self.type, is_converted=not self.is_typed)

    def __call__(self, values: Values) -> pa.Array:
        """The values for the loader."""
        if self.change is None:
            return self._losses.marked(values if self.is_typed else self._converted(values))
        found = self._converted(values).to_pylist()
        texts = (None if one is None else str(one) for one in found)
        return pa.array([_changed(self.change, text) for text in texts], pa.string())

    def is_ready(self, values: Values | None) -> bool:
        """Whether texts are what the loader takes just as they are."""
        if self.change is not None or values is None or self.type.endswith("[]"):
            return False
        return self._texts.is_ready(values) and self._losses.marked(values) is values

    def _converted(self, values: Values) -> pa.Array:
        if self.type.endswith("[]"):
            values = with_arrays(values, self.type)
        if not isinstance(values, pa.Array):
            return cells_to_text(values, self.kind, self.style)
        return self._texts(values if values.type == pa.string() else values.cast(pa.string()))


def _changed(change: Change, text: str | None) -> str | None:
    """What is kept of a value. A remark on a cell stays one."""
    if text is not None and REMARK in text:
        return text.strip()
    return change(text)
