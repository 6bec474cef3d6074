"""What a cluster is told: a pod with a connector, and the Secret with its configuration.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/. In a pod's log its
two outputs are one, kept in parts that a full disk or a rotation may take away. So the connector's
lines are numbered in the pod: one that does not arrive is missed, and none is taken twice.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

CREATOR = {"creator": "dapu"}
ALIVE = "dapu/alive-at"  # an annotation: when dapu last looked after the pod
ENDED = "dapu-ended "  # and the exit status: the last numbered line
MOUNTED = "/config"
_OWN = "/dapu"
_GRACE = 5  # seconds that a connector has to end
_LARGEST = 1 << 20  # bytes of a Secret

# AIRBYTE_ENTRYPOINT is how each image says what runs it. Standard error is kept apart from the
# lines of the protocol, which it would otherwise stand in the middle of. A line that the connector
# did not finish is ended before the last one.
_SCRIPT = f"""\
{{
  eval "${{AIRBYTE_ENTRYPOINT:?the image has none}} \\"\\$@\\"" 2>{_OWN}/stderr
  printf '\\n{ENDED}%s\\n' $?
}} | cat -n
tail -n 100 {_OWN}/stderr >&2
"""
# Connectors of the protocol's old days ask for these.
_VARIABLES = {"USE_STREAM_CAPABLE_STATE": "true", "AUTO_DETECT_SCHEMA": "true"}
_UNITS = {"b": "", "k": "Ki", "m": "Mi", "g": "Gi"}


@dataclass(frozen=True)
class PodOrder:
    """A pod that is to run; see `Cluster` for what it has of it.

    config: a kubeconfig. memory: as docker writes it, `4g`. start_within, longest: in seconds.
    """

    name: str
    namespace: str
    config: str | None
    context: str | None
    image: str
    memory: str
    cpus: float
    service_account: str | None
    node_selector: Mapping[str, str]
    start_within: float
    longest: float

    def pod(self, words: Sequence[str]) -> dict[str, Any]:
        """The pod. words: the connector's arguments."""
        return {
            "metadata": {
                "name": self.name,
                "labels": CREATOR,
                "annotations": {ALIVE: now()},
            },
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": int(self.longest),
                "terminationGracePeriodSeconds": _GRACE,
                "enableServiceLinks": False,
                "automountServiceAccountToken": self.service_account is not None,
                "serviceAccountName": self.service_account,
                "nodeSelector": dict(self.node_selector),
                "containers": [self._container(words)],
                "volumes": [
                    {"name": "config", "secret": {"secretName": self.name, "defaultMode": 0o444}},
                    {"name": "own", "emptyDir": {}},
                ],
            },
        }

    def secret(self, documents: Mapping[str, bytes], pod_uid: str) -> dict[str, Any]:
        """The Secret, which the cluster deletes with its pod. documents: by name, as JSON.

        Raises ValueError when they are too large for one.
        """
        size = sum(map(len, documents.values()))
        if size > _LARGEST:
            raise ValueError(
                f"configuration, catalog and state have {size:,} bytes, and a Secret of Kubernetes "
                "holds 1 MB: read fewer streams in one task"
            )
        owner = {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": pod_uid}
        return {
            "metadata": {"name": self.name, "labels": CREATOR, "ownerReferences": [owner]},
            "immutable": True,
            "data": {
                f"{name}.json": base64.b64encode(content).decode()
                for name, content in documents.items()
            },
        }

    def _container(self, words: Sequence[str]) -> dict[str, Any]:
        limits = {"cpu": f"{self.cpus:g}", "memory": _quantity(self.memory)}
        return {
            "name": "connector",
            "image": self.image,
            "imagePullPolicy": "Always" if self.image.endswith(":latest") else "IfNotPresent",
            "command": ["/bin/sh", "-c", _SCRIPT, "dapu"],
            "args": list(words),
            "env": [{"name": name, "value": value} for name, value in _VARIABLES.items()],
            "resources": {"limits": limits},  # and as much is asked of a node
            "securityContext": {"allowPrivilegeEscalation": False},
            "volumeMounts": [
                {"name": "config", "mountPath": MOUNTED, "readOnly": True},
                {"name": "own", "mountPath": _OWN},
            ],
        }


def now() -> str:
    """The time, as annotations have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _quantity(memory: str) -> str:
    """Docker's `g` is Kubernetes' `Gi`."""
    return memory[:-1] + _UNITS[memory[-1]] if memory[-1] in _UNITS else memory
