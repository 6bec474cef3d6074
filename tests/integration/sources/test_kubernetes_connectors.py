"""Connectors as pods, with an API server of Kubernetes that runs them on this machine."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dapu.sources.connectors import pod_program
from dapu.sources.connectors.pod_order import ALIVE, CREATOR, PodOrder
from tests.conftest import Database, MakeWarehouse
from tests.services.fake_kubernetes import NAMESPACE, FakeKubernetes
from tests.services.scripted_connector import IMAGE, ScriptedConnector, record, state, status
from tests.support.command import running, wait_until
from tests.support.one_task import TASK, OneTask
from tests.support.rounds import prepare

DONE = status("users", "COMPLETE")
ROW = record("users", id=1)


@pytest.fixture
def cluster(tmp_path: Path, connector: ScriptedConnector) -> Iterator[FakeKubernetes]:
    with FakeKubernetes(tmp_path / "node", tmp_path / "connector").running() as found:
        yield found


@pytest.fixture
def program(
    cluster: FakeKubernetes,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Runs the program here: its status, what it printed, and what it said beside that."""
    monkeypatch.setattr(pod_program, "_PAUSE", 0.02)
    monkeypatch.setattr(pod_program, "_HEARTBEAT", 0.02)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (tmp_path / "config").write_text('{"password": "hidden-word-1"}')

    def run(within: float = 20) -> tuple[int, list[str], str]:
        order = PodOrder(
            name="dapu-1",
            namespace=NAMESPACE,
            config=str(tmp_path / "node/kubeconfig"),
            context="here",
            image="airbyte/source-faker:6.2.10",
            memory="512m",
            cpus=1.5,
            service_account="connectors",
            node_selector={"pool": "jobs"},
            start_within=within,
            longest=3600,
        )
        given = [f"config={tmp_path}/config", "--", "read", "--config", "/config/config.json"]
        found = pod_program.main(["run", json.dumps(asdict(order)), *given])
        out, said = capfdbinary.readouterr()
        assert not any(name == order.name for name in cluster.left())
        assert b"hidden-word-1" not in out + said
        return found, out.decode().splitlines(), said.decode()

    return run


def test_a_task_reads_and_continues_from_pods_of_which_nothing_is_left(
    make_warehouse: MakeWarehouse,
    database: Database,
    cluster: FakeKubernetes,
    connector: ScriptedConnector,
) -> None:
    task = OneTask(make_warehouse, database)
    task.has(IMAGE + cluster.connection, "do: airbyte\nstream: users")
    connector.says(ROW, state("users", 1), DONE)
    task.run()
    connector.says(record("users", id=2), state("users", 2), DONE)
    task.run()
    assert task.rows() == [(1,), (2,)]
    assert connector.was_given("state")[0]["stream"]["stream_state"] == {"at": 1}
    assert connector.was_given("config") == {"password": "hidden-word-1", "count": 1.1}
    assert cluster.left() == []


def test_nothing_is_left_when_dapu_is_killed(
    make_warehouse: MakeWarehouse,
    database: Database,
    cluster: FakeKubernetes,
    connector: ScriptedConnector,
) -> None:
    task = OneTask(make_warehouse, database)
    task.has(IMAGE + cluster.connection, "do: airbyte\nstream: users")
    connector.says("sleep 600")
    prepare(task.folder)
    with running("run", task.folder, TASK) as process:
        wait_until(lambda: len(cluster.made) == 4 and cluster.left())  # the first is `discover`
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: cluster.left() == [])


def test_what_a_pod_is_told(program: Any, cluster: FakeKubernetes, connector: Any) -> None:
    connector.says(ROW, "sleep 0.2")
    assert program() == (0, [ROW[2:]], "")
    assert cluster.looked_after
    pod, secret = cluster.made
    spec = pod["spec"]
    container = spec["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "1.5", "memory": "512Mi"}}
    assert container["args"] == ["read", "--config", "/config/config.json"]
    assert (spec["serviceAccountName"], spec["nodeSelector"]) == ("connectors", {"pool": "jobs"})
    assert (spec["restartPolicy"], spec["activeDeadlineSeconds"]) == ("Never", 3600)
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    assert "hidden-word-1" not in json.dumps(pod)


def test_a_failed_connector_keeps_its_status_and_its_last_words(
    program: Any, connector: ScriptedConnector
) -> None:
    connector.says(ROW, "stderr no more disk", "exit 7")
    assert program() == (7, [ROW[2:]], "no more disk")


def test_a_log_that_breaks_off_is_read_on_with_no_line_lost_or_doubled(
    program: Any, cluster: FakeKubernetes, connector: ScriptedConnector
) -> None:
    cluster.cuts_logs, cluster.loses_answers = 3, 2
    connector.says(*[record("users", id=number) for number in range(20)])
    found, lines, said = program()
    assert said == ""
    assert found == 0
    assert [json.loads(line)["record"]["data"]["id"] for line in lines] == [*range(20)]


def test_a_line_that_the_node_did_not_keep_is_missed(
    program: Any, cluster: FakeKubernetes, connector: ScriptedConnector
) -> None:
    cluster.forgets = 100
    connector.says(ROW, ROW, ROW)
    found, _, said = program()
    assert found == 1
    assert "containerLogMaxSize" in said


@pytest.mark.parametrize(
    ("reason", "within"), [("ImagePullBackOff", 0.3), ("InvalidImageName", 20)]
)
def test_a_pod_that_does_not_start_ends_with_its_state(
    program: Any, cluster: FakeKubernetes, reason: str, within: float
) -> None:
    cluster.waits_for = {"reason": reason, "message": "Back-off pulling image"}
    found, lines, said = program(within)
    assert (found, lines) == (1, [])
    assert f"connector: {reason}: Back-off pulling image" in said


def test_an_evicted_pod_fails_with_its_state(
    program: Any, cluster: FakeKubernetes, connector: ScriptedConnector
) -> None:
    cluster.evicts = True
    connector.says(ROW, "sleep 600")
    found, lines, said = program()
    assert found == 1
    assert ROW[2:].startswith("".join(lines))
    assert "Failed: Evicted: The node was low on resource: memory." in said


@pytest.mark.parametrize("kind", ["pods", "secrets"])
def test_what_is_forbidden_is_said_in_the_clusters_words(
    program: Any, cluster: FakeKubernetes, kind: str
) -> None:
    cluster.forbids = f"POST /api/v1/namespaces/etl/{kind}"
    found, _, said = program()
    assert found == 1
    assert f"refuses (403): User cannot {cluster.forbids}" in said


def test_what_a_lost_machine_left_is_deleted_by_the_next_run(
    program: Any, cluster: FakeKubernetes, connector: ScriptedConnector
) -> None:
    for name, day in (("dapu-old", "2026-01-01"), ("dapu-new", "2126-01-01")):
        marks = {"labels": CREATOR, "annotations": {ALIVE: f"{day}T00:00:00+00:00"}}
        cluster.add("pods", {"metadata": {"name": name, **marks}, "spec": {"containers": []}})
    connector.says(ROW)
    program()
    assert cluster.left() == ["dapu-new"]
