"""The figures of docs/performance.md that other pages show too."""

from __future__ import annotations

import re

_SECTION = re.compile(r"<!-- load with peers: .*?<!-- end of load with peers -->", re.DOTALL)
_SOURCE = re.compile(r"^(?P<title>.+) to PostgreSQL\n(?P<rows>way .*(?:\n.+)*)", re.MULTILINE)
_WAYS = {
    "dapu": "dapu replace: `dapu run` as a whole",
    "ingestr": "ingestr",
    "sling": "sling",
    "dlt": "dlt",
    "dlt, not compressed": "dlt, its files not compressed",
}
HEADING = ("from", "raw pipe", *_WAYS)


def loading_figures(page: str) -> list[tuple[str, ...]]:
    """A row for each source that `./scripts/bench/run load --peers` read: seconds of each way.

    page: the text of docs/performance.md. The raw pipe is each table's first row.
    """
    section = _SECTION.search(page)
    found = []
    for source in _SOURCE.finditer(section[0] if section else ""):
        rows = [re.split(r" {2,}", line) for line in source["rows"].splitlines()[2:]]
        seconds = {cells[0]: float(cells[1]) for cells in rows}
        if _WAYS["dapu"] in seconds:
            ways = [next(iter(seconds)), *_WAYS.values()]
            shown = (f"{seconds[way]:.1f} s" if way in seconds else "" for way in ways)
            found.append((source["title"], *shown))
    return found
