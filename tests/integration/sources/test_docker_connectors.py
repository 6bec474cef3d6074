"""Connectors that are images, with a program in docker's place that checks what it is told."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dapu.errors import FaultyFile
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import Database, MakeWarehouse
from tests.services.fake_docker import FakeDocker
from tests.services.scripted_connector import IMAGE, ScriptedConnector, record, state, status
from tests.support.command import running, wait_until
from tests.support.one_task import TASK, OneTask
from tests.support.rounds import prepare

DONE = status("users", "COMPLETE")


@pytest.fixture
def docker(
    tmp_path: Path, connector: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> FakeDocker:
    found = FakeDocker(tmp_path / "docker", tmp_path / "connector")
    monkeypatch.setenv("PATH", f"{found.folder}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def task(make_warehouse: MakeWarehouse, database: Database, docker: FakeDocker) -> OneTask:
    found = OneTask(make_warehouse, database)
    found.has(IMAGE, "do: airbyte\nstream: users")
    return found


def test_an_image_runs_with_limits_and_nothing_secret_is_in_its_words(
    task: OneTask, docker: FakeDocker, connector: ScriptedConnector
) -> None:
    connector.says(record("users", id=1), state("users", 1), DONE)
    task.run()
    connector.says(record("users", id=2), state("users", 2), DONE)
    task.run()
    assert task.rows() == [(1,), (2,)]
    assert connector.was_given("state")[0]["stream"]["stream_state"] == {"at": 1}
    assert connector.was_given("config") == {"password": "hidden-word-1", "count": 1.1}
    run = docker.runs[-1]
    assert run["image"] == "airbyte/source-faker:6.2.10"
    assert run["words"] == [
        "read",
        *(
            word
            for name in ("config", "catalog", "state")
            for word in (f"--{name}", f"/config/{name}.json")
        ),
    ]
    flags = {name: values[-1] for name, values in run["flags"].items()}
    assert flags["--memory"] == "512m"
    assert flags["--cpus"] == "1.5"
    assert flags["--security-opt"] == "no-new-privileges"
    assert "--rm" in flags
    assert {mount["modes"] for mount in run["mounts"]} == {"0o700 0o444"}
    assert "hidden-word-1" not in str(docker.runs)
    assert docker.left() == []


def test_a_moved_tag_is_fetched_again(
    task: OneTask, docker: FakeDocker, connector: ScriptedConnector
) -> None:
    connector.says(DONE)
    task.run()
    task.has(IMAGE.replace("6.2.10", "latest"), "do: airbyte\nstream: users")
    task.run()
    pulls = [run["flags"]["--pull"] for run in docker.runs]
    assert (pulls[0], pulls[-1]) == (["missing"], ["always"])


def test_a_silent_image_is_ended_with_its_container(
    task: OneTask, docker: FakeDocker, connector: ScriptedConnector
) -> None:
    task.has(f"{IMAGE}silence: 1 second", "do: airbyte\nstream: users")
    connector.says("sleep 600")
    assert "silent" in task.fails()
    assert docker.left() == []


def test_an_image_that_does_wrong_leaves_nothing_behind(
    task: OneTask, docker: FakeDocker, connector: ScriptedConnector
) -> None:
    for lines, words in (
        ([record("users", id=1), '> {"type": "RECORD", "rec'], "broken message"),
        ([record("strangers", id=1)], "not asked for"),
        ([record("users", id="x"), DONE], "record 1"),
        ([record("users", id=1), "stderr out of memory", "exit 137"], "out of memory"),
    ):
        connector.says("> Pulling from airbyte/source-faker", *lines)
        assert words in task.fails()
        assert docker.left() == []


def test_nothing_is_left_when_dapu_is_killed(
    task: OneTask, docker: FakeDocker, connector: ScriptedConnector
) -> None:
    connector.says("sleep 600")
    prepare(task.folder)
    with running("run", task.folder, TASK) as process:
        wait_until(lambda: len(docker.runs) == 2 and docker.left())  # the first is `discover`
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: docker.left() == [])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("image", "--privileged", "image"),
        ("image", "a b", "image"),
        ("version", "'x y'", "version"),
        ("memory", "much", "memory"),
    ],
)
def test_what_docker_would_take_for_something_else_is_refused(
    task: OneTask, key: str, value: str, words: str
) -> None:
    old = next(line for line in IMAGE.splitlines() if line.startswith(f"{key}: "))
    task.has(IMAGE.replace(old, f"{key}: {value}"), "do: airbyte\nstream: users")
    with pytest.raises(FaultyFile, match=words):
        open_warehouse(task.folder)
