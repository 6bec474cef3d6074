"""A warehouse with something of everything: done, failed, late, faulty, paused, hostile texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from dapu.server.access.passwords import hashed
from scripts.bench.lineage_project import write_tasks

HOSTILE = "<script>document.title = 'hurt'</script> Figures for the board & \"others\""
PASSWORD = "correct horse battery"
_MODELS = 120  # tasks that only lineage shows
_TRANSFORM = "actions:\n  - do: transform\n    query: query.sql\n"
_APPEND = (
    "actions:\n  - do: database\n    query: query.sql\n    load: append\n"
    "    watermark: {column: invoice_id}\n"
)
_REJECT = "actions:\n  - do: database\n    query: query.sql\n    on_bad_value: reject\n"


class _Task(NamedTuple):
    """A task. head: of its definition, with what it is for; actions: the rest of it."""

    place: str
    head: str
    query: str
    actions: str = _TRANSFORM
    steps: tuple[str, ...] = ()


_ERP = (
    _Task(
        "erp/staging/customer",
        "description: Each customer as the ERP has it\ntags: [daily]\n",
        "select g as customer_id, 'Customer ' || g as name,\n"
        "    (array['DE', 'FR', 'PL'])[1 + g % 3] as country\nfrom generate_series(1, 2400) g",
        _TRANSFORM + "checks:\n  - unique: [customer_id]\n  - row_count: {at_least: 1}\n"
        "  - {accepted_values: {country: [DE, FR]}, severity: warn}\n",
    ),
    _Task(
        "erp/staging/invoice",
        "description: Invoices, each as it was last changed\ntags: [daily]\n",
        "select g as invoice_id, 1 + g % 2400 as customer_id,\n"
        "    (g * 13 % 9973) / 100.0 as amount, date '2024-01-01' + g % 320 as issued_on\n"
        "from generate_series(1, {{ most }}) g",
        "variables: {most: 48000}\n" + _APPEND + "checks:\n  - not_null: [customer_id, amount]\n",
    ),
    _Task(
        "erp/staging/payment",
        "description: Payments that were booked\ntags: [daily]\n",
        "select g as payment_id, g as invoice_id, (g * 7 % 9973) / 100.0 as paid,\n"
        "    date '2024-01-05' + g % 320 as paid_on\nfrom generate_series(1, 39000) g",
        _TRANSFORM + "checks:\n  - row_count: {at_least: 1}\n",
    ),
    _Task(
        "erp/staging/product",
        "description: Products, with the weight that somebody typed\n",
        "select g as product_id, 'Article ' || g as name,\n"
        "    case when g % 400 = 7 then 'about ' || g || ' kg' else (g % 90)::text end as weight\n"
        "from generate_series(1, 3000) g",
        _REJECT,
        (
            "create table {{ this }} (\n    product_id integer primary key,\n"
            "    name text not null\n);\n"
            "comment on table {{ this }} is 'What is sold';\n"
            "comment on column {{ this }}.name is 'As on the invoice';\n",
            "alter table {{ this }} add weight numeric;\n"
            "comment on column {{ this }}.weight is 'Kilograms, with packing';\n",
        ),
    ),
    _Task(
        "erp/staging/rate",
        "description: Rates of the central bank\ntags: [daily]\n",
        "select code,\n    1 / (number - 2) as rate\n"
        "from (values ('EUR', 1), ('USD', 2)) as codes (code, number)",
    ),
    _Task(
        "erp/staging/shipment",
        "description: What left the house, and when\n",
        "select g as shipment_id, rpad('parcel ' || g, 200, '.') as what\n"
        "from generate_series(1, 20000) g\n"
        "where pg_sleep(case when g % 100 = 0 then 1 else 0 end) is not null",
        "actions:\n  - do: database\n    query: query.sql\n",
    ),
    _Task(
        "erp/staging/refund",
        "description: Money that went back\ndepends: [erp.staging.payment]\n",
        "select payment_id, amout * -1 as refund\nfrom staging.payment\nwhere payment_id % 50 = 0",
        _TRANSFORM,
    ),
)  # fmt: skip
_OTHERS = (
    _Task("crm/staging/contact", "description: People at our customers\n",
          "select g as contact_id, 'Contact ' || g as name from generate_series(1, 900) g"),
    _Task("crm/staging/deal", "description: What may become an invoice\n",
          "select g as deal_id, g * 100 as worth from generate_series(1, 300) g"),
    _Task("web/staging/visit",
          "description: Visits of the shop\nexpect: {fresh_within: 6 hours}\n",
          "select g as visit_id from generate_series(1, 5000) g"),
    _Task("web/staging/session", "description: Sessions of the shop\n",
          "select 1 as session_id", _TRANSFORM,
          ("create table {{ this }} (\n    session_id integer primary key,\n"
           "    began timestampz\n);",)),
    _Task("mart/mart/revenue",
          "description: Revenue by month and country\n"
          "depends: [erp.staging.invoice, erp.staging.customer]\n",
          "select date_trunc('month', i.issued_on)::date as month, c.country,\n"
          "    sum(i.amount) as revenue, count(*) as invoices\nfrom staging.invoice i\n"
          "join staging.customer c on c.customer_id = i.customer_id\ngroup by 1, 2"),
    _Task("mart/mart/open_items",
          "description: What is not paid yet\n"
          "depends: [erp.staging.invoice, erp.staging.payment]\n",
          "select i.invoice_id, i.amount - coalesce(p.paid, 0) as open\nfrom staging.invoice i\n"
          "left join staging.payment p on p.invoice_id = i.invoice_id"),
    _Task("mart/mart/revenue_eur",
          "description: Revenue in euros\ndepends: [mart.mart.revenue, erp.staging.rate]\n",
          "select r.month, r.country, r.revenue * x.rate as revenue_eur\nfrom mart.revenue r\n"
          "join staging.rate x on x.code = 'EUR'"),
    _Task("mart/mart/board",
          f"description: {json.dumps(HOSTILE)}\n"
          "depends: [mart.mart.revenue, mart.mart.open_items]\n",
          "select month, sum(revenue) as revenue\nfrom mart.revenue\ngroup by month"),
    _Task("mart/mart/parcels_a_day",
          "description: How busy the warehouse is\ndepends: [erp.staging.shipment]\n",
          "select count(*) as parcels from staging.shipment"),
)  # fmt: skip


_NAMES = [f"model_{number:04}" for number in range(_MODELS)]
_LARGE = _Task(
    "mart/mart/position",
    f"description: Where we stand\ndepends: [{', '.join(f'r.mart.{name}' for name in _NAMES)}]\n",
    "\nunion all ".join(f"select id, amount from mart.{name}" for name in _NAMES),
)  # fmt: skip


def write(folder: Path) -> None:
    """Writes its files."""
    write_tasks(folder, _MODELS)
    login = {"name": "ann", "role": "admin", "password": hashed(PASSWORD)}
    viewer = {"name": "vera", "role": "viewer", "password": hashed(PASSWORD)}
    server = json.dumps({"logins": [login, viewer]})
    _put(folder, "warehouse.yaml", f"name: finances\ntimezone: Europe/Berlin\nserver: {server}\n")
    _put(folder, "connections.yaml", "- {name: main, driver: embedded, path: postgres}\n")
    for route in ("erp", "crm", "web", "mart"):
        head = "connection: main\ndefaults: {run: {retries: 0}}\n"
        _put(folder, f"routes/{route}/route.yaml", head)
    for task in (*_ERP, *_OTHERS, _LARGE):
        _put(folder, f"routes/{task.place}/task.yaml", task.head + task.actions)
        _put(folder, f"routes/{task.place}/query.sql", task.query + "\n")
        for number, step in enumerate(task.steps, start=1):
            _put(folder, f"routes/{task.place}/ver/{number:03}_step.sql", step)


def change_invoice(folder: Path) -> None:
    """Its source has another column, and more rows."""
    path = folder / "routes/erp/staging/invoice/query.sql"
    path.write_text(path.read_text().replace("as issued_on", "as issued_on, 'EUR' as currency"))
    path = path.with_name("task.yaml")
    path.write_text(path.read_text().replace("48000", "48300"))


def _put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
