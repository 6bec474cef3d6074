"""Puts what a bench printed into docs/performance.md, with the date and the machine.

python -m scripts.bench.performance_page PAGE NAME OUTPUT COMMAND

The section of a bench stands between two comments; the rest of the page is left as it is.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path


def machine() -> str:
    """Cores, processor, memory and system, in a line."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{os.cpu_count()} cores of {_processor()}, {gigabytes:.0f} GB of memory, {system}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1] if found else platform.machine()


def _version() -> str:
    """The commit that was measured; `+` when files were changed since."""
    show = ["git", "describe", "--always", "--dirty=+"]
    done = subprocess.run(show, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def section(name: str, output: str, command: str) -> str:
    """A bench's section, between the comments that it is found by."""
    return (
        f"<!-- {name}: made by scripts/bench/run --save -->\n"
        f"`./scripts/bench/run {command.strip()}`, {datetime.now(UTC):%Y-%m-%d}, "
        f"commit {_version()}, {machine()}\n\n"
        f"```text\n{output.strip()}\n```\n"
        f"<!-- end of {name} -->"
    )


def put(page: str, name: str, text: str) -> str:
    """The page with the section in its place; at the end when it is new."""
    place = re.compile(f"<!-- {name}: .*?<!-- end of {name} -->", re.DOTALL)
    if place.search(page):
        return place.sub(lambda _: text, page)
    return f"{page.rstrip()}\n\n## {name}\n\n{text}\n"


def main() -> None:
    """See the module."""
    path, name, output, command = sys.argv[1:]
    page = Path(path)
    text = section(name, Path(output).read_text(encoding="utf-8"), command)
    page.write_text(put(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
