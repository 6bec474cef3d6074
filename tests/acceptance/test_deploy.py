"""What stands in deploy/: manifests that Kubernetes knows, units that systemd reads.

No cluster runs here: each manifest is held to the models of the `kubernetes` client.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dapu.cli.main import cli
from tests.services import unavailable

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = [
    (file.name, document)
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for document in yaml.safe_load_all(file.read_text())
]
UNITS = sorted((DEPLOY / "systemd").iterdir())


@cache
def model(name: str) -> dict[str, str] | None:
    """The keys of a class of the client with their types; None for a plain value.

    Its text is read: to import the client takes longer than all these tests.
    """
    found = importlib.util.find_spec("kubernetes")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0]) / "client" / "models"
    file = folder / (re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() + ".py")
    if not file.is_file():
        return None
    [body] = [one for one in ast.parse(file.read_text()).body if isinstance(one, ast.ClassDef)]
    tables = {
        one.targets[0].id: ast.literal_eval(one.value)
        for one in body.body
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)
        if one.targets[0].id in ("openapi_types", "attribute_map")
    }
    return {tables["attribute_map"][key]: of for key, of in tables["openapi_types"].items()}


def unknown(value: Any, type_name: str, place: str) -> list[str]:
    """Keys that Kubernetes has not at that place, and values of another type."""
    if match := re.fullmatch(r"list\[(.+)\]", type_name):
        assert isinstance(value, list), place
        return [one for n, v in enumerate(value) for one in unknown(v, match[1], f"{place}[{n}]")]
    types = model(type_name)
    if types is None:
        wanted = {"str": str, "int": int, "bool": bool}.get(type_name)
        return [] if wanted is None or isinstance(value, wanted) else [f"{place}: no {type_name}"]
    wrong = [f"{place}.{key}" for key in value if key not in types]
    for key in value.keys() & types.keys():
        wrong += unknown(value[key], types[key], f"{place}.{key}")
    return wrong


def pod(document: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = document["spec"]
    return dict(spec.get("jobTemplate", document)["spec"]["template"]["spec"])


def commands(text: str) -> list[list[str]]:
    """The words after each `dapu`."""
    return [one.split() for one in re.findall(r"\bdapu ([a-z][^;\"\n]*)", text)]


@pytest.mark.parametrize(("file", "document"), MANIFESTS)
def test_manifests_have_the_keys_of_kubernetes(file: str, document: dict[str, Any]) -> None:
    if not importlib.util.find_spec("kubernetes"):
        unavailable("the client of Kubernetes is not installed (dapu[kubernetes])")
    assert unknown(document, f"V1{document['kind']}", file) == []


@pytest.mark.parametrize(("file", "document"), MANIFESTS)
def test_pods_have_no_rights_and_commands_that_exist(file: str, document: dict[str, Any]) -> None:
    spec = pod(document)
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    [container] = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    named = [container.get("args"), container.get("livenessProbe", {}).get("exec")]
    named = [one["command"][1:] if isinstance(one, dict) else one for one in named if one]
    for command in named or commands(container["command"][-1]):
        found = cli.get_command(click.Context(cli), command[0])
        assert found is not None
        with found.make_context(command[0], command[1:], resilient_parsing=True):
            pass


def test_units_start_commands_that_exist() -> None:
    started = [
        words
        for unit in UNITS
        for words in commands(unit.read_text().replace("/bin/dapu", "/bin dapu"))
        if words[0] in cli.list_commands(click.Context(cli))
    ]
    assert {words[0] for words in started} == {
        "worker",
        "versioner",
        "registrar",
        "manager",
        "cleaner",
    }


@pytest.mark.systemd
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        unavailable("systemd-analyze is not installed (Debian's systemd)")
    for unit in UNITS:
        text = unit.read_text().replace("/opt/dapu/bin/dapu", "/bin/true")
        (tmp_path / unit.name.replace("@", "@finances")).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_kustomize_puts_them_together() -> None:
    if not shutil.which("kubectl"):  # that of Debian 12 does not know the file's keys
        unavailable("kubectl 1.22 or newer is not installed")
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    documents = [one for one in yaml.safe_load_all(made) if one["kind"] != "Secret"]
    assert len(documents) == len(MANIFESTS)
    for one in documents:
        [container] = pod(one)["containers"]
        assert container["image"].startswith("registry.example/finances:")
        assert container["envFrom"][0]["secretRef"]["name"] != "dapu"  # the one with its hash
