"""The pages of tables, and the catalogue as files."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from dapu.agents.installed import definition_reader
from dapu.pages.site import build
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector
from tests.support.components import registrar
from tests.support.served import Served

HOSTILE = "<script>alert(1)</script> & <b>sales</b>"
_HREF = re.compile(r'(?:href|src)="([^"]*)"')
_FILES = {
    "routes/local/staging/sale/task.yaml": f"description: '{HOSTILE}'\n"
    "actions: [{do: database, query: q.sql, load: replace}]\n"
    "checks: [{unique: [sale_id]}, {row_count: {at_least: 9}, severity: warn}]\n",
    "routes/local/staging/sale/q.sql": "select 1 as sale_id, 2.5 as amount",
    "routes/local/staging/shop/task.yaml": "run: {retries: 0}\n"
    "actions: [{do: database, query: q.sql, load: replace}]\n",
    "routes/local/staging/shop/q.sql": "select 1 as shop_id, 1 / 0 as size",
    "routes/local/mart/sales/task.yaml": "depends: auto\n"
    "actions: [{do: transform, query: q.sql, load: replace}]\n",
    "routes/local/mart/sales/q.sql": "select s.sale_id, s.amount * 2 as twice, p.size"
    " from staging.sale s join staging.shop p on p.shop_id = s.sale_id",
}


@pytest.fixture
def served(
    make_warehouse: MakeWarehouse, database: Database, connector: ScriptedConnector
) -> Served:
    found = Served(make_warehouse, database, connector, _FILES)
    found.rows("create schema staging; create schema mart")
    registrar(found.folder)
    found.rows(
        "insert into meta.agenda (task, route, priority, cause)"
        " select task, route, 1, 'run' from meta.registry where task like 'local.staging.s%'"
    )
    found.work()
    found.rows("""comment on column staging.sale.amount is '<i>in euro</i>'""")
    return found


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_table_says_what_above_it_failed_and_what_it_is_made_of(served: Served) -> None:
    with served.listening():
        answer = served.get("/lineage/mart.sales")  # a table stands for its task
        page = _text(answer.text)
        assert "1 of the 2 tables above it failed or is late" in page
        assert "division by zero" in page
        boxes = re.findall(r'href="([^"]+)">\s*<title>([^<]+)', answer.text)
        assert boxes[0] == ("/lineage/local.staging.shop", "staging.shop: failed")  # the bad first
        assert ("/lineage/local.staging.sale", "staging.sale: done") in boxes
        assert len(re.findall(r'class="line bad"', answer.text)) == 1
        assert "twice staging.sale .amount" in page
        impact = served.get("/lineage/local.staging.sale", column="amount")
        assert "mart.sales twice" in _text(impact.text)
        found = _text(served.get("/lineage").text)
        assert found.index("staging.shop") < found.index("mart.sales")
        assert served.get("/lineage", q="mart.sales").url.endswith("/lineage/local.mart.sales")
        assert served.get("/lineage/no.such.table").status_code == 404

        page = served.get("/catalogue/local.staging.sale").text
        assert "<script>alert" not in page
        assert "<i>in euro" not in page
        for part in (HOSTILE, "<i>in euro</i>"):
            assert part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page
        for part in ("amount numeric", "unique: [sale_id] the run fails passed", "1 row, fewer"):
            assert part in _text(page)
        (owner,) = served.rows("select tableowner from pg_tables where tablename = 'sale'")[0]
        assert f"Owner {owner}" in _text(page)
        listed = _text(served.get("/catalogue").text)
        assert listed.index("mart.sales") < listed.index("staging.sale")
        assert "does not exist yet" in _text(served.get("/catalogue/local.mart.sales").text)
        assert "names no" not in _text(served.get("/catalogue", q="zzz").text)


def test_a_failed_job_has_its_error_in_full(served: Served) -> None:
    with served.listening():
        job = served.rows("select max(job) from meta.agenda where status = 'failed'")[0][0]
        page = served.get(f"/jobs/{job}").text
        text = _text(page)
        assert "division by zero" in text
        assert "q.sql" in text
        assert '<mark data-line="2">' in page  # of task.yaml: where the action stands
        assert "select 1 as shop_id, 1 / 0 as size" in text[text.index("SQL as it was sent") :]
        definition = served.folder / "routes/local/staging/shop/task.yaml"
        definition.write_text(definition.read_text() + "tags: [new]\n")
        assert "have changed since" in _text(served.get(f"/jobs/{job}").text)


def test_every_link_of_every_page_leads_somewhere(served: Served) -> None:
    seen, left = set[str](), ["/"]
    with served.listening():
        while left:
            address = left.pop()
            answer = served.get(address)
            assert answer.status_code == 200, (address, answer.text)
            if "text/html" not in answer.headers["content-type"]:
                continue
            assert HOSTILE not in answer.text, address
            found = {unescape(one).partition("#")[0] for one in _HREF.findall(answer.text)}
            new = {one for one in found if one.startswith("/")} - seen
            seen |= new
            left += new
    paths = {re.sub(r"\d+", "1", one.partition("?")[0]) for one in seen}
    assert paths >= {"/tasks", "/jobs", "/jobs/1", "/events", "/lineage", "/catalogue"}
    assert paths >= {"/tasks/local.staging.shop", "/catalogue/local.mart.sales"}
    assert not {"/actions/resume", "/actions/unblacklist"} & paths  # nothing to resume or end


def test_the_catalogue_as_files_leads_nowhere_that_is_not_there(
    served: Served, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    (site / "tables").mkdir(parents=True)
    (site / "tables" / "local.staging.gone.html").touch()
    assert build(open_warehouse(served.folder), definition_reader, site) == 4
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 5
    for page in pages:
        html = page.read_text()
        assert "<script" not in html
        for address in _HREF.findall(html):
            path, _, anchor = address.partition("#")
            assert not path.startswith("/")
            target = (page.parent / unquote(path)) if path else page
            assert target.is_file(), f"{page}: {address}"
            assert not anchor or f'id="{anchor}"' in target.read_text()
    table = (site / "tables" / "local.mart.sales.html").read_text()
    assert 'href="../tables/local.staging.shop.html"' in table
