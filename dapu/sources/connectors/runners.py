"""Which runner each kind of connector has; what it needs is installed on the way."""

from __future__ import annotations

from pathlib import Path

from dapu.errors import JobError
from dapu.sources.connectors import manifest
from dapu.sources.connectors.config import KEPT
from dapu.sources.connectors.docker import DockerRunner
from dapu.sources.connectors.environments import environment_of, program_of
from dapu.sources.connectors.kept_catalog import catalog_of
from dapu.sources.connectors.kubernetes import kubernetes_runner
from dapu.sources.connectors.runner import Runner
from dapu.warehouse.connection_kinds import ConnectorConnection


def runner_of(connection: ConnectorConnection, folder: Path) -> Runner:
    """The runner of a connection; what it needs is installed now if it is not yet.

    folder: the warehouse directory.
    Raises JobError when it cannot be installed or runs code that the connection does not allow.
    """
    folder = folder.absolute()  # a connector may run elsewhere
    kept = folder / KEPT
    if connection.manifest is not None:
        return _of_manifest(connection, folder, kept)
    if connection.command is not None:
        return Runner([_program(connection.command[0], folder), *connection.command[1:]])
    if connection.image is not None:
        image, memory = f"{connection.image}:{connection.version}", connection.memory
        if connection.kubernetes is not None:
            return kubernetes_runner(connection.kubernetes, folder, image, memory, connection.cpus)
        return DockerRunner([], image=image, memory=memory, cpus=connection.cpus)
    package, version = str(connection.package), str(connection.version)
    place = environment_of(kept, package, version)
    program = place / connection.program if connection.program else program_of(place, package)
    if not program.is_file():
        raise JobError(f"the package {package} {version} brings no program {connection.program}")
    return Runner([str(program)])


def _of_manifest(connection: ConnectorConnection, folder: Path, kept: Path) -> Runner:
    if isinstance(connection.manifest, str):
        path = folder / connection.manifest
        if not path.is_file():
            raise JobError(f"there is no manifest {path}")
    else:
        package, version = str(connection.package), str(connection.version)
        path = manifest.manifest_of_package(kept, package, version)
    document = manifest.read_manifest(path)
    custom = manifest.custom_components(document)
    if custom and not connection.custom_code:
        raise JobError(
            f"{connection} needs Python code beside its manifest ({', '.join(custom)}), which is "
            "not run; with `custom_code: true` and without `manifest: true` the package itself is"
        )
    place = environment_of(kept, manifest.CDK, connection.cdk or manifest.cdk_of(document))
    program = str(program_of(place, manifest.PROGRAM))
    injected = {manifest.INJECTED: document}
    texts = path.parent if connection.manifest is True else None
    catalog = catalog_of(document, place.parent)
    return Runner([program], injected, manifest.spec_of(document), texts, catalog)


def _program(name: str, folder: Path) -> str:
    """A program with a slash in its name is relative to the warehouse directory."""
    return str(folder / name) if "/" in name else name
