"""The task `shop.staging.sale`, for tests of what is read of a source and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dapu.worker.job import Outcome
from tests.conftest import MakeWarehouse
from tests.support.rounds import run_task

TASK = "shop.staging.sale"


FILES = {
    "routes/shop/route.yaml": "",
    "routes/shop/staging/sale/extract.sql": "select id, at, amount from shop.sale",
}


def make(make_warehouse: MakeWarehouse, load: str, query: str | None = None) -> Path:
    task = f"actions:\n  - do: database\n    query: extract.sql\n    {load}\n"
    files = {**FILES, "routes/shop/staging/sale/task.yaml": task}
    if query is not None:
        files["routes/shop/staging/sale/extract.sql"] = query
    return make_warehouse(files)


def run(folder: Path, **options: Any) -> Outcome:
    outcome = run_task(folder, TASK, **options)
    assert outcome.status == "done", outcome.message
    return outcome
