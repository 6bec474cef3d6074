"""Manifests of packages: read as text, and none of the package's code with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dapu.errors import FaultyFile, JobError
from dapu.sources.connectors.kept_catalog import catalog_of
from dapu.sources.connectors.manifest import (
    cdk_of,
    custom_components,
    manifest_of_package,
    read_manifest,
    spec_of,
)

MANIFEST = "version: 0.29.0\nstreams: []\ndefinitions: {class_name: {type: string}}\n"
CODE = "raise SystemExit('the code of a package was run')"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip goes by."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(index: Path, **files: str) -> None:
    info = "airbyte_source_thing-1.0.dist-info"
    with zipfile.ZipFile(index / "airbyte_source_thing-1.0-py3-none-any.whl", "w") as archive:
        metadata = "Metadata-Version: 2.1\nName: airbyte-source-thing\nVersion: 1.0\n"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        for name, text in files.items():
            archive.writestr(name, text)


def test_a_manifest_comes_with_its_schemas_and_spec_and_no_code(
    index: Path, tmp_path: Path
) -> None:
    wheel(
        index,
        **{
            "source_thing/manifest.yaml": MANIFEST,
            "source_thing/schemas/users.json": "{}",
            "source_thing/spec.yaml": "connectionSpecification: {type: object}",
            "source_thing/__init__.py": CODE,
            "source_thing/components.py": CODE,
        },
    )
    path = manifest_of_package(tmp_path / "kept", "airbyte-source-thing", "1.0")
    found = {str(file.relative_to(path.parent)) for file in path.parent.rglob("*.*")}
    assert "source_thing/schemas/users.json" in found
    assert (path.parent / "source_thing/__init__.py").read_text() == ""
    assert "source_thing/components.py" not in found
    manifest = read_manifest(path)
    assert spec_of(manifest) == {"connectionSpecification": {"type": "object"}}
    assert custom_components(manifest) == []
    for file in index.iterdir():
        file.unlink()
    assert manifest_of_package(tmp_path / "kept", "airbyte-source-thing", "1.0") == path


def test_a_package_without_a_manifest_is_refused(index: Path, tmp_path: Path) -> None:
    wheel(index, **{"source_thing/__init__.py": CODE})
    with pytest.raises(JobError, match=r"no manifest\.yaml"):
        manifest_of_package(tmp_path, "airbyte-source-thing", "1.0")
    with pytest.raises(JobError, match="cannot be fetched"):
        manifest_of_package(tmp_path, "airbyte-source-thing", "2.0")


@pytest.mark.parametrize("text", ["a: [", "[]", "type: Other\nstreams: []", "version: 1"])
def test_what_is_not_a_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    with pytest.raises(FaultyFile) as error:
        read_manifest(path)
    assert error.value.faults[0].file == path


def test_code_beside_a_manifest_is_found_wherever_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("streams: [{retriever: {requester: {class_name: source_thing.components.A}}}]")
    assert custom_components(read_manifest(path)) == ["source_thing.components.A"]


SAYS_ALL = """
streams: ["#/definitions/users", {$ref: "#/definitions/users", name: others}]
definitions:
  users:
    type: DeclarativeStream
    name: users
    incremental_sync: {cursor_field: "{{ parameters['at'] }}"}
    schema_loader: {$ref: "#/definitions/loader"}
  loader: {type: InlineSchemaLoader, schema: {properties: {name: {type: string}}}}
"""


def test_a_catalog_that_is_all_in_the_manifest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(SAYS_ALL)
    kept = catalog_of(read_manifest(path), tmp_path)
    assert kept is not None
    assert kept.read() is None
    kept.write([{"name": "users"}])
    assert kept.read() == [{"name": "users"}]
    kept.file.write_text('[{"name')
    assert kept.read() is None
    path.write_text(SAYS_ALL.replace("string", "integer"))
    other = catalog_of(read_manifest(path), tmp_path)
    assert other is not None
    assert other.file != kept.file


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("parameters['at']", "config['at']"),
        ("InlineSchemaLoader", "DynamicSchemaLoader"),
        ("type: DeclarativeStream", "type: StateDelegatingStream"),
        ('schema_loader: {$ref: "#/definitions/loader"}', ""),
        ("#/definitions/loader", "#/definitions/missing"),
        ("#/definitions/loader", "#/definitions/users/schema_loader"),
        ("definitions:", "dynamic_streams: [{}]\ndefinitions:"),
    ],
)
def test_a_catalog_that_depends_on_more_is_asked_for(tmp_path: Path, part: str, other: str) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(SAYS_ALL.replace(part, other, 1))
    assert catalog_of(read_manifest(path), tmp_path) is None


def test_a_manifest_of_older_words_has_the_last_cdk_that_knows_them() -> None:
    stream = {"retriever": {"request_parameters": {"since": "{{ stream_state['at'] }}"}}}
    assert cdk_of({"streams": [stream]}).startswith("6.33.")
    newer = {"description": "stream_state is no template", "since": "{{ stream_interval.start }}"}
    assert cdk_of({"streams": [newer]}) == cdk_of({})
