"""Definitions as people write them: most of what `task.yaml` takes, put together by chance.

Each is right by itself, so that what is changed in it is what is refused.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

Dice = random.Random

_RUNS = (
    "run: {pause: 4 hours, when: [morning, evening], priority: 3, retries: 3, timeout: 2 hours}",
    'run: {cron: "15 6 * * 1-5"}',
    "run:\n  cron: '*/20 * * * *'\n  retry_wait: 30 seconds",
    "run: {pause: 0, retries: 0}",
)
_HEADS = (
    "description: &d Invoices\nvariables: {a: &a {b: 1}, c: *a, d: *d}",
    "description: >\n  Invoices, as\n  the ERP has them\nstatus: active",
    "variables: {years: [2023, 2024], who: &w {a: 1}, again: *w}",
    "tags: [daily, finance]",
)
_LOADS = (
    "load: replace",
    "load: replace\n    rejects: {at_most: 5 %}\n    on_bad_value: reject",
    "load: append\n    on_bad_value: null",
    "load: merge\n    key: [invoice_id]",
    "load: snapshot\n    key: [invoice_id]",
    "load: history\n    key: [invoice_id]",
    "load: period\n    period: {column: month, by: month}",
    "load: replace\n    schema_change: {added: add, removed: keep, retyped: widen}",
)
_LOADS_OF_DATABASES = (
    "load: append\n    watermark: {column: modified_at}",
    "load: merge\n    key: [invoice_id]\n    watermark: {column: modified_at, overlap: 5 minutes}",
    "load: merge\n    key: [invoice_id]\n    deletes: {every: 1 day}",
)
_DATABASES = (
    "do: database\n    query: extract.sql",
    "do: database\n    query: extract.sql\n    connection: erp",
)
_OTHERS = (
    'do: excel\n    workbook: "reports/*.xlsx"\n    sheet: Costs\n    header: [1, 2]\n'
    "    columns:\n      Account: account\n      Amount: {name: amount, type: decimal}",
    'do: file\n    file: "in/*.csv"\n    constant: {source: staff, year: 2026}\n    columns:\n'
    '      "1": {name: one, type: date, format: ["%d.%m.%y"]}',
    "do: file\n    file: in.csv.gz\n    delimiter: ;\n    encoding: utf-8\n    header: 1",
    "do: file\n    file: in.xml\n    records: row",
    "do: rest\n    path: /invoices\n    records: items\n"
    "    pages: {by: offset, size: 100, size_parameter: limit}",
    "do: rest\n    path: /invoices\n    pages: none\n    parameters: {from: '2024-01-01'}",
    "do: transform\n    query: extract.sql",
)
_LATER = (
    "do: sql\n    file: [extract.sql]",
    'do: export\n    query: extract.sql\n    file: "out/{{ today }}.xlsx"',
    "do: export\n    query: extract.sql\n    file: out.csv\n    connection: erp",
)
_CHECKS = (
    "unique: [invoice_id]",
    "not_null: [amount, invoice_id]\n    where: amount > 0",
    "accepted_values: {kind: [a, b]}\n    severity: warn",
    "row_count: {at_least: 1}",
    "expression: amount >= 0",
    "fresh_within: {modified_at: 2 days}",
    "sql: extract.sql",
)


def definition(dice: Dice) -> bytes:
    """The text of a task.yaml."""
    source = dice.choice(_DATABASES), dice.choice(_LOADS + _LOADS_OF_DATABASES)
    if dice.random() < 0.6:
        source = dice.choice(_OTHERS), dice.choice(_LOADS)
    parts = [
        *_some(dice, _HEADS, most=1),
        *_some(dice, _RUNS, most=1),
        *(["depends: [erp.staging.customer]"] if dice.random() < 0.2 else []),
        "actions:",
        *(f"  - {action}" for action in ["\n    ".join(source), *_some(dice, _LATER, most=2)]),
    ]
    checks = _some(dice, _CHECKS, most=3)
    if checks:
        parts += ["checks:", *(f"  - {check}" for check in checks)]
    return ("\n".join(parts) + "\n").encode()


def _some(dice: Dice, texts: Sequence[str], most: int) -> list[str]:
    return dice.sample(texts, dice.randrange(most + 1))
