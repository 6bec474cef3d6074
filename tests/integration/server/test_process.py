"""`dapu server` as a process: it starts workers when requests wait, and ends when asked to."""

from __future__ import annotations

import signal
import socket

import pytest
import requests

from tests.services.scripted_connector import ScriptedConnector
from tests.support.command import dapu, running, wait_until
from tests.support.served import SHOP, TOKEN, Served


@pytest.mark.slow
def test_a_request_is_answered_by_a_worker_of_the_servers_own(
    served: Served, connector: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector.refuses("closed today")
    monkeypatch.setenv("SYNCCTL_AUTH_TOKENS", TOKEN)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ("server", served.folder, "--host", "127.0.0.1", "--port", str(port))
    served.url = f"http://127.0.0.1:{port}"
    with running(*command) as process:
        wait_until(lambda: _is_healthy(served))
        served.post("/check", {}, **SHOP, storageKey="k")
        wait_until(lambda: served.rows("select * from meta.source_check"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    query = "select status, description from meta.source_check"
    assert served.rows(query) == [("FAILED", "closed today")]


def test_without_tokens_it_does_not_listen_for_others(served: Served) -> None:
    done = dapu("server", served.folder, "--host", "0.0.0.0")
    assert done.status == 2
    assert "SYNCCTL_AUTH_TOKENS" in done.text


def _is_healthy(served: Served) -> bool:
    try:
        return served.get("/health", None).ok
    except requests.ConnectionError:
        return False
