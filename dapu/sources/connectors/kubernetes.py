"""Connectors that are images, as pods of Kubernetes: a pod a run, and nothing left of it.

dapu runs `pod_program`, which does for a cluster what `docker run` does for an engine. The
configuration reaches it as files in memory and the cluster as a Secret; it is in no argument.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from dapu.errors import JobError
from dapu.sources.connectors.pod_order import MOUNTED, PodOrder
from dapu.sources.connectors.prepared import Prepared
from dapu.sources.connectors.runner import Runner
from dapu.sources.connectors.secret_file import secret_files
from dapu.sources.documents.exact_json import dump
from dapu.warehouse.cluster import Cluster

# How the client finds the cluster.
_VARIABLES = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
_PROGRAM = (sys.executable, "-P", "-m", "dapu.sources.connectors.pod_program")


@dataclass(frozen=True)
class KubernetesRunner(Runner):
    """Runs an image as a pod. order: what all its pods have in common."""

    order: PodOrder | None = None

    @contextmanager
    def prepared(self, documents: Mapping[str, Any]) -> Iterator[Prepared]:
        """See `Runner`."""
        assert self.order is not None
        order = dump(asdict(replace(self.order, name=f"dapu-{uuid4().hex}")))
        with secret_files(documents) as files:
            given = [f"{name}={file.path}" for name, file in files.items()]
            yield Prepared(
                [*_PROGRAM, "run", order, *given, "--"],
                {name: f"{MOUNTED}/{name}.json" for name in documents},
                list(files.values()),
                variables=_VARIABLES,
                cleanup=[[*_PROGRAM, "delete", order]],
            )


def kubernetes_runner(
    cluster: Cluster, folder: Path, image: str, memory: str, cpus: float
) -> KubernetesRunner:
    """The runner of an image. folder: the warehouse directory. memory: as docker writes it, `4g`.

    Raises JobError where the client of Kubernetes is not installed.
    """
    if find_spec("kubernetes") is None:
        raise JobError("pods need one more package: pip install 'dapu[kubernetes]'")
    order = PodOrder(
        name="",
        namespace=cluster.namespace,
        config=str(folder / cluster.config) if cluster.config else None,
        context=cluster.context,
        image=image,
        memory=memory,
        cpus=cpus,
        service_account=cluster.service_account,
        node_selector=cluster.node_selector,
        start_within=cluster.start_within.total_seconds(),
        longest=cluster.longest.total_seconds(),
    )
    return KubernetesRunner([], order=order)
