"""The answer to GetFeature, cut into pieces while it comes.

GDAL reads files, and stops in silence where a file does. So an answer is cut behind features into
files that are whole, each with the answer's own beginning and end; the server still writes while
the first are read. That the answer itself is whole is known at its end: how it ends, and how many
features it said that it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from dapu.errors import AnswerBrokenOff, JobError
from dapu.sources.documents.bounds import check_length
from dapu.sources.wfs.service import local, raise_exception_report
from dapu.text import counted

_PIECE = 8 << 20  # bytes, of which a piece has a little more
_MOST_BEFORE_A_FEATURE = 1 << 20
_MEMBER = re.compile(rb"<((?:[\w.-]+:)?(?:member|featureMember))[\s>]")
_MEMBERS = re.compile(rb"<(?:[\w.-]+:)?featureMembers\s*>\s*<([\w.:-]+)[\s>]")
_END = re.compile(rb"</(?:[\w.-]+:)?FeatureCollection\s*>\s*(?:<!--.*?-->\s*)*\Z", re.DOTALL)
_FAILED = re.compile(rb"<(?:[\w.-]+:)?(?:truncatedResponse|ExceptionReport|ServiceException)\b")
_ROOT = re.compile(rb"<((?:[\w.-]+:)?FeatureCollection)\b")


@dataclass(frozen=True)
class Piece:
    """Some features of an answer, as a file of GML.

    page: which answer it is of, from 1. first: which feature of the answer is its first, from 1.
    marked: spaces at the beginning of texts are marked, see `dapu.sources.wfs.gml_checks`.
    """

    path: Path
    page: int
    first: int
    features: int
    marked: bool


class Cutter:
    """Takes an answer as an HTTP session writes it, and hands on its pieces.

    prepare: takes the answer's beginning, its features, and how many bytes of them are to become
    a file; gives others to write in their place, in which spaces are marked, or None.
    hand_on: takes a piece; may wait.
    features: how many were handed on. matched: how many the server has, where it says so.
    Every method raises JobError when the answer is not what it should be.
    """

    def __init__(
        self,
        folder: Path,
        page: int,
        prepare: Callable[[bytes, bytearray, int], bytes | None],
        hand_on: Callable[[Piece], None],
    ) -> None:
        self._folder, self._page = folder, page
        self._prepare, self._hand_on = prepare, hand_on
        self.features = 0
        self.matched: int | None = None
        self._claimed: int | None = None
        self._pieces = 0
        self._start_over()

    def seek(self, _: int) -> None:
        """Part of a file: the session begins to write, perhaps not for the first time."""
        if self.features:
            raise AnswerBrokenOff
        self._start_over()

    def truncate(self) -> None:
        """Part of a file."""

    def write(self, data: bytes) -> None:
        """Takes the next bytes."""
        self._waiting += data
        if self._end_tag is None:
            self._look_for_feature()
        if self._end_tag is not None and len(self._waiting) >= _PIECE:
            self._cut()
            check_length(len(self._waiting), f"page {self._page}: feature {self.features + 1:,}")

    def finish(self) -> None:
        """Called when all bytes were written."""
        if self._end_tag is None:
            self._finish_without_features()
            return
        cut = self._waiting.rfind(self._end_tag) + len(self._end_tag)
        rest = bytes(self._waiting[cut:]) if cut >= len(self._end_tag) else bytes(self._waiting)
        self._check_end(rest)
        self._cut()
        if self._claimed is not None and self._claimed != self.features:
            raise JobError(
                f"page {self._page} says that it has {counted(self._claimed, 'feature')}, and has "
                f"{self.features:,}; nothing was kept"
            )

    def _start_over(self) -> None:
        self._waiting = bytearray()
        self._head, self._foot = b"", b""
        self._end_tag: bytes | None = None
        self._looked_through = 0  # bytes without an end of a feature

    def _look_for_feature(self) -> None:
        several = _MEMBERS.search(self._waiting)
        member = several or _MEMBER.search(self._waiting)
        if member is None:
            if len(self._waiting) > _MOST_BEFORE_A_FEATURE:
                self._read_root()
                raise JobError(f"page {self._page} has no feature in its first megabyte")
            return
        self._read_root()
        self._end_tag = b"</" + member[1] + b">"
        start = member.start(1) - 1
        self._head = bytes(self._waiting[:start])
        del self._waiting[:start]
        root = _ROOT.search(self._head)
        assert root is not None
        opened = re.search(rb"<((?:[\w.-]+:)?featureMembers)", self._head) if several else None
        self._foot = (b"</" + opened[1] + b">" if opened else b"") + b"</" + root[1] + b">"

    def _read_root(self) -> None:
        root = read_root(bytes(self._waiting), f"page {self._page}")
        self.matched = number_in(root, "numberMatched")
        self._claimed = number_in(root, "numberReturned")

    def _cut(self) -> None:
        """Hands on all features that have come whole."""
        assert self._end_tag is not None
        end = self._waiting.rfind(self._end_tag, self._looked_through)
        if end < 0:
            self._looked_through = max(len(self._waiting) - len(self._end_tag), 0)
            return
        end += len(self._end_tag)
        self._looked_through = 0
        marked = self._prepare(self._head, self._waiting, end)
        self._pieces += 1
        path = self._folder / f"{self._page}-{self._pieces}.gml"
        with path.open("wb") as file, memoryview(self._waiting)[:end] as body:
            file.writelines((self._head, body if marked is None else marked, self._foot))
        count = self._waiting.count(self._end_tag, 0, end)
        del self._waiting[:end]
        piece = Piece(path, self._page, self.features + 1, count, marked is not None)
        self.features += count
        self._hand_on(piece)

    def _finish_without_features(self) -> None:
        if not self._waiting:
            raise JobError(f"page {self._page} is empty")
        self._read_root()
        try:
            ElementTree.fromstring(bytes(self._waiting))
        except ElementTree.ParseError:
            raise self._broken_off() from None
        self._check_failure(bytes(self._waiting))
        if self._claimed:
            raise JobError(
                f"page {self._page} says that it has {counted(self._claimed, 'feature')}, and has "
                "none; nothing was kept"
            )

    def _check_end(self, rest: bytes) -> None:
        """rest: what stands behind the last feature."""
        if _END.search(rest) is None:
            raise self._broken_off()
        self._check_failure(rest)

    def _check_failure(self, rest: bytes) -> None:
        if _FAILED.search(rest):
            said = " ".join(re.sub(rb"<[^>]*>", b" ", rest).decode(errors="replace").split())
            raise JobError(f"page {self._page} ends with an error of the server: {said[:300]}")

    def _broken_off(self) -> JobError:
        return JobError(f"page {self._page} breaks off: its end is missing; nothing was kept")


def read_root(data: bytes, what: str) -> Element:
    """The first element of an answer, without what is in it. what: the answer's name.

    Raises JobError when it is not a collection of features.
    """
    parser: Any = ElementTree.XMLPullParser(["start"])
    found: Element | None = None
    with suppress(ElementTree.ParseError):  # further on; the first element is there before
        parser.feed(data)
    with suppress(ElementTree.ParseError):
        found = next((element for _, element in parser.read_events()), None)
    name = local(found.tag) if found is not None else ""
    if name.endswith("ExceptionReport"):
        with suppress(ElementTree.ParseError):
            raise_exception_report(ElementTree.fromstring(data))
    if found is None or name != "FeatureCollection":
        start = " ".join(data[:200].decode(errors="replace").split())
        raise JobError(
            f"{what} is {f'<{name}>' if name else 'not XML'}, not a collection of features: {start}"
        )
    return found


def number_in(root: Element, name: str) -> int | None:
    """A number that the first element says; None where it says none, or `unknown`."""
    text = root.get(name, "")
    return int(text) if text.isdecimal() else None
