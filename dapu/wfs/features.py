"""All features of a layer, page by page, and the proof that they are all.

The server is asked first how many there are. Pages that repeat, overlap, or are too few are
errors: a table is never short, and never has a feature twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field

from dapu.errors import JobError
from dapu.wfs.gml import ID
from dapu.wfs.page import Page, hits, open_page
from dapu.wfs.service import Service

PageSize = Annotated[int, Field(ge=1)] | Literal["all"]


@dataclass(frozen=True)
class Question:
    """Which features of a layer are wanted.

    element: the local name of a feature.
    parameters: of GetFeature, beside those that say which page.
    page_size: features to ask for at once; the server may give less.
    """

    element: str
    parameters: dict[str, str]
    page_size: PageSize


class Features:
    """The answer to one question.

    expected: how many features there are; None where the server does not say.
    folder: where pages are kept while they are read.
    """

    def __init__(self, service: Service, question: Question, folder: Path) -> None:
        self._service, self._question, self._folder = service, question, folder
        self._version = service.capabilities.version
        self.expected = self._count()

    def pages(self) -> Iterator[Page]:
        """The pages; the next comes while one is read. A page's file is gone after it.

        Raises JobError when a page is not whole, or pages do not add up.
        """
        with ThreadPoolExecutor(1, "dapu-wfs") as aside:
            try:
                yield from self._pages(aside)
            except GeneratorExit:
                self._service.stop()
                raise

    def _pages(self, aside: ThreadPoolExecutor) -> Iterator[Page]:
        number, arrived = 1, 0
        coming: Future[Page] | None = None
        if self.expected != 0:
            coming = aside.submit(self._fetch, number, arrived)
        while coming is not None:
            page = coming.result()
            self._check_unchanged(page)
            number, arrived, coming = number + 1, arrived + page.features, None
            if self._is_more(page, arrived):
                coming = aside.submit(self._fetch, number, arrived)
            yield page
            page.path.unlink(missing_ok=True)
        self._check_all(arrived)

    def _count(self) -> int | None:
        if self._version.startswith("1.0"):
            return None  # it has no way to ask
        path = self._folder / "hits.xml"
        self._ask({"resulttype": "hits"}, path)
        return hits(path)

    def _fetch(self, number: int, start: int) -> Page:
        parameters = {}
        size = self._question.page_size
        if size != "all":
            key = "count" if self._version.startswith("2") else "maxfeatures"
            left = size if self.expected is None else min(size, self.expected - start)
            parameters[key] = str(left)
        if start:
            parameters["startindex"] = str(start)
        path = self._folder / f"{number}.gml"
        self._ask(parameters, path)
        return open_page(path, number, self._question.element)

    def _ask(self, parameters: dict[str, str], path: Path) -> None:
        with path.open("w+b") as file:
            self._service.features({**self._question.parameters, **parameters}, file)

    def _is_more(self, page: Page, arrived: int) -> bool:
        if page.features == 0 or self._question.page_size == "all":
            return False
        return self.expected is None or arrived < self.expected

    def _check_unchanged(self, page: Page) -> None:
        """A layer that changes between two pages may have moved features from one to the other."""
        if self.expected is not None and page.matched not in (None, self.expected):
            raise JobError(
                f"the layer changed while it was read: it had {self.expected:,} features, and at "
                f"page {page.number} {page.matched:,}; nothing was kept"
            )

    def _check_all(self, arrived: int) -> None:
        if self.expected is None or arrived == self.expected:
            return
        advice = (
            "give a `page_size`, so that it is asked in pages"
            if self._question.page_size == "all"
            else "it does not page as it should"
        )
        raise JobError(
            f"the server has {self.expected:,} features and gave {arrived:,}: {advice}; "
            "nothing was kept"
        )


class Account:
    """Knows of each feature that it came; a feature that comes again is an error."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}
        self._digest = 0
        self._features: list[Any] = []

    def see(self, batch: pa.RecordBatch) -> None:
        """Takes features into account."""
        import numpy as np

        columns = [column.to_pylist() for column in batch.columns]
        ids = columns[batch.schema.names.index(ID)]
        others = [column for column in columns if column is not ids]
        rows = [hash(tuple(map(_hashable, row))) for row in zip(*others, strict=True)]
        self._digest = hash((self._digest, *rows))
        if None not in ids:
            pairs = map(hash, zip(ids, rows, strict=True))
            self._features.append(np.fromiter(pairs, np.int64, len(ids)))

    def end_page(self, page: Page) -> None:
        """Called when all features of a page were seen.

        Raises JobError when the page is the same as another: the server does not page.
        """
        if page.features == 0:
            return
        before = self._pages.setdefault(self._digest, page.number)
        self._digest = 0
        if before != page.number:
            raise JobError(
                f"page {page.number} has the same features as page {before}: the server ignores "
                "`startindex`. With `page_size: all` it is asked for everything at once; "
                "nothing was kept"
            )

    def end(self) -> None:
        """Called when all pages were seen.

        Raises JobError when features came twice: others then did not come at all.
        """
        import numpy as np

        if not self._features:
            return
        features = np.concatenate(self._features)  # eight bytes each, however many there are
        twice = len(features) - len(np.unique(features))
        if twice:
            raise JobError(
                f"{twice:,} features came twice: the server's pages overlap. Say with `sort_by` "
                "by which property they are to be ordered; nothing was kept"
            )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
