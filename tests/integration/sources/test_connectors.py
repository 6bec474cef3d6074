"""Connectors by hand: `dapu connectors`, and what discover and generate find in their catalogs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database, MakeWarehouse
from tests.services.scripted_connector import ScriptedConnector, record, state, status, stream
from tests.support.command import Finished, here
from tests.support.rounds import run_task

USERS = stream("users", {"id": "integer", "name": "string"})
RATES = stream(
    "exchange rates",
    {"rate": "number"},
    key=None,
    supported_sync_modes=["full_refresh"],
)


class Connectors:
    """A warehouse with a route of a scripted connector."""

    def __init__(
        self, folder: Path, connector: ScriptedConnector, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.connector, self._capsys = folder, connector, capsys

    def run(self, *words: str) -> Finished:
        """A command. words: DIR stands for the warehouse directory."""
        return here(self._capsys, *(self.folder if word == "DIR" else word for word in words))

    def json(self, *words: str) -> Any:
        """What a command prints; it must succeed."""
        done = self.run(*words)
        assert done.status == 0, done.text
        return json.loads(done.out)


@pytest.fixture
def connectors(
    make_warehouse: MakeWarehouse,
    database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Connectors:
    place = tmp_path / "connector"
    place.mkdir()
    connector = ScriptedConnector(place)
    connector.has(USERS, RATES)
    keys = connector.connection.replace("\n", "\n  ")
    folder = make_warehouse(
        {
            "connections.yaml": f"{database.connections_yaml()}- name: shop\n  {keys}\n",
            "routes/shop/route.yaml": "connection: shop",
        }
    )
    return Connectors(folder, connector, capsys)


def test_the_four_commands(connectors: Connectors) -> None:
    [listed] = connectors.json("connectors", "list", "DIR", "--json")
    assert (listed["connection"], listed["installed"]) == ("shop", True)
    assert "connectionSpecification" in connectors.json("connectors", "spec", "DIR", "shop")
    assert connectors.run("connectors", "check", "DIR", "shop").status == 0
    catalog = connectors.json("connectors", "discover", "DIR", "shop")
    assert [one["name"] for one in catalog["streams"]] == ["users", "exchange rates"]


def test_a_check_that_fails_says_why(connectors: Connectors) -> None:
    connectors.connector.refuses("the token is void")
    done = connectors.run("connectors", "check", "DIR", "shop")
    assert (done.status, "the token is void" in done.text) == (1, True)


def test_another_kind_of_connection_is_refused(connectors: Connectors) -> None:
    done = connectors.run("connectors", "check", "DIR", "main")
    assert (done.status, "`main` is not a connector" in done.text) == (2, True)


def test_discover_lists_streams_with_their_columns(connectors: Connectors) -> None:
    users, rates = connectors.json("discover", "DIR", "shop", "--json")["items"]
    assert users["columns"] == {"id": "bigint", "name": "text"}
    assert (users["key"], rates["modes"]) == (["id"], ["full_refresh"])
    assert "bigint" in connectors.run("discover", "DIR", "shop").out


def test_generate_writes_a_task_a_stream_that_runs(connectors: Connectors) -> None:
    done = connectors.run("generate", "DIR", "shop", "--schema", "staging")
    assert done.status == 0, done.text
    folder = connectors.folder / "routes/shop/staging"
    assert (folder / "users/task.yaml").read_text() == (
        "actions:\n  - do: airbyte\n    stream: users\n    load: merge\n    key: [id]\n"
    )
    assert "load: replace" in (folder / "exchange_rates/task.yaml").read_text()
    connectors.connector.says(record("users", id=1), state("users", 1), status("users", "COMPLETE"))
    outcome = run_task(connectors.folder, "shop.staging.users")
    assert (outcome.status, outcome.rows) == ("done", 1)
