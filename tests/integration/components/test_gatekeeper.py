"""The Gatekeeper: what is granted is what grants.yaml says, and no other role is touched."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2 import sql

from dapu.components.gatekeeper import apply_grants, plan_grants
from dapu.errors import DapuError
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import Database, MakeWarehouse
from tests.support.command import here
from tests.support.components import rows, versioner, write
from tests.support.gate import TABLES, Gate

ANALYSTS = """
groups:
  ANALYSTS:
    description: Those who ask
    reads:
      - schema: mart
      - schema: staging
        tables: [invoice, "customer*"]
        exclude: customer
      - schema: staging
        tables: customer
        columns: [id, country]
    members: [mari]
"""


def test_the_plan_changes_nothing_and_apply_does_what_it_says(gate: Gate) -> None:
    gate.says(ANALYSTS)
    plan = gate.plan()
    assert plan == [
        "+ ANALYSTS: the group itself",
        "+ ANALYSTS: select on column staging.customer.country",
        "+ ANALYSTS: select on column staging.customer.id",
        "+ ANALYSTS: select on tables to come in the schema mart",
        "+ ANALYSTS: mari belongs to it",
        "+ ANALYSTS: usage on schema mart",
        "+ ANALYSTS: usage on schema staging",
        "+ ANALYSTS: select on table mart.sales",
        "+ ANALYSTS: select on table mart.sums",
        "+ ANALYSTS: select on table staging.customer_note",
        "+ ANALYSTS: select on table staging.invoice",
        "gatekeeper: 11 changes to make with --apply",
    ]
    assert gate.plan() == plan
    assert not gate.may("mari", "select from mart.sales")
    assert gate.apply()[:-1] == plan[:-1]
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
    assert gate.may("mari", "select from mart.sums")
    assert gate.may("mari", "select id, country from staging.customer")
    assert not gate.may("mari", "select email from staging.customer")
    assert not gate.may("jaan", "select from mart.sales")
    assert not gate.may("mari", "insert into mart.sales values (1, 2)")


def test_tables_to_come(gate: Gate) -> None:
    gate.says(ANALYSTS)
    gate.apply()
    gate.run_sql("create table mart.later (id int); create table staging.customer_vat (id int)")
    assert gate.may("mari", "select from mart.later")  # by default privileges, at once
    assert gate.plan()[0] == "+ ANALYSTS: select on table staging.customer_vat"


def test_what_the_file_grants_no_more_is_revoked(gate: Gate) -> None:
    gate.says(ANALYSTS)
    gate.apply()
    gate.run_sql("grant insert on mart.sales to ANALYSTS; grant ANALYSTS to jaan")
    gate.says(
        "groups: {ANALYSTS: {description: Those who ask, members: mari, "
        "reads: [{schema: mart, tables: sales}]}}"
    )
    gate.apply()
    assert gate.may("mari", "select from mart.sales")
    assert not gate.may("mari", "select from mart.sums")
    assert not gate.may("mari", "select id from staging.customer")
    assert not gate.may("jaan", "select from mart.sales")
    gate.run_sql("create table mart.later (id int)")
    assert not gate.may("mari", "select from mart.later")


def test_a_right_that_may_be_passed_on_becomes_a_plain_one(gate: Gate) -> None:
    gate.says("groups: {ANALYSTS: {reads: [{schema: mart, tables: sales}]}}")
    gate.apply()
    gate.run_sql("grant select on mart.sales to ANALYSTS with grant option")
    assert gate.plan()[0] == "- ANALYSTS: select on table mart.sales (and pass it on)"
    gate.apply()
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
    assert gate.may("ANALYSTS", "select from mart.sales")


def test_a_group_that_is_in_the_file_no_more_is_dropped(gate: Gate) -> None:
    gate.says(ANALYSTS)
    gate.apply()
    gate.says("groups: {}")
    assert "- ANALYSTS: the group itself" in gate.apply()
    assert gate.rows("select rolname from pg_roles where rolname = 'ANALYSTS'") == []
    assert gate.rows("select rolname = 'mari' from pg_roles where rolname = 'mari'") == [(True,)]


def test_a_role_of_somebody_else_is_left_alone(gate: Gate) -> None:
    gate.run_sql("create role BOSSES; grant select on mart.sales to BOSSES")
    gate.says("groups: {BOSSES: {reads: [{schema: mart}]}}")
    done = gate.run("--apply")
    assert done.status == 2
    assert "grants.yaml:1:" in done.err
    assert "exists in this cluster, and is none of the Gatekeeper's" in done.err
    gate.says("groups: {}")
    assert gate.apply() == ["gatekeeper: everything is as grants.yaml says"]
    assert gate.may("BOSSES", "set search_path to mart")
    privileges = "select relacl::text like '%BOSSES=r/%' from pg_class where relname = 'sales'"
    assert gate.rows(privileges) == [(True,)]


def test_two_projects_in_one_database_do_not_fight(gate: Gate, tmp_path: Path) -> None:
    gate.says("groups: {ANALYSTS: {reads: [{schema: mart}]}}")
    gate.apply()
    other = tmp_path / "other"
    write(
        other,
        {
            "warehouse.yaml": "registry: {schema: other_meta}",
            "connections.yaml": gate.database.connections_yaml(),
            "grants.yaml": gate.own("groups: {BOSSES: {reads: [{schema: staging}]}}"),
        },
    )
    apply_grants(open_warehouse(other))
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
    write(other, {"grants.yaml": gate.own("groups: {ANALYSTS: {}}")})
    with pytest.raises(DapuError, match=r"that of the dapu gatekeeper of \w+\.meta"):
        plan_grants(open_warehouse(other))
    write(other, {"grants.yaml": "groups: {}"})
    apply_grants(open_warehouse(other))
    assert gate.may("ANALYSTS", "select from mart.sales")


def test_replaced_and_rebuilt_tables_keep_their_grants(gate: Gate) -> None:
    gate.says(ANALYSTS)
    write(
        gate.folder,
        {
            "routes/r/route.yaml": "",
            "routes/r/staging/customer/task.yaml": "actions: [{do: database, query: q.sql}]",
            "routes/r/staging/customer/q.sql": "select 2 as id, 'lv' as country, 'c@d' as email",
            "routes/r/mart/sums/task.yaml": """
                actions: [{do: transform, query: q.sql, materialize: view}]""",
            "routes/r/mart/sums/q.sql": "select sum(amount), 1 as more from mart.sales",
        },
    )
    versioner(gate.folder)
    gate.apply()
    before = gate.rows("select 'staging.customer'::regclass::oid")
    for task in ("r.staging.customer", "r.mart.sums"):
        done = here(gate._capsys, "run", gate.folder, task, "--full")
        assert done.status == 0, done.text
    assert gate.rows("select 'staging.customer'::regclass::oid") != before
    done = here(gate._capsys, "run", gate.folder, "r.staging.customer", "--rebuild")
    assert done.status == 0, done.text
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
    assert gate.may("mari", "select id, country from staging.customer")
    assert not gate.may("mari", "select email from staging.customer")


def test_what_is_not_there_yet_is_named(gate: Gate) -> None:
    gate.says(
        "groups: {ANALYSTS: {reads: [{schema: marts}, {schema: mart, tables: [sale, 'x*']},"
        " {schema: staging, tables: customer, columns: [mail]}]}}"
    )
    plan = gate.plan()
    assert plan[:3] == [
        "? ANALYSTS: there is no schema marts yet; did you mean `mart`?",
        "? ANALYSTS: there is no table mart.sale yet; did you mean `sales`?",
        "? ANALYSTS: staging.customer has no column mail; did you mean `email`?",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("groups: {a: {members: nobody_such}}", "there is no role `nobody_such`"),
        ("groups: {pg_x: {}}", "grants.yaml:1: `pg_x` cannot be a role"),
        ("groups: {a: {read: []}}", "unknown key `read`"),
        ("groups: {a: {reads: [{tables: x}]}}", "schema"),
        ("groups: {a: {members: [x, x]}}", "names the member x twice"),
        ("groups: [a]", "groups"),
    ],
)
def test_a_file_that_is_wrong(gate: Gate, text: str, says: str) -> None:
    gate.says(text)
    done = gate.run("--apply")
    assert done.status == 2
    assert "grants.yaml:1:" in done.err
    assert says in done.err


def test_without_a_file(gate: Gate) -> None:
    done = gate.run()
    assert done.status == 2
    assert "has no grants.yaml" in done.err


def test_a_table_of_another_owner_fails_as_a_whole(gate: Gate) -> None:
    gate.run_sql(
        "alter role jaan createrole; grant create on database "
        f"{gate.database.name} to jaan; grant usage on schema staging to jaan with grant option"
    )
    connection = gate.database.connections_yaml()
    jaan = connection.replace(gate.database.server.username, gate.names["jaan"])
    write(gate.folder, {"connections.yaml": jaan})
    gate.says("groups: {ANALYSTS: {reads: [{schema: staging, tables: invoice}]}}")
    done = gate.run("--apply")
    assert done.status == 1
    assert "nothing was changed" in done.err
    assert "invoice" in done.err
    assert gate.rows("select 1 from pg_roles where rolname = 'ANALYSTS'") == []


def test_json(gate: Gate) -> None:
    gate.says("groups: {ANALYSTS: {reads: [{schema: mart, tables: sales}]}}")
    found = json.loads(gate.run("--json").out)
    assert found["applied"] is False
    assert found["new_groups"] == [gate.names["ANALYSTS"]]
    assert [one["kind"] for one in found["granted"]] == ["schema", "table"]


def test_partitions_to_come(gate: Gate) -> None:
    gate.run_sql("create table mart.part (id int) partition by range (id)")
    gate.says(ANALYSTS)
    gate.apply()
    gate.run_sql("create table mart.part_1 partition of mart.part for values from (0) to (9)")
    assert gate.may("mari", "select * from mart.part")
    assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]


def test_two_projects_in_two_databases_of_a_cluster_do_not_fight(
    gate: Gate, make_warehouse: MakeWarehouse
) -> None:
    server, other = gate.database.server, Database(gate.database.server, f"{gate.database.name}_b")
    server.execute(sql.SQL("create database {}").format(sql.Identifier(other.name)))
    gate.says(ANALYSTS)
    gate.apply()
    try:
        second = make_warehouse({"connections.yaml": other.connections_yaml()}, name="other")
        with closing(other.connect()) as session:
            rows(session, TABLES)
        write(second, {"grants.yaml": gate.own(ANALYSTS)})
        done = here(gate._capsys, "gatekeeper", second, "--apply")
        assert done.status == 2
        assert f"is that of the dapu gatekeeper of {gate.database.name}" in done.err
        # With groups of its own it leaves the first one's alone, members in common and all.
        write(second, {"grants.yaml": gate.own(ANALYSTS.replace("ANALYSTS", "BOSSES"))})
        assert here(gate._capsys, "gatekeeper", second, "--apply").status == 0
        assert gate.plan() == ["gatekeeper: everything is as grants.yaml says"]
        write(second, {"grants.yaml": "groups: {}"})
        assert here(gate._capsys, "gatekeeper", second, "--apply").status == 0
        assert gate.may("mari", "select * from mart.sales")
    finally:
        drop = sql.SQL("drop database {} with (force)")
        server.execute(drop.format(sql.Identifier(other.name)))
