"""How the server is set up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dapu.errors import ConfigurationError
from dapu.server.settings import read_server_settings

TOKENS = {"SYNCCTL_AUTH_TOKENS": "a-token"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_without_tokens_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(ConfigurationError, match="SYNCCTL_AUTH_TOKENS"):
        read_server_settings({}, host, None, "staging")
    assert read_server_settings(TOKENS, host, None, "staging").host == host


def test_where_it_listens_by_itself() -> None:
    assert read_server_settings({}, None, None, "staging").host == "127.0.0.1"
    assert read_server_settings(TOKENS, None, None, "staging").host == "0.0.0.0"
    for host in ("::1", "127.0.0.2", "localhost"):
        assert read_server_settings({}, host, None, "staging").host == host


def test_the_port_is_the_options_then_the_variables() -> None:
    both = {"SYNCCTL_HTTP_PORT": "1111", "PORT": "2222"}
    assert read_server_settings(both, None, 3333, "staging").port == 3333
    assert read_server_settings(both, None, None, "staging").port == 1111
    assert read_server_settings({"PORT": "2222"}, None, None, "staging").port == 2222
    assert read_server_settings({}, None, None, "staging").port == 3043


def test_how_long_a_request_may_take() -> None:
    assert read_server_settings({}, None, None, "staging").timeout == timedelta(hours=48)
    hours = {"SYNCCTL_TASK_TIMEOUT_HOURS": "2"}
    assert read_server_settings(hours, None, None, "staging").timeout == timedelta(hours=2)
    with pytest.raises(ConfigurationError, match="SYNCCTL_TASK_TIMEOUT_HOURS"):
        read_server_settings({"SYNCCTL_TASK_TIMEOUT_HOURS": "a day"}, None, None, "staging")
