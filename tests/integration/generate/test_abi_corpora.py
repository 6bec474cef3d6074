"""ABIs and values of others: ethers' test cases, and contracts of OpenZeppelin and Uniswap.

A sample of them; `scripts/abi-corpora` runs all.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from dapu.generate.views.abi import Entry, Input, read_abi
from dapu.generate.views.abi_types import AbiType, name_of, read_type
from dapu.warehouse.warehouse import open_warehouse
from tests.conftest import MakeWarehouse
from tests.services import npm
from tests.services.postgres import Postgres
from tests.support.abi_decoder import Decoder
from tests.support.chain import Chain
from tests.support.command import here
from tests.support.components import ROUTE, one, versioner

STEP = 1 if os.environ.get("DAPU_ALL_CASES") else 20
PACKAGES = (
    "@ethersproject/testcases@5.8.0",
    "@openzeppelin/contracts@5",
    "@uniswap/v2-core@1",
    "@uniswap/v3-core@1",
)


@pytest.fixture(scope="module")
def npm_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm.installed(tmp_path_factory.mktemp("npm"), *PACKAGES)


@pytest.fixture(scope="module")
def decoder(postgres_server: Postgres) -> Iterator[Decoder]:
    postgres_server.execute(sql.SQL("create database abi_corpora"))
    with closing(psycopg2.connect(postgres_server.uri("abi_corpora"))) as session:
        yield Decoder(session)


def cases(npm_packages: Path, name: str) -> list[dict[str, Any]]:
    """The test cases of a file of ethers."""
    file = npm_packages / f"@ethersproject/testcases/testcases/{name}.json.gz"
    found = json.loads(gzip.decompress(file.read_bytes()))
    assert len(found) > 1000
    return list(found[::STEP])


def bare(value: Any) -> Any:
    """A value without its type beside it."""
    if isinstance(value, dict):
        return bare(value["value"])
    return [bare(item) for item in value] if isinstance(value, list) else value


def expected(of: AbiType, value: Any, *, inside: bool = False) -> Any:
    """A value of a test case as the view has it."""
    match of.kind:
        case "array":
            return [expected(of.items[0], item, inside=True) for item in value]
        case "tuple":
            items = [expected(k, v, inside=True) for k, v in zip(of.items, value, strict=True)]
            return dict(zip(of.keys, items, strict=True)) if of.keys else items
        case "uint" | "int":
            return int(value, 0)
        case "address":
            return value.lower()
        case "bytes" | "fixed_bytes":
            digits = value[2 : 2 + 2 * of.size] if of.size else value[2:]
            return f"0x{digits}" if inside else bytes.fromhex(digits)
    return value


@pytest.mark.parametrize("name", ["contract-interface", "contract-interface-abi2"])
def test_values_of_ethers(npm_packages: Path, decoder: Decoder, name: str) -> None:
    for case in cases(npm_packages, name):
        outputs = json.loads(case["interface"])[0]["outputs"]
        inputs = [Input(name_of(one), read_type(one)) for one in outputs]
        values, error = decoder.values(inputs, bytes.fromhex(case["result"][2:]))
        # `values` may be more than the type holds: what the contract returned is normalized.
        told = json.loads(case.get("normalizedValues") or case["values"])
        wanted = [expected(one.type, bare(value)) for one, value in zip(inputs, told, strict=True)]
        assert (error, values) == (None, wanted), case["name"]


def test_events_of_ethers(npm_packages: Path, decoder: Decoder) -> None:
    for case in cases(npm_packages, "contract-events"):
        event = next(one for one in read_abi(case["interface"]).entries if one.name == "testEvent")
        topics = [bytes.fromhex(topic[2:]) for topic in case["topics"]]
        values, error = decoder.log(event, topics, bytes.fromhex(case["data"][2:]))
        assert (error, values) == (None, wanted_of(event, case, topics)), case["name"]


def wanted_of(event: Entry, case: dict[str, Any], topics: list[bytes]) -> list[Any]:
    """The values of an event; of one that is hashed its topic."""
    left = iter(topics[not event.anonymous :])
    found = []
    for given, value in zip(event.inputs, case["values"], strict=True):
        topic = next(left) if given.indexed else b""
        hashed = given.indexed and given.type.is_hashed_when_indexed
        found.append(topic if hashed else expected(given.type, bare(value)))
    return found


def abi_of(artifact: str) -> Any:
    """The ABI in what a compiler writes; None in its other files."""
    return json.loads(artifact).get("abi")


def test_contracts_of_openzeppelin_and_uniswap(
    npm_packages: Path, make_warehouse: MakeWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*npm_packages.glob("@openzeppelin/**/build/**/*.json")]
    files += npm_packages.glob("@uniswap/*/build/*.json")
    files += npm_packages.glob("@uniswap/*/artifacts/contracts/**/*.json")
    texts = {file.stem: file.read_text() for file in files}
    artifacts = {name: text for name, text in texts.items() if isinstance(abi_of(text), list)}
    folder = make_warehouse(
        {**ROUTE, "routes/r/contracts/v/task.yaml": "actions: [{do: views, abi: {}}]"}
    )
    versioner(folder)
    chosen = sorted(artifacts)[:: min(STEP, 5)]
    assert len(chosen) > 30
    with open_warehouse(folder).session("test") as session:
        chain = Chain(session)
        for number, name in enumerate(chosen):
            chain.contract(artifacts[name], f"0x{number:040x}", name)
        session.commit()
        done = here(capsys, "views", folder, "r.contracts.v")
        assert (done.status, done.err) == (0, "")
        made = one(session, "select count(*) from pg_views where schemaname = 'contracts'")
        assert made == sum(len(set(read_abi(artifacts[name]).entries)) for name in chosen)
