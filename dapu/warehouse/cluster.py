"""A cluster of Kubernetes, where connectors run as pods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from dapu.errors import ConfigurationError
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.yamlfile import Strict

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class Cluster(Strict):
    """Which cluster, and what its pods have in common."""

    namespace: _Name = Field("default", description="Where its pods are")
    config: str | None = Field(
        None,
        description="A kubeconfig, relative to the warehouse directory; default as kubectl finds "
        "one, and in a pod that pod's service account",
    )
    context: str | None = Field(None, description="A context of it; default its current one")
    service_account: _Name | None = Field(None, description="Of the connector's pod")
    node_selector: dict[str, str] = Field({}, description="Labels of the nodes it may run on")
    start_within: Duration = Field(
        timedelta(minutes=3), description="A pod that has not started after so long is given up"
    )
    longest: Duration = Field(
        timedelta(hours=48), description="After so long the cluster itself ends the pod"
    )


# By the names that Jitsu's sync controller has for them; a number's unit stands behind it.
_VARIABLES = {
    "SYNCCTL_KUBERNETES_NAMESPACE": ("namespace", ""),
    "SYNCCTL_KUBERNETES_CLIENT_CONFIG": ("config", ""),
    "SYNCCTL_KUBERNETES_CONTEXT": ("context", ""),
    "SYNCCTL_PODS_SERVICE_ACCOUNT": ("service_account", ""),
    "SYNCCTL_CONTAINER_INIT_TIMEOUT_SECONDS": ("start_within", " seconds"),
    "SYNCCTL_TASK_TIMEOUT_HOURS": ("longest", " hours"),
}
_SELECTOR = "SYNCCTL_KUBERNETES_NODE_SELECTOR"
_IN_CLUSTER = "local"  # what the controller calls it; here it is found without


def read_cluster(environment: Mapping[str, str]) -> Cluster:
    """The cluster that variables name. Raises ConfigurationError for a value that cannot be."""
    given: dict[str, Any] = {
        key: environment[name] + unit
        for name, (key, unit) in _VARIABLES.items()
        if environment.get(name)
    }
    if given.get("config") == _IN_CLUSTER:
        del given["config"]
    try:
        if environment.get(_SELECTOR):
            given["node_selector"] = yaml.safe_load(environment[_SELECTOR])
        return Cluster.model_validate(given)
    except yaml.YAMLError:
        raise ConfigurationError(f"{_SELECTOR} is not a mapping of labels") from None
    except ValidationError as error:
        first = error.errors()[0]
        names = {key: name for name, (key, _) in _VARIABLES.items()}
        name = names.get(str(first["loc"][0]), _SELECTOR)
        raise ConfigurationError(f"{name} is not what it must be: {first['msg']}") from None
