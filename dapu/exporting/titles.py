"""Names of sheets, as Excel takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dapu.exporting.workbook_cells import length

LONGEST_TITLE = 31  # UTF-16 units

_NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


def title_faults(titles: Iterable[str]) -> Iterator[str]:
    """What is wrong with the names of a workbook's sheets. Excel sees no difference in case."""
    known = set[str]()
    for title in titles:
        if fault := _title_fault(title):
            yield fault
        if title.casefold() in known:
            yield f"two sheets are called {title!r}; Excel sees no difference between a and A"
        known.add(title.casefold())


def _title_fault(title: str) -> str | None:
    """What is wrong with the name of a sheet, or None."""
    if not title.strip():
        return "the name of a sheet is empty"
    if length(title) > LONGEST_TITLE:
        return f"the sheet {title!r} has a name of {length(title)} characters; Excel takes 31"
    if found := _NOT_IN_TITLES.search(title):
        return f"the sheet {title!r} has a {found[0]!r} in its name, which Excel does not take"
    if title.startswith("'") or title.endswith("'"):
        return f"the sheet {title!r} must not begin or end with an apostrophe"
    return "Excel keeps the name History for itself" if title.lower() == "history" else None
