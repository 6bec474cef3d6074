"""One answer to GetFeature, in a file: whether it is whole, and what it says of itself.

GDAL, which reads its features, stops in silence where a file does. So the file is looked at
first: its beginning, its end, and how many features are in it.
"""

from __future__ import annotations

import mmap
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dapu.errors import JobError
from dapu.wfs.service import local, raise_exception_report, srid_of

_HEAD, _TAIL = 1 << 14, 1 << 12  # bytes
_MOST_OF_A_REPORT = 1 << 20
_MEMBER = re.compile(rb"<(?:[\w.-]+:)?(?:member|featureMember)[\s>]")
_END = re.compile(rb"</(?:[\w.-]+:)?FeatureCollection\s*>\s*(?:<!--.*?-->\s*)*\Z", re.DOTALL)
_FAILED = re.compile(rb"<(?:[\w.-]+:)?(?:truncatedResponse|ExceptionReport|ServiceException)\b")
_SYSTEM = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)\s[^<>]*?srsName\s*=\s*[\"']([^\"']*)")
_ENVELOPES = (b"Envelope", b"Box", b"EnvelopeWithTimePeriod")
SPACE_MARK = "\ue000"  # a character of private use


@dataclass(frozen=True)
class Page:
    """An answer that is whole.

    number: which answer it is, from 1. features: how many are in it.
    matched: how many there are in all, where it says so.
    marked: spaces at the beginning of texts are marked, see `mark_spaces`.
    """

    path: Path
    number: int
    features: int
    matched: int | None
    marked: bool = False


def open_page(path: Path, number: int, element: str) -> Page:
    """Looks through an answer. element: the local name of a feature.

    Raises JobError when it is an error of the server, or not whole.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise JobError(f"page {number} is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            root = _root(data, number)
            if not _is_whole(data):
                raise JobError(f"page {number} breaks off: its end is missing; nothing was kept")
            if _FAILED.search(data[-_TAIL:]):
                raise JobError(f"page {number} ends with an error of the server: {_last(data)}")
            counted = _count(data, element)
    claimed = _number(root, "numberReturned") if root.get("numberReturned") else None
    if claimed is not None and claimed != counted:
        raise JobError(
            f"page {number} says that it has {claimed:,} features, and has {counted:,}; "
            "nothing was kept"
        )
    return Page(path, number, counted, _number(root, "numberMatched"))


def hits(path: Path) -> int | None:
    """What an answer to `resultType=hits` says of how many features there are."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        root = _root(data, 0)
    matched = _number(root, "numberMatched")
    return matched if matched is not None else _number(root, "numberOfFeatures")


def check_system(page: Page, srid: int, offered: tuple[int, ...]) -> None:
    """Raises JobError when coordinates are in another reference system than was asked for."""
    with (
        page.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        named = {(tag in _ENVELOPES, name) for tag, name in _SYSTEM.findall(data)}
    # A geometry says its own, or that of the envelope is meant.
    names = {name for is_box, name in named if not is_box} or {name for _, name in named}
    for name in names:
        if srid_of(name.decode()) != srid:
            raise JobError(
                f"srid: EPSG:{srid} was asked for, and page {page.number} is in {name.decode()}; "
                f"the layer offers {', '.join(map(str, offered)) or 'nothing else'}"
            )


def mark_spaces(page: Page, names: list[str]) -> Page:
    """The page with a mark before each text that begins with white space, if there is any.

    names: local names of the elements that hold texts. GDAL drops leading white space; with the
    mark, which is taken away afterwards, the texts arrive as they are.
    """
    elements = b"|".join(re.escape(name.encode()) for name in names)
    pattern = re.compile(
        rb"<(?:[\w.-]+:)?(?:" + elements + rb")(?:\s[^<>]*)?(?<!/)>(?=\s|<!\[CDATA\[\s)"
    )
    with (
        page.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if not names or pattern.search(data) is None:
            return page
        marked = page.path.with_suffix(".marked.gml")
        with marked.open("wb") as out:
            start = 0
            for match in pattern.finditer(data):
                out.write(data[start : match.end()])
                out.write(f"&#x{ord(SPACE_MARK):X};".encode())
                start = match.end()
            out.write(data[start:])
    return Page(marked, page.number, page.features, page.matched, marked=True)


def _root(data: mmap.mmap, number: int) -> ElementTree.Element:
    """The first element without what is in it.

    Raises JobError when it is no collection of features.
    """
    parser: Any = ElementTree.XMLPullParser(["start"])
    found: ElementTree.Element | None = None
    with suppress(ElementTree.ParseError):  # further on; the first element is there before
        parser.feed(data[:_HEAD])
    with suppress(ElementTree.ParseError):
        found = next((element for _, element in parser.read_events()), None)
    name = local(found.tag) if found is not None else ""
    if name.endswith("ExceptionReport"):
        with suppress(ElementTree.ParseError):
            raise_exception_report(ElementTree.fromstring(data[:_MOST_OF_A_REPORT]))
    if found is None or name != "FeatureCollection":
        start = " ".join(data[:200].decode(errors="replace").split())
        what = f"<{name}>" if name else "no XML"
        raise JobError(f"page {number} is {what}, not a collection of features: {start}")
    return found


def _is_whole(data: mmap.mmap) -> bool:
    """Whether it ends as it began."""
    if len(data) > _HEAD:
        return _END.search(data[-_TAIL:]) is not None
    try:
        ElementTree.fromstring(data[:])
    except ElementTree.ParseError:
        return False
    return True


def _number(root: ElementTree.Element, name: str) -> int | None:
    text = root.get(name, "")
    return int(text) if text.isdecimal() else None


def _count(data: mmap.mmap, element: str) -> int:
    """How many features there are: each is a member, or all are in one `featureMembers`."""
    members = sum(1 for _ in _MEMBER.finditer(data))
    if members:
        return members
    feature = rb"<(?:[\w.-]+:)?" + re.escape(element.encode()) + rb"\s[^<>]*?(?:\bid|\bfid)\s*="
    return sum(1 for _ in re.finditer(feature, data))


def _last(data: mmap.mmap) -> str:
    text = re.sub(rb"<[^>]*>?", b" ", data[-_TAIL:])
    return " ".join(text.decode(errors="replace").split())[-300:]
