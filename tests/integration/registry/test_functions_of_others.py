"""Functions and operators in `public` do not run in place of built-in ones."""

from __future__ import annotations

from psycopg2.extensions import connection as PgSession

from tests.conftest import MakeWarehouse
from tests.support.command import dapu
from tests.support.components import ROUTE, a_task, manager, one, registrar, rows, versioner
from tests.support.rounds import run_due

# Each fits what dapu gives it better than the built-in one does. `sprung` may be written to by a
# query only where it runs in the same session; so a sequence counts.
_TRAPS = """
create sequence public.sprung;
create function public.cardinality(text[]) returns int language sql as
    $$ select nextval('public.sprung')::int * 0 $$;
create function public.format(text, text, text) returns text language sql as
    $$ select 'x' || nextval('public.sprung') $$;
create function public.overlap(text[], text[]) returns boolean language sql as
    $$ select nextval('public.sprung') > 0 $$;
create operator public.&& (leftarg = text[], rightarg = text[], function = public.overlap);
create function public.joined(text, bigint) returns text language sql as
    $$ select 'x' || nextval('public.sprung')::text $$;
create operator public.|| (leftarg = text, rightarg = bigint, function = public.joined);
create function public.power(int, int) returns float8 language sql as
    $$ select nextval('public.sprung')::float8 $$;
create operator public.^ (leftarg = int, rightarg = int, function = public.power);
"""


def test_no_statement_of_the_registry_runs_them(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    rows(connection, _TRAPS)
    folder = make_warehouse(
        {
            **ROUTE,
            **a_task("r.s.first", run="{when: [morning, workhours, evening]}"),
            **a_task("r.s.second", depends="[r.s.first]"),
            **a_task("r.s.fails", {"run.sql": "select 1 / 0"}, run="{retries: 1, retry_wait: 0 s}"),
        }
    )
    versioner(folder)
    registrar(folder)
    manager(folder)
    run_due(folder)
    manager(folder)
    for command in ("status", "cleaner", "manager"):
        assert dapu(command, folder).status in (0, 1)
    assert not one(connection, "select is_called from public.sprung")


def test_the_sql_of_tasks_keeps_its_search_path(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    files = {"run.sql": "create table seen as select twice(4)"}
    folder = make_warehouse(
        {
            "ver/001_twice.sql": "create function twice(int) returns int language sql "
            "as 'select 2 * $1'",
            **ROUTE,
            **a_task("r.s.t", files),
        }
    )
    versioner(folder)
    registrar(folder)
    manager(folder)
    run_due(folder)
    assert one(connection, "select * from public.seen") == 8
    assert dapu("query", folder, "select twice(21) as answer").out.split()[-1] == "42"
