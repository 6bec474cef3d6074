"""What a component leaves for machines: its log, figures, events of OpenLineage."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import MakeWarehouse
from tests.services.misbehaving_http import Reply, misbehaving_http
from tests.support.command import dapu
from tests.support.components import ROUTE, a_task
from tests.support.rounds import prepare

_GOOD = """\
    create schema s;
    create table s.good (name text);
    insert into s.good (name) select relname from pg_catalog.pg_class where false;
    """


def test_a_round_as_machines_see_it(make_warehouse: MakeWarehouse, tmp_path: Path) -> None:
    figures = tmp_path / "dapu.prom"
    with misbehaving_http() as server:
        server.on("/api/v1/lineage", Reply("", status=201))
        folder = make_warehouse({
            "warehouse.yaml": f"""\
                name: w
                logs: {{format: json, file: dapu.log}}
                metrics_file: {figures}
                openlineage: {{url: "{server.url}", api_key: "${{LINEAGE_KEY}}"}}
                """,
            ".env": "LINEAGE_KEY=very-secret-1",
            **ROUTE,
            **a_task("r.s.good", {"run.sql": _GOOD}),
            **a_task("r.s.bad", {"run.sql": "select 1 / 0"}, run="{retries: 0}",
                     depends="[r.s.good]"),
        })  # fmt: skip
        prepare(folder)
        assert dapu("manager", folder).status == 0
        done = dapu("worker", folder)
    assert (done.status, done.out) == (1, "")
    lines = [json.loads(line) for line in done.err.splitlines()]
    jobs = [one for one in lines if "task" in one]
    assert [(one["task"], one["level"], one.get("status")) for one in jobs] == [
        ("r.s.good", "info", None),
        ("r.s.good", "info", "done"),
        ("r.s.bad", "info", None),
        ("r.s.bad", "error", "failed"),
    ]
    assert {(one["worker"], one["component"], one["warehouse"]) for one in jobs} == {
        (jobs[0]["worker"], "worker", "w")
    }
    logged = [json.loads(line) for line in (folder / "dapu.log").read_text().splitlines()]
    assert [one for one in logged if one["component"] == "worker"] == lines
    assert [one["message"] for one in logged if one["component"] == "manager"]

    text = figures.read_text()
    assert 'dapu_task_failed{task="r.s.bad",warehouse="w"} 1.0' in text
    assert 'dapu_task_failed{task="r.s.good",warehouse="w"} 0.0' in text
    assert 'dapu_jobs{status="failed",warehouse="w"} 1.0' in text
    assert list(tmp_path.glob("dapu.prom*")) == [figures]

    events = [json.loads(asked.body) for asked in server.asked]
    assert [(one["job"]["name"], one["eventType"]) for one in events] == [
        ("r.s.good", "START"),
        ("r.s.good", "COMPLETE"),
        ("r.s.bad", "START"),
        ("r.s.bad", "FAIL"),
    ]
    assert [server.asked[0].headers["Authorization"], events[0]["job"]["namespace"]] == [
        "Bearer very-secret-1",
        "w",
    ]
    (good,) = events[1]["outputs"]
    (made_of,) = good["facets"]["columnLineage"]["fields"]["name"]["inputFields"]
    assert (made_of["name"].endswith(".pg_catalog.pg_class"), made_of["field"]) == (True, "relname")
    assert events[2]["inputs"][0]["name"].endswith(".s.good")
    assert "division by zero" in events[3]["run"]["facets"]["errorMessage"]["message"]
    assert len({one["run"]["runId"] for one in events}) == 2
