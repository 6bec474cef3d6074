"""All features of a layer, and the proof that they are all.

The server is asked for features until as many have come as it says that there are. Answers that
repeat, overlap, or are too few are errors: a table is never short, and never has a feature twice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dapu.errors import AnswerBrokenOff, JobError, ReaderGone
from dapu.sources.documents.bounds import Body
from dapu.sources.wfs.gml_checks import Checks
from dapu.sources.wfs.gml_stream import Cutter, Piece, number_in, read_root
from dapu.sources.wfs.service import Service
from dapu.text import counted

PageSize = Annotated[int, Field(ge=1)] | Literal["all"]

_AHEAD = 3  # pieces that wait to be read
_LOOKS_EVERY = 0.2  # seconds, whether anybody still reads


@dataclass(frozen=True)
class Question:
    """Which features of a layer are wanted.

    parameters: of GetFeature, beside those that say which page.
    page_size: features to ask for at once; None asks for all, and goes on where the server gave
    less; `all` takes the first answer for all.
    """

    parameters: dict[str, str]
    page_size: PageSize | None


class Features:
    """The answer to one question.

    folder: where pieces of answers are kept until they are read.
    """

    def __init__(self, service: Service, question: Question, checks: Checks, folder: Path) -> None:
        self._service, self._question = service, question
        self._checks, self._folder = checks, folder
        self._version = service.capabilities.version
        self._pieces: queue.Queue[Piece | BaseException | None] = queue.Queue(_AHEAD)
        self._nobody_reads = threading.Event()
        self._expected: int | None = None
        self._has_counted = False

    def pieces(self) -> Iterator[Piece]:
        """The features, piece by piece; others come while one is read. Its file is then deleted.

        Raises JobError when an answer is not whole, or answers do not add up.
        """
        asking = threading.Thread(target=self._ask_for_all, name="dapu-wfs", daemon=True)
        asking.start()
        try:
            while (piece := self._pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
                piece.path.unlink(missing_ok=True)
        finally:
            self._nobody_reads.set()
            if asking.is_alive():
                self._service.stop()
            asking.join()

    def _ask_for_all(self) -> None:
        with suppress(ReaderGone):
            try:
                self._ask_until_all_came()
                self._put(None)
            except BaseException as error:  # noqa: BLE001 - raised again where pieces are read
                self._put(error)

    def _ask_until_all_came(self) -> None:
        page, arrived, is_more = 0, 0, True
        while is_more:
            page += 1
            came, is_whole = self._ask(page, arrived)
            arrived += came
            is_more = self._is_more(came, arrived) or not is_whole
        if self._expected is not None and arrived != self._expected:
            raise JobError(
                f"the server has {counted(self._expected, 'feature')} and gave {arrived:,}: "
                f"{self._advice()}; nothing was kept"
            )

    def _ask(self, page: int, start: int) -> tuple[int, bool]:
        """Asks once; returns how many features came, and whether the answer came to its end.

        One that broke off goes on behind its last feature.
        """
        cutter = Cutter(self._folder, page, self._checks.prepare, self._put)
        try:
            self._service.features({**self._question.parameters, **self._bounds(start)}, cutter)
        except AnswerBrokenOff:
            return cutter.features, False
        cutter.finish()
        if not self._has_counted:
            self._has_counted = True
            self._expected = self._count() if cutter.matched is None else cutter.matched
        elif self._expected is not None and cutter.matched not in (None, self._expected):
            # One that was deleted may have moved others from one page to the page before.
            raise JobError(
                f"the layer changed while it was read: it had "
                f"{counted(self._expected, 'feature')}, and at page {page} "
                f"{cutter.matched:,}; nothing was kept"
            )
        return cutter.features, True

    def _bounds(self, start: int) -> dict[str, str]:
        """The parameters that say which page."""
        size = self._question.page_size
        bounds = {}
        if isinstance(size, int):
            key = "count" if self._version.startswith("2") else "maxfeatures"
            left = size if self._expected is None else min(size, self._expected - start)
            bounds[key] = str(left)
        return bounds | ({"startindex": str(start)} if start else {})

    def _is_more(self, came: int, arrived: int) -> bool:
        if came == 0 or self._question.page_size == "all":
            return False
        return self._expected is None or arrived < self._expected

    def _advice(self) -> str:
        if self._question.page_size == "all":
            return "without `page_size: all` it is asked for the others too"
        return "it does not page as it should"

    def _count(self) -> int | None:
        """Asks how many features there are; None where the server does not say."""
        if self._version.startswith("1.0"):
            return None  # it has no way to ask
        body = Body("the answer to `resulttype=hits`")
        self._service.features({**self._question.parameters, "resulttype": "hits"}, body)
        root = read_root(body.getvalue(), "the answer to `resulttype=hits`")
        matched = number_in(root, "numberMatched")
        return matched if matched is not None else number_in(root, "numberOfFeatures")

    def _put(self, piece: Piece | BaseException | None) -> None:
        while not self._nobody_reads.is_set():
            with suppress(queue.Full):
                self._pieces.put(piece, timeout=_LOOKS_EVERY)
                return
        raise ReaderGone
