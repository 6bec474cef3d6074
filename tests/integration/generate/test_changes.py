"""`dapu generate` again: what a person changed stays, and what the source gained comes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.generating import ITEM, Generating, sqlite


@pytest.fixture
def item(generating: Generating, tmp_path: Path) -> Any:
    """A generated task, loaded; gives what runs SQL in its source."""
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    generating.generate()
    generating.load()

    def change(script: str) -> None:
        with closing(sqlite3.connect(tmp_path / "erp.db")) as session:
            session.executescript(script)

    return change


def test_a_column_that_the_source_gained_becomes_the_next_step(
    generating: Generating, item: Any
) -> None:
    item("alter table item add column Price numeric; update item set Price = 1.5")
    shown = generating.generate("--diff").out
    assert "+alter table staging.item add column price" in shown
    assert not generating.file("item/ver/002_add_column.sql").exists()
    assert "erp.staging.item: changed" in generating.generate().out
    generating.run("registrar")
    generating.run("run", "erp.staging.item")
    assert generating.rows("select * from staging.item") == [(1, "x", Decimal("1.5"))]
    assert "1 unchanged" in generating.generate().out


def test_what_a_person_changed_stays(generating: Generating, item: Any) -> None:
    task = generating.file("item/task.yaml")
    task.write_text(task.read_text() + "checks: [{unique: [id]}]\n")
    mine = task.read_text()
    item("alter table item add column price numeric")
    done = generating.generate("--load", "merge")
    assert "task.yaml stays as a person wrote it" in done.out
    assert task.read_text() == mine
    assert generating.file("item/ver/002_add_column.sql").is_file()
    generating.load()


def test_a_query_that_a_person_changed_gets_no_new_column(
    generating: Generating, item: Any
) -> None:
    query = generating.file("item/extract.sql")
    query.write_text("select id from item\n")
    item("alter table item add column price numeric")
    done = generating.generate()
    assert "the source has gained price" in done.out
    assert query.read_text() == "select id from item\n"
    assert not generating.file("item/ver/002_add_column.sql").exists()


def test_line_ends_of_another_system_are_no_change(generating: Generating, item: Any) -> None:
    for name in ("task.yaml", "extract.sql"):
        path = generating.file(f"item/{name}")
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    item("alter table item add column price numeric")
    assert "erp.staging.item: changed" in generating.generate().out
    assert "price" in generating.file("item/extract.sql").read_text()


def test_a_task_that_a_person_wrote_stays(generating: Generating, item: Any) -> None:
    generating.file("item/generated.yaml").unlink()
    done = generating.generate("--load", "merge")
    assert "erp.staging.item: kept; a person wrote it" in done.out


def test_a_column_and_a_table_that_the_source_lost(generating: Generating, item: Any) -> None:
    item("alter table item drop column name; create table other (a int)")
    assert "erp.staging.item: changed" in generating.generate("--tables", "item").out
    generating.load()
    assert generating.rows("select id, name from staging.item") == [(1, None)]
    item("drop table item")
    assert "erp.staging.item: gone; the source has no main.item" in generating.generate().out


def test_a_load_mode_without_what_it_needs_is_replaced_with_a_remark(
    generating: Generating, tmp_path: Path
) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", "create table loose (a int)"))
    generating.generate("--load", "merge")
    text = generating.file("loose/task.yaml").read_text()
    assert "# `load: merge` needs a key" in text
    assert "    load: replace\n" in text
    generating.load()


def test_history(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    generating.generate("--load", "history")
    generating.load()
    rows = generating.rows("select id, name, is_current, began_by from staging.item")
    assert rows == [(1, "x", True, "new")]


def test_templates_of_the_project(generating: Generating, tmp_path: Path) -> None:
    generating.reads(sqlite(tmp_path / "erp.db", ITEM))
    own = tmp_path / "templates"
    own.mkdir()
    (own / "task.yaml.j2").write_text(
        "status: draft\nactions: [{do: database, query: extract.sql, load: replace}]\n"
        "description: {{ table.label | yaml }}\n"
    )
    (own / "README.md.j2").write_text("{{ table.columns | length }} columns\n")
    generating.generate("--templates", str(own))
    assert "description: main.item\n" in generating.file("item/task.yaml").read_text()
    assert generating.file("item/README.md").read_text() == "2 columns\n"
    assert generating.file("item/ver/001_create.sql").is_file()
    (own / "task.yaml.j2").write_text("{{ nothing }}")
    done = generating.generate("--templates", str(own), status=2)
    assert "task.yaml.j2:1: the template fails: 'nothing' is undefined" in done.err
