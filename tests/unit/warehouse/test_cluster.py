"""Where pods run, as variables say it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dapu.errors import ConfigurationError
from dapu.warehouse.cluster import Cluster, read_cluster


def test_variables_of_the_known_controller() -> None:
    cluster = read_cluster(
        {
            "SYNCCTL_KUBERNETES_NAMESPACE": "etl",
            "SYNCCTL_KUBERNETES_CLIENT_CONFIG": "local",
            "SYNCCTL_KUBERNETES_NODE_SELECTOR": '{"pool": "jobs"}',
            "SYNCCTL_CONTAINER_INIT_TIMEOUT_SECONDS": "90",
            "SYNCCTL_TASK_TIMEOUT_HOURS": "2",
        }
    )
    assert cluster == Cluster(
        namespace="etl",
        node_selector={"pool": "jobs"},
        start_within=timedelta(seconds=90),
        longest=timedelta(hours=2),
    )
    assert read_cluster({}) == Cluster()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SYNCCTL_KUBERNETES_NAMESPACE", "../secrets"),
        ("SYNCCTL_KUBERNETES_NODE_SELECTOR", "[pool]"),
        ("SYNCCTL_KUBERNETES_NODE_SELECTOR", "{pool"),
        ("SYNCCTL_CONTAINER_INIT_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_what_cannot_be_is_refused_by_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read_cluster({name: value})
