"""Makes a warehouse, serves it, and has a browser look at all of its pages."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import Warehouse, open_warehouse
from scripts.pages import warehouse as demo
from scripts.pages.past import make_late, make_past
from tests.services.npm import installed

_RUN = ("erp.staging.[!s]*", "crm.*", "mart.mart.[!p]*", "web.staging.visit")
_RUNS_LONG = "erp.staging.shipment"


def main() -> int:
    """The exit status is the browser's: 1 when something is not as it must be."""
    shots, *parts = sys.argv[1:] or ["build/pages"]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("scripts/pages: Chromium is not installed (Debian's chromium)", file=sys.stderr)
        return 2
    Path(shots).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="dapu-pages-"))
    workers = []
    try:
        warehouse = _prepared(folder)
        workers = [
            _start(folder, "run", _RUNS_LONG),
            _start(folder, "worker", "--stay", "--processes", "2"),
        ]
        modules = installed(folder / "npm", "playwright-core", "axe-core")
        for script in Path(__file__).parent.glob("*.mjs"):
            shutil.copy(script, folder / "npm")
        given = {
            "shots": str(Path(shots).resolve()),
            "parts": parts or ["look", "act", "live"],
            "chromium": chromium,
            "modules": str(modules),
            "job": _job(
                warehouse, "erp.staging.refund", "failed"
            ),  # names a column that is not there
            # Their ids are shorter than the rest of the heading: axe-core looks at no other link.
            "short_jobs": {
                "failed": _job(warehouse, "erp.staging.rate", "failed"),
                "cancelled": _job(warehouse, "crm.staging.deal", "cancelled"),
            },
            "server": [sys.executable, "-m", "dapu", "server", str(folder), "--processes", "0"],
            "port": _free_port(),
            "password": demo.PASSWORD,
        }
        command = ["node", str(folder / "npm" / "browser.mjs"), json.dumps(given)]
        return subprocess.run(command, check=False).returncode
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(folder: Path) -> Warehouse:
    """A warehouse in which much has happened."""
    demo.write(folder)
    _dapu(folder, "versioner")
    _dapu(folder, "registrar")
    warehouse = open_warehouse(folder)
    make_past(warehouse)
    _dapu(folder, "run", *_RUN)
    demo.change_invoice(folder)
    _dapu(folder, "registrar")
    _dapu(folder, "run", "erp.staging.invoice", "erp.staging.refund")
    _dapu(folder, "pause", "--route", "crm")
    make_late(warehouse)
    return warehouse


def _dapu(folder: Path, command: str, *more: str) -> None:
    """Runs a command; some jobs are meant to fail."""
    line = [sys.executable, "-m", "dapu", command, str(folder), *more]
    subprocess.run(line, check=False, capture_output=True)


def _start(folder: Path, command: str, *more: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "dapu", command, str(folder), *more]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(line, stdout=quiet, stderr=quiet)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _job(warehouse: Warehouse, task: str, status: str) -> int:
    """The newest that ended so."""
    registry = registry_of(warehouse)
    with warehouse.session("browse") as session, session.cursor() as cursor:
        rows = registry.rows(cursor, "page.jobs", tasks=[task], before=None,
                             statuses=[status], since=None, most=1)  # fmt: skip
    return int(rows[0][0])


if __name__ == "__main__":
    sys.exit(main())
