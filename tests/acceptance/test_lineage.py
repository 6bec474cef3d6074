"""What SQL says of tasks: `lineage`, `impact`, `validate`, and `depends: auto`.

erp:shop.sale --> staging.sale --> mart.day --> mart.month
                  staging.shop ----^
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse, write_files
from tests.support.command import here
from tests.support.components import registrar, rows, versioner, write

_NOWHERE = """\
- {name: main, driver: pg, host: /nowhere, database: none}
- {name: erp, url: 'mysql+pymysql://u:p@192.0.2.1/shop'}
"""
_DAY = """\
select s.day, p.city, sum(s.amount) as amount
from staging.sale as s
join staging.shop as p on p.id = s.shop_id
{% if this %}where s.amount > {{ least }}{% endif %}
group by 1, 2
"""


def _task(name: str, action: str, query: str, more: str = "") -> dict[str, str]:
    folder = f"routes/{'erp' if 'database' in action else 'own'}/{name.replace('.', '/')}"
    text = f"actions: [{{{action}, query: q.sql}}]\n{more}"
    return {f"{folder}/task.yaml": text, f"{folder}/q.sql": query}


FILES = {
    "warehouse.yaml": "variables: {least: 0}\n",
    "connections.yaml": _NOWHERE,
    "routes/erp/route.yaml": "connection: erp",
    "routes/own/route.yaml": "",
    **_task("staging.sale", "do: database", "select id, `day`, amount, shop_id from sale"),
    **_task("staging.shop", "do: transform", "select 1 as id, 'Tartu' as city"),
    **_task("mart.day", "do: transform", _DAY, "depends: [erp.staging.sale, own.staging.shop]"),
    **_task("mart.month", "do: transform", "select * from mart.day", "depends: auto"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "w", FILES)


def asked(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    done = here(capsys, *arguments, "--json")
    assert done.status == 0, done.text
    return json.loads(done.out)


def test_what_a_task_is_made_of_and_what_is_made_of_it(
    folder: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # read, and from what was kept
        said = asked(capsys, "lineage", folder, "mart.day")
        assert [(one["steps"], one["table"], one["task"]) for one in said["up"]] == [
            (1, "staging.sale", "erp.staging.sale"),
            (1, "staging.shop", "own.staging.shop"),
            (2, "erp:sale", None),
        ]
        assert [one["task"] for one in said["down"]] == ["own.mart.month"]
        assert {one["name"]: one["from"] for one in said["columns"]}["amount"] == [
            {"table": "staging.sale", "column": "amount"}
        ]
    [kept] = (cache / "dapu" / "lineage").iterdir()
    before = kept.read_bytes()
    write(folder, {"routes/own/mart/day/q.sql": "select 1 as one"})
    said = asked(capsys, "lineage", folder, "own.mart.day")
    assert [one["by"] for one in said["up"]] == ["depends", "depends", "sql"]
    assert kept.read_bytes() != before
    kept.write_bytes(b"broken")
    assert asked(capsys, "lineage", folder, "mart.day") == said


def test_what_depends_on_a_column(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = asked(capsys, "impact", folder, "staging.sale.amount")
    assert [(one["task"], one["column"]) for one in said["columns"]] == [
        ("own.mart.day", "amount"),
        ("own.mart.month", "amount"),
    ]
    places = {(Path(one["file"]).parent.name, one["line"]) for one in said["uses"]}
    assert places == {("day", 1), ("day", 4)}
    done = here(capsys, "impact", folder, "mart.day.amuont")
    assert done.status == 2
    assert "amount" in done.err


def test_validate_finds_what_is_certain_and_notes_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(capsys, "validate", folder).out == "4 tasks without fault; 0 faults\n"
    query = "select d.day,\n  d.citty, x.made_by_hand\nfrom mart.day d, mart.by_hand x"
    write(folder, _task("mart.wrong", "do: transform", query))
    write(folder, _task("mart.broken", "do: transform", "select\n a b c"))
    master = "depends: [erp.staging.sale]"
    write(folder, _task("mart.other", "do: transform", "select id from staging.shop", master))
    done = here(capsys, "validate", folder, "--json")
    assert done.status == 1
    said = json.loads(done.out)
    [fault] = said["faults"]
    assert fault.startswith(f"{folder}/routes/own/mart/wrong/q.sql:2:5: mart.day has no column")
    assert "did you mean `city`" in fault
    notes = {
        note.replace(f"{folder}/routes/own/mart/", "").split(": ")[1] for note in said["notes"]
    }
    assert notes == {
        "wrong/q.sql:3:18",  # no task makes it
        "wrong/q.sql:3:6",  # depends does not name it
        "broken/q.sql:2:6",
        "other/q.sql:1:16",
        "other/task.yaml:1:1",
    }


def test_a_check_looks_at_another_table_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So its task is not superfluous in `depends`; and a column of it may be wrong."""
    for column, status in (("city", 0), ("citty", 1)):
        check = f"depends: [own.mart.day]\nchecks: [{{relationships: {{a: mart.day.{column}}}}}]"
        write(folder, _task("mart.related", "do: transform", "select 1 as a", check))
        said = json.loads(here(capsys, "validate", folder, "--json").out)
        assert (len(said["faults"]), said["notes"]) == (status, [])


def test_depends_auto_is_what_the_sql_reads(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    main = make_warehouse(name="other").joinpath("connections.yaml").read_text()
    connections = main + _NOWHERE.splitlines(keepends=True)[1]
    folder = make_warehouse({**FILES, "connections.yaml": connections})
    versioner(folder)
    assert registrar(folder).faults == []
    query = "select master from meta.dependency where task = 'own.mart.month' order by 1"
    assert rows(connection, query) == [("own.mart.day",)]
    write(folder, {"routes/own/mart/month/q.sql": "select * from mart.day, mart.week"})
    assert registrar(folder).changed == ["own.mart.month"]
    assert registrar(folder).changed == []
    # A task that now makes the other table: it depends on that too, with its files as they were.
    write(folder, _task("mart.week", "do: transform", "select 1 as a"))
    done = registrar(folder)
    assert (done.new, done.changed) == (["own.mart.week"], ["own.mart.month"])
    assert rows(connection, query) == [("own.mart.day",), ("own.mart.week",)]
    write(folder, {"routes/own/mart/month/q.sql": "select * from week"})
    [fault] = registrar(folder).faults
    assert "depends: auto" in fault.message
    assert fault.file.name == "task.yaml"
