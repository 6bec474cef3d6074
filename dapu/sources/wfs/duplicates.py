"""Which features have come: one that comes again is an error, since others then may not come."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dapu.errors import JobError
from dapu.sources.wfs.gml import ID
from dapu.text import counted


class Account:
    """Knows of each feature that it came, by eight bytes a feature."""

    def __init__(self) -> None:
        self._page, self._digest = 0, 0
        self._pages: dict[int, int] = {}
        self._features: list[Any] = []

    def see(self, page: int, batch: pa.RecordBatch) -> None:
        """Takes features of a page into account.

        Raises JobError when the page before was the same as another: the server does not page.
        """
        import numpy as np

        if page != self._page:
            self._end_page()
            self._page = page
        columns = [column.to_pylist() for column in batch.columns]
        ids = columns.pop(batch.schema.names.index(ID))
        rows = [hash(tuple(map(_hashable, row))) for row in zip(*columns, strict=True)]
        self._digest = hash((self._digest, *rows))
        if None not in ids:
            pairs = map(hash, zip(ids, rows, strict=True))
            self._features.append(np.fromiter(pairs, np.int64, len(ids)))

    def end(self) -> None:
        """Called when all features were seen. Raises JobError when some came twice."""
        import numpy as np

        self._end_page()
        if not self._features:
            return
        features = np.concatenate(self._features)
        twice = len(features) - len(np.unique(features))
        if twice:
            raise JobError(
                f"{counted(twice, 'feature')} came twice: the server's pages overlap. Say with "
                "`sort_by` by which property they are to be ordered; nothing was kept"
            )

    def _end_page(self) -> None:
        if self._page == 0:
            return
        before = self._pages.setdefault(self._digest, self._page)
        self._digest = 0
        if before != self._page:
            raise JobError(
                f"page {self._page} has the same features as page {before}: the server ignores "
                "`startindex`. `page_size: all` takes its first answer for all; nothing was kept"
            )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
