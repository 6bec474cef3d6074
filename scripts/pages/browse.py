"""Makes a warehouse, serves it, and has a browser look at all of its pages."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import Warehouse, open_warehouse
from scripts.bench.pages import listening
from scripts.pages import warehouse as demo
from tests.services.npm import installed


def main() -> int:
    """The exit status is the browser's: 1 when something is not as it must be."""
    shots = Path(sys.argv[1] if len(sys.argv) > 1 else "build/pages").resolve()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("scripts/pages: Chromium is not installed (Debian's chromium)", file=sys.stderr)
        return 2
    shots.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="dapu-pages-"))
    try:
        demo.write(folder)
        for command in (["versioner"], ["registrar"], ["run", "*"], ["run", "*"]):
            dapu(folder, *command)
        warehouse = open_warehouse(folder)
        failed = _failed_job(warehouse)
        modules = installed(folder / "npm", "playwright-core", "axe-core")
        script = Path(__file__).with_name("browser.mjs")
        shutil.copy(script, folder / "npm")
        with listening(warehouse) as url:
            command = ["node", str(folder / "npm" / script.name), url, str(shots), chromium]
            done = subprocess.run([*command, str(failed), str(modules)], check=False)
        return done.returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def dapu(folder: Path, command: str, *more: str) -> None:
    """Runs a command; some jobs are meant to fail."""
    line = [sys.executable, "-m", "dapu", command, str(folder), *more]
    subprocess.run(line, check=False, capture_output=True)


def _failed_job(warehouse: Warehouse) -> int:
    registry = registry_of(warehouse)
    with warehouse.session("browse") as session, session.cursor() as cursor:
        rows = registry.rows(cursor, "page.jobs", tasks=None, statuses=["failed"], since=None,
                             before=None, most=1)  # fmt: skip
    return int(rows[0][0])


if __name__ == "__main__":
    sys.exit(main())
