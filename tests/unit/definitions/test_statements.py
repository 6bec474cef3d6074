"""SQL scripts: where each statement begins, and what would end the transaction around them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dapu.definitions.script import split, transaction_faults
from dapu.definitions.steps import read_steps
from dapu.errors import FaultyFile
from dapu.statement import without_end
from tests.support.components import write

FILE = Path("001_x.sql")

WHOLE = [
    "create table a (b text default 'x;y', \"c;d\" int)",
    "select 'it''s; end', e'it\\'s; commit'",
    "do $$ begin perform 1; commit; end $$",
    "do $x$ select '$$;'; $x$",
    "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
    "create procedure f() begin atomic end",
    "create rule r as on insert to a do also (delete from b; delete from c)",
    "select /* ; /* commit; */ ; */ 1",
    "select 1 -- ; commit",
]


@pytest.mark.parametrize("statement", WHOLE)
def test_a_statement_s_own_semicolons_do_not_split_it(statement: str) -> None:
    assert [part.text.strip() for part in split(f"{statement}\n;\nselect 2;")] == [
        statement, "select 2",
    ]  # fmt: skip


@pytest.mark.parametrize("statement", WHOLE)
def test_what_looks_like_the_end_of_a_transaction_but_is_none_is_let_be(statement: str) -> None:
    assert not transaction_faults(FILE, f"{statement}\n;\n{statement};")


def test_each_part_knows_its_line() -> None:
    script = "-- a comment\nselect 1;\n\n/* more\n */ select\n  2; ;\n-- the end\n"
    assert split(script) == [(2, "select 1"), (5, "select\n  2")]


@pytest.mark.parametrize("script", ["", ";;", "-- nothing\n", "/* nothing */;"])
def test_a_script_may_have_no_statement(script: str) -> None:
    assert split(script) == []


@pytest.mark.parametrize(("script", "line", "word"), [
    ("commit", 1, "commit"),
    ("select 1;\n  COMMIT;", 2, "commit"),
    ("begin;\nselect 1", 1, "begin"),
    ("select 1;\n-- why\nend;", 3, "end"),
    ("select 1; /* x */ rollback", 1, "rollback"),
    ("start  transaction", 1, "start  transaction"),
    ("savepoint a", 1, "savepoint"),
    ("create procedure f() begin atomic end;\nend", 2, "end"),
    ("{% if x %}\nabort\n{% endif %}", 2, "abort"),
])  # fmt: skip
def test_a_statement_that_would_end_the_transaction_is_reported(
    script: str, line: int, word: str
) -> None:
    [fault] = transaction_faults(FILE, script)
    assert str(fault).startswith(f"001_x.sql:{line}: `{word}` ")


def steps_faults(folder: Path) -> list[str]:
    with pytest.raises(FaultyFile) as caught:
        read_steps(folder)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def test_steps_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, {"10_c.sql": "c", "9_b.sql": "b", "001_a.sql": "a", "notes.txt": "x"})
    assert [(step.number, step.text) for step in read_steps(tmp_path)] == [
        (1, "a"), (9, "b"), (10, "c"),
    ]  # fmt: skip
    assert read_steps(tmp_path / "none") == []


def test_every_fault_of_the_steps_is_reported(tmp_path: Path) -> None:
    write(tmp_path, {
        "001_a.sql": "select 1;\ncommit;",
        "1_b.sql": "select 1",
        "create.sql": "select 1",
    })  # fmt: skip
    assert steps_faults(tmp_path) == [
        "001_a.sql:2: `commit` is not for this file: dapu runs and commits it whole",
        "1_b.sql:1: has the same number as 001_a.sql",
        "create.sql:1: a step is named NNN_name.sql, for example 001_create.sql",
    ]


@pytest.mark.parametrize(
    ("query", "without"),
    [
        ("select 1;", "select 1"),
        ("select 1; -- the end;", "select 1"),
        ("select 1 /* ; */ ;\n; -- a\n/* b; */\n", "select 1"),
        ("select ';' -- ;", "select ';'"),
        ("select '--;'", "select '--;'"),
    ],
)
def test_a_query_loses_semicolons_and_comments_at_its_end(query: str, without: str) -> None:
    assert without_end(query).strip() == without.strip()
