"""A small warehouse with something of everything: done, failed, waiting, hostile texts."""

from __future__ import annotations

import json
from pathlib import Path

_SOURCES = {
    "customer": "select g as customer_id, 'Customer ' || g as name,\n"
    "    (array['DE', 'FR', 'PL'])[1 + g % 3] as country\nfrom generate_series(1, 2400) g",
    "invoice": "select g as invoice_id, 1 + g % 2400 as customer_id,\n"
    "    (g * 13 % 9973) / 100.0 as amount, date '2024-01-01' + g % 320 as issued_on\n"
    "from generate_series(1, 48000) g",
    "payment": "select g as payment_id, g as invoice_id, (g * 7 % 9973) / 100.0 as paid,\n"
    "    date '2024-01-05' + g % 320 as paid_on\nfrom generate_series(1, 39000) g",
    "rate": "select code, 1 / (number - 2) as rate\n"
    "from (values ('EUR', 1), ('USD', 2)) as codes (code, number)",
}
HOSTILE = "<script>document.title = 'hurt'</script> Figures for the board & \"others\""
_MARTS = {
    "revenue": ("Revenue by month and country", "[erp.staging.invoice, erp.staging.customer]",
        "select date_trunc('month', i.issued_on)::date as month, c.country,\n"
        "    sum(i.amount) as revenue, count(*) as invoices\nfrom staging.invoice i\n"
        "join staging.customer c on c.customer_id = i.customer_id\ngroup by 1, 2"),
    "open_items": ("What is not paid yet", "[erp.staging.invoice, erp.staging.payment]",
        "select i.invoice_id, i.amount - coalesce(p.paid, 0) as open\nfrom staging.invoice i\n"
        "left join staging.payment p on p.invoice_id = i.invoice_id"),
    "revenue_eur": ("Revenue in euros", "[mart.mart.revenue, erp.staging.rate]",
        "select r.month, r.country, r.revenue * x.rate as revenue_eur\nfrom mart.revenue r\n"
        "join staging.rate x on x.code = 'EUR'"),
    "board": (HOSTILE, "[mart.mart.revenue, mart.mart.open_items]",
        "select month, sum(revenue) as revenue\nfrom mart.revenue\ngroup by month"),
}  # fmt: skip


def write(folder: Path) -> None:
    """Writes its files."""
    files = {
        "warehouse.yaml": "name: finances\ntimezone: Europe/Berlin\n",
        "connections.yaml": "- {name: main, driver: embedded, path: postgres}\n",
        "routes/erp/route.yaml": "connection: main\ndefaults: {run: {retries: 0}}\n",
        "routes/mart/route.yaml": "connection: main\n",
    }
    for name, query in _SOURCES.items():
        text = f"description: Each {name} as the ERP has it\ntags: [daily]\n"
        checks = "checks:\n  - row_count: {at_least: 1}\n"
        files |= _task(f"erp/staging/{name}", text, query, checks)
    for name, (about, depends, query) in _MARTS.items():
        files |= _task(
            f"mart/mart/{name}", f"description: {json.dumps(about)}\ndepends: {depends}\n", query
        )
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


def _task(place: str, head: str, query: str, checks: str = "") -> dict[str, str]:
    actions = "actions:\n  - do: transform\n    query: query.sql\n"
    return {
        f"routes/{place}/task.yaml": head + actions + checks,
        f"routes/{place}/query.sql": query + "\n",
    }
