"""`do: views` and `dapu views`: many views after one template."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import Finished, dapu, here, running, wait_until
from tests.support.components import ROUTE, one, rows, versioner, write

TASK = "r.reports.by_country"
FOLDER = "routes/r/reports/by_country"
BY_COUNTRY = {
    **ROUTE,
    f"{FOLDER}/task.yaml": """\
        actions:
        - do: views
          query: countries.sql
          template: sales.sql
          view: sales_{{ row.country }}
        """,
    f"{FOLDER}/countries.sql": "select distinct country from sale order by country",
    f"{FOLDER}/sales.sql": "select id, amount from sale where country = {{ row.country }}",
}


@pytest.fixture
def sales(make_warehouse: MakeWarehouse, connection: PgSession) -> Path:
    """A warehouse with a view for each country: EE, FI and o'L."""
    rows(
        connection,
        "create table sale (id int, country text, amount numeric);"
        "insert into sale values (1, 'EE', 10), (2, 'FI', 20), (3, 'EE', 30), (4, 'o''L', 40)",
    )
    folder = make_warehouse(BY_COUNTRY)
    versioner(folder)
    return folder


def names(connection: PgSession) -> list[str]:
    """The views of the schema `reports`, by name."""
    query = "select viewname from pg_views where schemaname = 'reports' order by 1"
    return [row[0] for row in rows(connection, query)]


Run = Callable[..., Finished]


@pytest.fixture
def run(sales: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`dapu views DIR TASK` with more arguments."""

    def run(*arguments: str) -> Finished:
        return here(capsys, "views", sales, TASK, *arguments)

    return run


def test_each_row_of_the_query_is_a_view(run: Run, connection: PgSession) -> None:
    done = run()
    assert (done.status, done.err) == (0, "")
    assert "3 views made in 3 groups" in done.out
    assert names(connection) == ["sales_EE", "sales_FI", "sales_o'L"]
    assert rows(connection, 'select * from reports."sales_EE" order by 1') == [(1, 10), (3, 30)]
    assert rows(connection, 'select id from reports."sales_o\'L"') == [(4,)]


def test_what_is_unchanged_is_not_made_again(run: Run, sales: Path, connection: PgSession) -> None:
    run()
    rows(connection, "insert into sale values (5, 'LV', 1); drop view reports.\"sales_FI\"")
    before = one(connection, "select made_at from meta.made_view where view_name = 'sales_EE'")
    assert "2 views made in 2 groups, 2 groups unchanged" in run().out
    assert len(names(connection)) == 4
    write(sales, {f"{FOLDER}/sales.sql": "select id from sale where country = {{ row.country }}"})
    assert "4 views made in 4 groups, 0 groups unchanged" in run().out
    assert rows(connection, 'select * from reports."sales_FI"') == [(2,)]
    assert before < one(
        connection, "select made_at from meta.made_view where view_name = 'sales_EE'"
    )


def test_a_view_keeps_its_grants_when_its_columns_change(
    run: Run, sales: Path, connection: PgSession
) -> None:
    run("--only", "sales_EE")
    rows(connection, 'grant select on reports."sales_EE" to public')
    write(sales, {f"{FOLDER}/sales.sql": "select amount, {{ row.country }} as id from sale"})
    assert run("--only", "sales_EE").status == 0
    grants = "select count(*) from pg_class, aclexplode(relacl) where relname = 'sales_EE'"
    assert one(connection, f"{grants} and grantee = 0") == 1


def test_an_error_fails_its_group_alone_and_is_kept_and_tried_again(
    run: Run, sales: Path, connection: PgSession
) -> None:
    template = "{% if row.country == 'FI' %}select no_such{% else %}select 1 as x{% endif %}"
    write(sales, {f"{FOLDER}/sales.sql": template})
    done = run()
    assert done.status == 1
    assert 'sales_FI: reports.sales_FI: column "no_such" does not exist' in done.err
    assert "2 views made in 2 groups, 0 groups unchanged, 1 failed" in done.out
    kept = rows(
        connection,
        "select key, status, tries, message, statement from meta.view_group where status <> 'done'",
    )
    [(key, status, tries, message, statement)] = kept
    assert (key, status, tries) == ("sales_FI", "failed", 3)
    assert "no_such" in message
    assert 'create or replace view "reports"."sales_FI"' in statement
    rows(connection, "alter table sale add no_such int")
    write(sales, {f"{FOLDER}/sales.sql": template.replace("no_such", "no_such from sale")})
    assert run().status == 0
    assert rows(connection, "select 1 from meta.view_group where status <> 'done'") == []


def test_a_view_may_read_one_that_another_group_makes_later(
    run: Run, sales: Path, connection: PgSession
) -> None:
    text = """\
        {% if row.country == 'EE' %}select * from {{ table('reports', 'sales_FI') }}
        {% else %}select {{ row.country }} as {{ name('My Country') }}{% endif %}"""
    write(sales, {f"{FOLDER}/sales.sql": text})
    assert run("--consumers", "1").status == 0
    assert rows(connection, 'select "My Country" from reports."sales_EE"') == [("FI",)]


def test_views_of_a_group_are_made_together_or_not_at_all(
    run: Run, sales: Path, connection: PgSession
) -> None:
    write(
        sales,
        {
            f"{FOLDER}/task.yaml": """\
                actions:
                - do: views
                  query: countries.sql
                  template: sales.sql
                  view: "{{ row.kind }}_{{ row.country }}"
                  group: country
                """,
            f"{FOLDER}/countries.sql": "select * from (values ('a'), ('b')) k (kind), "
            "(select distinct country from sale) as c",
            f"{FOLDER}/sales.sql": "{% if row.country ~ row.kind == 'FIb' %}wrong{% endif %} "
            "select {{ row.kind }} as kind",
        },
    )
    done = run()
    assert done.status == 1
    assert "FI: reports.b_FI: syntax error" in done.err
    assert names(connection) == ["a_EE", "a_o'L", "b_EE", "b_o'L"]


def test_a_view_that_a_group_no_longer_has_is_dropped(
    run: Run, sales: Path, connection: PgSession
) -> None:
    grouped = (sales / FOLDER / "task.yaml").read_text() + "  group: half\n"
    query = "select country, 'one' as half from sale where country {} 'EE' group by country"
    write(sales, {f"{FOLDER}/task.yaml": grouped, f"{FOLDER}/countries.sql": query.format("<>")})
    run()
    write(sales, {f"{FOLDER}/countries.sql": query.format("=")})
    run()
    assert names(connection) == ["sales_EE"]


def test_what_somebody_else_made_is_neither_replaced_nor_dropped(
    run: Run, connection: PgSession
) -> None:
    rows(connection, 'create schema reports; create view reports."sales_EE" as select 1')
    done = run()
    assert done.status == 1
    assert "there is a view reports.sales_EE that `do: views` did not make" in done.err
    rows(connection, 'drop view reports."sales_FI"; create view reports."sales_FI" as select 2')
    rows(connection, "create view reports.other as select 3")
    dropped = run("--drop")
    assert dropped.status == 0
    assert "1 view dropped" in dropped.out
    assert names(connection) == ["other", "sales_EE", "sales_FI"]
    assert run("--drop").out.count("dropped") == 1


def test_drop_of_some_groups_and_what_others_built_on(run: Run, connection: PgSession) -> None:
    run()
    assert "would drop reports.sales_EE" in run("--drop", "--dry-run", "--only", "sales_EE").out
    run("--drop", "--only", "sales_EE")
    assert names(connection) == ["sales_FI", "sales_o'L"]
    rows(connection, 'create view built as select * from reports."sales_FI"')
    done = run("--drop")
    assert done.status == 1
    assert "sales_FI stays: " in done.err
    assert "built depends on view reports" in done.err
    assert names(connection) == ["sales_FI"]


def test_groups_that_read_each_other_are_dropped_in_their_order(
    run: Run, sales: Path, connection: PgSession
) -> None:
    text = """\
        {% if row.country == 'FI' %}select * from {{ table('reports', 'sales_EE') }}
        {% else %}select 1 as x{% endif %}"""
    write(sales, {f"{FOLDER}/sales.sql": text})
    run()
    assert run("--drop").status == 0
    assert names(connection) == []
    assert rows(connection, "select from meta.view_group") == []


def test_a_dry_run_prints_the_sql_and_queues_nothing(run: Run, connection: PgSession) -> None:
    done = run("--dry-run", "--limit", "1")
    assert 'create or replace view "reports"."sales_EE" as' in done.out
    assert "country = 'EE';" in done.out
    assert "FI" not in done.out
    assert rows(connection, "select 1 from meta.view_group") == []
    assert names(connection) == []


@pytest.mark.parametrize(
    ("name", "value", "status", "says"),
    [
        ("ONLY", "sales_FI, sales_XX", 1, "the query gives no group sales_XX"),
        ("DRY_RUN", "1", 0, "-- sales_FI"),
        ("DROP", "true", 0, "0 views dropped"),
        ("LIMIT", "2", 0, "2 views made"),
        ("COUNT", "2", 2, "does not use {{ count }}"),
        ("CONSUMERS", "65", 2, "--consumers"),
        ("JSON", "1", 0, '"views": 3'),
    ],
)
def test_each_option_stands_in_the_environment_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, status: int, says: str
) -> None:
    monkeypatch.setenv(f"DAPU_VIEWS_{name}", value)
    done = run()
    assert done.status == status
    assert says in done.text


def test_the_task_stands_in_the_environment_too(sales: Path, connection: PgSession) -> None:
    done = dapu("views", sales, environment={"DAPU_VIEWS_TASK": TASK})
    assert done.status == 0
    assert len(names(connection)) == 3


def test_count_is_a_value_of_the_query(run: Run, sales: Path, connection: PgSession) -> None:
    query = """\
        select country from sale group by country
        {% if count %}having count(*) >= {{ count }}{% endif %}"""
    write(sales, {f"{FOLDER}/countries.sql": query})
    run("--count", "2")
    assert names(connection) == ["sales_EE"]


def test_a_count_that_the_query_does_not_use_is_refused(
    run: Run, sales: Path, connection: PgSession
) -> None:
    done = run("--count", "2")
    assert done.status == 2
    assert "countries.sql does not use {{ count }}" in done.err
    assert names(connection) == []
    write(sales, {f"{FOLDER}/countries.sql": "{% include 'least.sql' %}"})
    write(sales, {f"{FOLDER}/least.sql": "select country from sale where id >= {{ count or 0 }}"})
    assert run("--count", "4").status == 0
    assert names(connection) == ["sales_o'L"]


def test_a_long_name_is_cut_and_the_whole_is_in_the_comment(
    run: Run, connection: PgSession
) -> None:
    rows(connection, "insert into sale values (9, repeat('ö', 40), 1), (9, repeat('ö', 41), 1)")
    assert run().status == 0
    found = rows(
        connection,
        "select relname, obj_description(oid) from pg_class where relname like 'sales_ö%'",
    )
    assert sorted(comment for _, comment in found) == ["sales_" + "ö" * n for n in (40, 41)]
    assert all(len(name.encode()) <= 63 for name, _ in found)


def test_a_job_makes_them_and_fails_with_its_groups(
    sales: Path, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(capsys, "run", sales, TASK).status == 0
    assert len(names(connection)) == 3
    text = (sales / FOLDER / "task.yaml").read_text()
    write(sales, {f"{FOLDER}/task.yaml": f"run: {{retries: 0}}\n{text}"})
    write(sales, {f"{FOLDER}/sales.sql": "select x"})
    done = here(capsys, "run", sales, TASK)
    assert done.status == 1
    assert "3 groups failed: sales_EE: reports.sales_EE" in done.text


def test_two_that_run_at_once_share_the_work(sales: Path, connection: PgSession) -> None:
    rows(connection, "insert into sale select n, 'c' || n from generate_series(1, 300) n")
    with running("views", sales, TASK) as first, running("views", sales, TASK) as second:
        assert [first.wait(60), second.wait(60)] == [0, 0]
    assert len(names(connection)) == 303
    assert one(connection, "select count(*) from meta.made_view") == 303


def test_faults_of_a_definition(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def says(text: str, task: str = TASK) -> str:
        write(sales, {f"{FOLDER}/task.yaml": text})
        done = here(capsys, "views", sales, task)
        assert done.status == 2
        return done.err

    assert "needs `template` and `view`" in says("actions: [{do: views, query: countries.sql}]")
    assert "there is no task `r.reports.by_land`" in says("", "r.reports.by_land")
    text = "actions: [{do: views, query: countries.sql, template: sales.sql, view: '{{ rov.x }}'}]"
    assert "undefined name `rov`" in says(text)
    twice = text.replace("rov", "row").replace("[", "[&a ", 1).replace("}]", "}, *a]")
    assert "give each a task" in says(twice)


def test_a_query_that_fails_says_where(run: Run, sales: Path, connection: PgSession) -> None:
    write(sales, {f"{FOLDER}/countries.sql": "select country from no_such_table"})
    done = run()
    assert done.status == 2
    assert "countries.sql:1:" in done.err
    with pytest.raises(psycopg2.Error):
        rows(connection, "select * from no_such_table")


def test_the_group_of_a_consumer_that_dies_is_taken_by_another(
    run: Run, sales: Path, connection: PgSession
) -> None:
    by_table = "select * from {{ table('public', row.country) }}"
    write(sales, {f"{FOLDER}/sales.sql": by_table})
    rows(connection, 'create table "EE" (a int); create table "FI" (a int); create table "o\'L"()')
    with closing(psycopg2.connect(connection.dsn)) as other, other, other.cursor() as cursor:
        cursor.execute('lock table "EE"')  # whoever makes the view of it has to wait
        with running("views", sales, TASK) as first:
            wait_until(lambda: rows(connection, "select 1 from pg_locks where not granted"))
            first.kill()
    assert "sales_EE" not in names(connection)
    assert run().status == 0
    assert names(connection) == ["sales_EE", "sales_FI", "sales_o'L"]
    assert rows(connection, "select 1 from meta.view_group where status <> 'done'") == []
