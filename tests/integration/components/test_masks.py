"""Masked views of the Gatekeeper: personal data seen in part."""

from __future__ import annotations

import pytest

from tests.support.command import here
from tests.support.components import versioner, write
from tests.support.gate import Gate

MASKED = """
groups:
  ANALYSTS:
    reads:
      - schema: staging
        tables: [customer, person]
        mask: {email: first 1}
    members: mari
"""
VIEW = "staging_for_ANALYSTS.customer"


def test_a_group_reads_a_view_with_masked_columns_and_not_the_table(gate: Gate) -> None:
    gate.run_sql(
        "create table staging.person (id int, email text, born date, phone text, note jsonb);"
        "insert into staging.person values (1, 'x@y', '1999-05-06', '+3725551234', '{}')"
    )
    gate.says("""
groups:
  ANALYSTS:
    reads:
      - schema: staging
        tables: person
        mask: {email: hide, born: year, phone: last 2, note: hide}
      - {schema: staging, tables: customer, mask: {email: first 1}}
    members: mari
""")
    plan = gate.plan()
    assert plan == gate.plan()
    assert plan[1:3] == [
        f"+ ANALYSTS: the view {VIEW[:-8]}person, with masked email (hide), born (year), "
        "phone (last 2), note (hide)",
        f"+ ANALYSTS: the view {VIEW}, with masked email (first 1)",
    ]
    gate.apply()
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
    assert gate.rows(f"select * from {VIEW}") == [(1, "ee", "a…")]
    [row] = gate.rows(f"select *, pg_typeof(note)::text from {VIEW[:-8]}person")
    assert [str(value) for value in row] == ["1", "None", "1999-01-01", "…34", "None", "jsonb"]
    assert gate.may("mari", gate.own(f"select * from {VIEW}"))
    assert not gate.may("mari", "select id from staging.customer")
    gate.run_sql("insert into staging.customer values (2, 'lv', 'a'), (3, 'fi', null)")
    assert gate.rows(f"select email from {VIEW} where id > 1 order by id") == [("…",), (None,)]


def test_a_masked_view_follows_the_file_and_the_table(gate: Gate) -> None:
    gate.run_sql("create table staging.person (id int, email text)")
    gate.says(MASKED)
    gate.apply()
    gate.run_sql("alter table staging.customer add phone text")
    gate.says(MASKED.replace("email: first 1", "email: hide"))
    gate.apply()
    assert gate.rows(f"select * from {VIEW}") == [(1, "ee", None, None)]
    assert gate.may("mari", gate.own(f"select * from {VIEW}"))
    # What would show a column that is to be masked is not made.
    gate.run_sql(f"drop view {VIEW[:-8]}person; alter table staging.person rename email to mail")
    assert gate.plan()[0] == "? ANALYSTS: staging.person has no column email to mask, so no view"
    gate.says("groups: {BOSSES: {reads: [{schema: 'staging*'}]}}")
    gate.apply()
    assert gate.rows(f"select to_regclass('{VIEW}')") == [(None,)]
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]


def test_the_masked_view_of_a_table_that_is_replaced_stays(gate: Gate) -> None:
    gate.says(MASKED.replace("[customer, person]", "customer"))
    write(
        gate.folder,
        {
            "routes/r/route.yaml": "",
            "routes/r/staging/customer/task.yaml": "actions: [{do: database, query: q.sql}]",
            "routes/r/staging/customer/q.sql": "select 2 as id, 'lv' as country, 'c@d' as email",
        },
    )
    versioner(gate.folder)
    gate.apply()
    done = here(gate._capsys, "run", gate.folder, "r.staging.customer", "--full")
    assert done.status == 0, done.text
    assert gate.rows(f"select * from {VIEW}") == [(2, "lv", "c…")]
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
    assert gate.may("mari", gate.own(f"select * from {VIEW}"))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{schema: staging, tables: customer}", "another entry lets it read staging.customer"),
        ("{schema: staging}", "another entry lets it read staging.customer"),
        ("{schema: staging, tables: customer, columns: [email]}", "another entry lets it read"),
        ("{schema: staging, tables: 'c*', mask: {email: hide}}", "is masked twice"),
        ("{schema: staging, mask: {email: scramble}}", "mask"),
    ],
)
def test_a_mask_that_is_none_is_refused(gate: Gate, entry: str, says: str) -> None:
    masked = "{schema: staging, tables: customer, mask: {email: hide}}"
    gate.says(f"groups: {{ANALYSTS: {{reads: [{masked}, {entry}]}}}}")
    done = gate.run("--apply")
    assert done.status == 2
    assert says in done.err
    assert gate.rows("select 1 from pg_roles where rolname = 'ANALYSTS'") == []
