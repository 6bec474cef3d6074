"""`dapu test`: what a table becomes of given rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.support.command import Finished, here

CONNECTIONS = """
- {name: main, driver: pg, database: x, password: "${NOBODY_SETS_THIS}"}
- {name: lite, url: sqlite:///nowhere.db}
- {name: pg, driver: pg, database: y, port: "${THIS_PORT}"}
- {name: maria, url: "${MARIA_URL}"}
- {name: drop, driver: files, path: /nowhere}
"""
ITEM = {
    "ver/001_create.sql": "create table {{ this }} (id int primary key, name text, price numeric)"
}


def a_task(task: str, action: str, files: dict[str, str], more: str = "") -> dict[str, str]:
    texts = {"task.yaml": f"actions: [{{{action}}}]\n{more}", **files}
    return {f"routes/{task.replace('.', '/')}/{name}": text for name, text in texts.items()}


def loading(
    task: str, action: str, query: str = "select * from item", more: str = ""
) -> dict[str, str]:
    made = {} if "history" in action or "soft" in action else ITEM
    files = {"extract.sql": query, **made}
    return a_task(task, f"do: database, query: extract.sql, {action}", files, more)


def case(task: str, name: str, text: str) -> dict[str, str]:
    return {f"routes/{task.replace('.', '/')}/tests/{name}.yaml": text}


TOTAL = """
    select c.name, sum(s.amount) as amount
    from staging.sale s join staging.customer c on c.id = s.customer group by 1
"""
TASKS: dict[str, str] = {
    "warehouse.yaml": "",
    "connections.yaml": CONNECTIONS,
    "routes/l/route.yaml": "connection: lite",
    "routes/p/route.yaml": "connection: pg",
    "routes/m/route.yaml": "connection: maria",
    "routes/f/route.yaml": "connection: drop",
    "routes/w/route.yaml": "",
    **loading("m.s.merged", "load: merge, key: [id]"),
    **loading("m.s.ended", "load: history, key: [id]"),
    **loading("m.s.gone", "load: snapshot, key: [id], deletes: soft"),
    **loading(
        "l.s.swept", "load: merge, key: [id], watermark: {column: id}, deletes: {every: 1 day}"
    ),
    **loading("m.s.refused", "on_bad_value: reject"),
    **loading(
        "l.s.fresh",
        "load: merge, key: [id], watermark: {column: price}",
        "select id, upper(name) as name, price from item where id > 0",
    ),
    **loading(
        "p.s.typed",
        "load: append",
        "select id, name, price from item where at >= date '2024-02-01'",
        "checks: [{expression: price > 0}, {not_null: [name], severity: warn}]",
    ),
    **a_task("f.s.filed", "do: file, file: '*.csv', load: append", ITEM),
    **a_task("w.mart.total", "do: transform, query: total.sql", {"total.sql": TOTAL}),
}  # fmt: skip
CASES: dict[str, str] = {
    **case("m.s.merged", "merge", """
        given:
          table: [{id: 1, name: old, price: 1.10}, {id: 2, name: stays}]
          source: [{id: 1, name: new, price: 2.50}, {id: 3, name: more, price: null}]
        expect:
          rows:
            - {id: 1, name: new, price: 2.5}
            - {id: 2, name: stays, price: null}
            - {id: 3, name: more, price: null}
        then:
          - given: {source: [{id: 3, name: later, price: 7}]}
            expect: {rows: [{id: 3, price: 7}, {id: 2, price: null}, {id: 1, price: 2.5}]}
        """),
    **case("m.s.ended", "versions", """
        given: {source: [{id: 1, name: a, price: 1}]}
        expect: {rows: [{id: 1, name: a, is_current: true}]}
        then:
          - given: {source: [{id: 1, name: b, price: 1}]}
            expect:
              rows: [{id: 1, name: a, is_current: false}, {id: 1, name: b, is_current: true}]
        """),
    **case("m.s.gone", "deleted", """
        given:
          source: [{id: 1, name: a, price: 1}, {id: 2, name: b, price: 2}]
        expect: {rows: [{id: 1}, {id: 2}]}
        then:
          - given: {source: [{id: 2, name: b, price: 2}]}
            expect: {rows: [{id: 1, name: a, _deleted_at: now}, {id: 2, name: b, _deleted_at: }]}
        """),
    **case("l.s.swept", "a_day_later", """
        given: {source: {item: [{id: 1, name: a, price: 1}, {id: 2, name: b, price: 2}]}}
        expect: {rows: [{id: 1}, {id: 2}]}
        then:
          - given: {source: {item: [{id: 2, name: b, price: 2}]}}
            expect: {rows: [{id: 2}]}
        """),
    **case("m.s.merged", "nothing_new", """
        given: {source: [{id: 1, name: a, price: 1}]}
        expect: {rows: [{id: 1}]}
        then:
          - given: {source: []}
            expect: {rows: [{id: 1}]}
        """),
    **case("m.s.refused", "rejected", """
        given: {source: [{id: 1, name: a, price: 1}, {id: x, name: b, price: 2}]}
        expect: {rows: [{id: 1}], rejects: [{name: b}]}
        """),
    **case("m.s.refused", "all", """
        given: {source: [{id: x, name: b, price: 2}]}
        expect: {error: that is every row, rows: []}
        """),
    **case("l.s.fresh", "only_news", """
        given:
          source: {item: [{id: 1, name: a, price: 10}, {id: 0, name: b, price: 11}]}
        expect: {rows: [{id: 1, name: A, price: 10}]}
        then:
          - given:
              source: {item: [{id: 1, name: z, price: 9}, {id: 2, name: c, price: 12}]}
            expect: {rows: [{id: 1, name: A}, {id: 2, name: C}]}
        """),
    **case("p.s.typed", "types", """
        given:
          source:
            item:
              columns: {id: int, name: text, price: numeric, at: date}
              rows:
                - {id: 1, name: a, price: 1, at: 2024-01-31}
                - {id: 2, price: 1.5, at: 2024-02-01}
        expect: {rows: [{id: 2, name: null, price: 1.5}], warnings: ["not_null: [name]"]}
        """),
    **case("p.s.typed", "check", """
        given:
          source:
            item: {columns: {at: date}, rows: [{id: 1, name: a, price: 0, at: 2025-01-01}]}
        expect: {error: "the check `expression: price > 0` failed", rows: []}
        """),
    **case("f.s.filed", "appended", """
        given:
          table: [{id: 1, name: a}]
          source: [{id: 2, name: b, price: 3}]
        expect: {rows: [{id: 1}, {id: 2}]}
        """),
    **case("w.mart.total", "sums", """
        given:
          tables:
            staging.sale: [{customer: 1, amount: 10}, {customer: 1, amount: 2.5}, {customer: 9}]
            staging.customer: [{id: 1, name: Ann}]
        expect: {rows: [{name: Ann, amount: 12.5}]}
        """),
}  # fmt: skip

Run = Callable[..., Finished]


@pytest.fixture
def run(
    make_warehouse: MakeWarehouse, database: Database, capsys: pytest.CaptureFixture[str]
) -> Run:
    def run(cases: dict[str, str], *options: str | Path) -> Finished:
        folder = make_warehouse({**TASKS, **cases})
        server = ("--server", database.server.uri(), "--processes", "1")
        return here(capsys, "test", folder, *server, *options)

    return run


def test_tests_that_hold(run: Run, tmp_path: Path, database: Database) -> None:
    done = run(CASES, "--junit", tmp_path / "report.xml")
    assert done.status == 0, done.text
    assert f"{len(CASES)} tests: all passed" in done.out
    report = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert report.attrib["tests"] == str(len(CASES))
    assert len(report.findall(".//testcase[@classname='m.s.refused']")) == 2
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("select count(*) from pg_database where datname like 'dapu_test%'")
        assert cursor.fetchone() == (0,)


FAILING: dict[str, tuple[str, str]] = {
    "missing": ("{given: {source: [{id: 1, name: a}]}, expect: {rows: [{id: 1, name: b}]}}",
                's.merged: missing {id: "1", name: "b"}'),
    "unexpected": ("{given: {source: [{id: 1, name: a}]}, expect: {rows: []}}",
                   's.merged: unexpected {id: "1", name: "a", price: null}'),
    "column": ("{expect: {rows: [{idd: 1}]}, given: {source: [{id: 1}]}}",
               "s.merged has no column `idd`; did you mean `id`?"),
    "some": ("{expect: {rows: [{id: 1, name: a}, {id: 2}]}, given: {source: [{id: 1}]}}",
             "some of the expected rows name the column `name`"),
    "given": ("{given: {table: [{nme: a}]}, expect: {rows: []}}", "has no column `nme`"),
    "value": ("{given: {table: [{id: x}]}, expect: {rows: []}}", "invalid input syntax"),
    "wanted": ("{given: {source: [{id: 1}]}, expect: {rows: [{id: x}]}}", "invalid input syntax"),
    "empty": ("{given: {source: []}, expect: {rows: []}}", "which columns a source without rows"),
    "twice": ("{given: {source: {item: [{id: 1, ID: 2}]}}, expect: {rows: []}}", "duplicate"),
    "no_error": ("{given: {source: [{id: 1}]}, expect: {error: wrong}}", "the run does not fail"),
    "other": ("{given: {source: [{id: x}]}, expect: {error: wrong}}", "the run fails otherwise: "),
    "fails": ("{given: {source: [{id: x}]}, expect: {rows: []}}", "the run fails: "),
    "key": ("{given: {sources: []}, expect: {rows: []}}", "unknown key `sources`"),
    "nothing": ("{expect: {}}", "say what is expected"),
    "no value": (
        "{given: {source: [{id: 1}]}, expect: {rows: [{id: one}]}}",
        "expected that its column cannot have",
    ),
    "rejects": ("{given: {source: [{id: 1}]}, expect: {rejects: 2}}", "0 rows, where 2 are"),
}  # fmt: skip


def test_tests_that_fail_say_why(run: Run) -> None:
    cases = dict[str, str]()
    for name, (text, _) in FAILING.items():
        cases |= case("m.s.merged", name, text)
    done = run(cases, "--json", "s.merged")
    assert done.status == 1, done.text
    found = {one["test"]: one["faults"] for one in json.loads(done.out)}
    assert found.keys() == FAILING.keys()
    for name, (_, says) in FAILING.items():
        assert says in "\n".join(found[name]), name


def test_without_tests(run: Run) -> None:
    done = run({})
    assert done.status == 2
    assert "there are no tests" in done.err
