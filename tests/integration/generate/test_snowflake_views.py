"""Views of contract ABIs in Snowflake, against fakesnow: real statements, run by DuckDB.

DuckDB has no function in Python that a statement makes: the text of the decoder is run by the test.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fakesnow
import pytest
import snowflake.connector
import sqlglot
from eth_abi.abi import encode
from psycopg2.extensions import connection as PgSession

from dapu.generate.views.abi import keccak
from dapu.generate.views.snowflake import decoder
from dapu.registry import view_queue
from tests.conftest import Database, MakeWarehouse
from tests.support.chain import ADDRESS, call, event, function, topic
from tests.support.command import Finished, here
from tests.support.components import ROUTE, rows, versioner

CONNECT = {"user": "u", "account": "a", "database": "DB"}
URL = "- {name: flakes, url: 'snowflake://u:word@a/DB'}\n"
FILES = {
    **ROUTE,
    "routes/r/contracts/views/task.yaml": "actions: [{do: views, connection: flakes, abi: {}}]",
}
TABLES = """
create schema ethereum;
create table ethereum.deployed_contract_metadata (
    contract_address varchar, contract_name varchar, abi varchar);
create table ethereum.logs (address {bytes}, topics {topics}, data {bytes}, log_index int,
    block_number int, transaction_hash varchar);
create table ethereum.transactions (hash varchar, to_address {bytes}, input {bytes},
    block_number int, transaction_index int, receipt_status int);
create table ethereum.traces (transaction_hash varchar, to_address {bytes}, input {bytes},
    block_number int, transaction_index int, error varchar, trace_address {path})
"""
KINDS = {
    "text": {"bytes": "varchar", "topics": "varchar", "path": "varchar"},
    "binary": {"bytes": "binary", "topics": "variant", "path": "variant"},
}
VIEW = f'CONTRACTS."ETH_{ADDRESS.upper()}_'
A, B = "0x" + "0a" * 20, "0x" + "0b" * 20


class Snowflake:
    """A chain in a Snowflake of the test's own."""

    def __init__(self, kind: str = "text") -> None:
        self._kind = kind
        self.session = snowflake.connector.connect(**CONNECT)
        for statement in TABLES.format(**KINDS[kind]).split(";"):
            self.run(statement)
        decode, kind = decoder.abi_decode, "VARCHAR"
        self._duck().create_function("python_decode", decode, [kind, kind, kind], kind)

    def run(self, text: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        cursor = self.session.cursor()
        cursor.execute(text, values)
        return [tuple(row) for row in cursor.fetchall()]

    def contract(self, abi: Any, address: str = ADDRESS) -> None:
        insert = "insert into ethereum.deployed_contract_metadata values (%s, %s, %s)"
        text = abi if isinstance(abi, str) else json.dumps(abi)
        self.run(insert, (address.upper().replace("0X", "0x"), "Token", text))

    def log(self, topics: Sequence[bytes], data: bytes = b"") -> None:
        texts = ["0x" + one.hex() for one in topics]
        value = f"'{','.join(texts)}'"
        if self._kind == "binary":
            value = f"parse_json('{json.dumps(texts)}')"
        self.run(f"insert into ethereum.logs select {self._address}, {value}, "
                 f"{self._bytes(data)}, 7, 100, '0x01'")  # fmt: skip

    def transaction(self, number: int, data: bytes, status: int) -> None:
        insert = f"insert into ethereum.transactions select %s, {self._address}, "
        values = (f"0x{number}", number, status)
        self.run(f"{insert}{self._bytes(data)}, 100, %s, %s", values)

    def trace(self, number: int, data: bytes, path: str, error: str | None = None) -> None:
        shown = f"parse_json('[{path}]')" if self._kind == "binary" else f"'{path}'"
        insert = f"insert into ethereum.traces select %s, {self._address}, "
        values = (f"0x{number}", number, error)
        self.run(f"{insert}{self._bytes(data)}, 100, %s, %s, {shown}", values)

    def view(self, name: str, columns: str) -> list[tuple[Any, ...]]:
        # What fakesnow makes of the statement gives the function's text back.
        macro = """create or replace macro DB.CONTRACTS.abi_decode(a, b, c) as
            python_decode(coalesce(a, ''), coalesce(b, ''), c)"""
        self._duck().execute(macro)
        return sorted(self.run(f'select {columns} from {VIEW}{name}"'), key=repr)

    def _duck(self) -> duckdb.DuckDBPyConnection:
        duck = self.session.cursor()._duck_conn  # type: ignore[attr-defined] # fakesnow's own
        assert isinstance(duck, duckdb.DuckDBPyConnection)
        return duck

    @property
    def _address(self) -> str:
        return self._bytes(bytes.fromhex(ADDRESS[2:]))

    def _bytes(self, data: bytes) -> str:
        digits = data.hex().upper()
        return f"to_binary('{digits}', 'HEX')" if self._kind == "binary" else f"'0x{digits}'"


@pytest.fixture
def fake() -> Iterator[None]:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    with warnings.catch_warnings(), fakesnow.patch():
        warnings.simplefilter("ignore", UserWarning)
        yield


Make = Callable[..., Finished]


@pytest.fixture
def make(make_warehouse: MakeWarehouse, database: Database, capsys: Any, fake: None) -> Make:
    folder = make_warehouse({**FILES, "connections.yaml": database.connections_yaml() + URL})
    versioner(folder)

    def make(*arguments: str) -> Finished:
        return here(capsys, "views", folder, "r.contracts.views", *arguments)

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_events_and_calls_are_decoded(make: Make, kind: str) -> None:
    chain = Snowflake(kind)
    chain.contract(
        [
            event("Transfer", "address", "address", "uint256", indexed=2),
            event("Told", "string", "uint8[]", "bool", "bytes3", "int128"),
            function("transfer", "address", "uint64"),
        ]
    )
    transfer = [
        keccak("Transfer(address,address,uint256)"),
        topic("address", A),
        topic("address", B),
    ]
    chain.log(transfer, encode(["uint256"], [2**256 - 1]))
    chain.log(transfer, b"\x01")
    types = ["string", "uint8[]", "bool", "bytes3", "int128"]
    told = keccak(f"Told({','.join(types)})")
    chain.log([told], encode(types, ["it's", [1, 2], True, b"abc", -5]))
    chain.transaction(1, call("transfer(address,uint64)", B, 5), status=1)
    done = make()
    assert done.status == 0, done.text
    found = chain.view("EVT_TRANSFER", "inp_a, inp_b, inp_c, error, evt_block_number")
    assert found == [
        (A, B, str(2**256 - 1), None, 100),
        (A, B, None, "data has 1 bytes of at least 32", 100),
    ]
    [row] = chain.view("EVT_TOLD", "inp_a, inp_b, inp_c, inp_d, inp_e, error")
    assert (row[0], json.loads(row[1]), *row[2:]) == ("it's", [1, 2], True, b"abc", "-5", None)
    [row] = chain.view("FN_TRANSFER", "txn_index, success, inp_a, inp_b, error")
    assert row == (1, True, B, Decimal(5), None)


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_of_a_transaction_is_a_row(make: Make, kind: str) -> None:
    chain = Snowflake(kind)
    chain.contract([function("f", "uint8")])
    for number in (1, 2):
        chain.transaction(number, call("f(uint8)", 0), status=2 - number)
        chain.trace(number, call("f(uint8)", 0), "")
    chain.trace(1, call("f(uint8)", 1), "0", error="Reverted")
    chain.trace(1, call("f(uint8)", 2), "0,0")  # undone with the call above it
    chain.trace(1, call("f(uint8)", 3), "1")
    chain.trace(2, call("f(uint8)", 9), "0")  # undone with the transaction
    make()
    assert chain.view("FN_F", "txn_index, inp_a, success") == [
        (1, 0, True),
        (1, 1, False),
        (1, 2, False),
        (1, 3, True),
        (2, 0, False),
        (2, 9, False),
    ]


def test_views_are_made_once_and_only_the_own_ones_are_replaced_and_dropped(
    make: Make, connection: PgSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_queue, "FIRST_WAIT", timedelta(0))
    chain = Snowflake()
    chain.contract([event("A", "uint8"), event("B", "uint8")])
    assert "2 views made in 1 group" in make().text
    assert "1 group unchanged" in make().text
    chain.run(f'drop view {VIEW}EVT_B"')
    assert "1 view made in 1 group" in make().text
    # A view that somebody else made stays, and so does the group that wants its name.
    other = "0x" + "cd" * 20
    foreign = f'CONTRACTS."ETH_{other.upper()}_EVT_A"'
    chain.run(f"create view {foreign} as select 1 as one")
    chain.contract([event("A", "uint8")], other)
    done = make()
    assert done.status == 1
    assert "did not make" in done.text
    assert rows(connection, "select key from meta.view_group where status = 'failed'") == [(other,)]
    # What a contract no longer has is dropped.
    chain.run(f"update ethereum.deployed_contract_metadata set abi = '{json.dumps([event('A')])}'")
    make()
    assert len(chain.run("select * from information_schema.views")) == 2
    assert make("--drop").status == 0
    assert chain.run(f"select * from {foreign}") == [(1,)]
    assert len(chain.run("select * from information_schema.views")) == 1


def test_the_printed_statements_are_snowflakes(make: Make) -> None:
    chain = Snowflake()
    chain.contract([event("A", "uint8"), event("a", "uint8"), function("f", "string")])
    text = make("--dry-run", "--count", "0").out
    statements = sqlglot.parse(text, dialect="snowflake")
    names = [one.this.sql("snowflake") for one in statements if one]
    assert [name.rpartition(".")[2] for name in names[2:]] == [
        f'"eth_{ADDRESS}_evt_A"',
        f'"eth_{ADDRESS}_evt_a"',
        f'"ETH_{ADDRESS.upper()}_FN_F"',
    ]
    assert chain.run("select * from information_schema.views") == []


def test_the_decoder_is_one_file_that_python_alone_can_run() -> None:
    text = Path(decoder.__file__).read_text()
    assert "$$" not in text
    assert "dapu." not in text
    names: dict[str, Any] = {}
    exec(text, names)
    layout = {"what": "data", "base": 0, "topic": 0, "length": 0, "inputs": []}
    assert names["abi_decode"](None, None, json.dumps(layout)) == "{}"


def test_what_cannot_be_had_says_so(make: Make, fake: None) -> None:
    snowflake.connector.connect(**CONNECT).cursor().execute("create schema ethereum")
    done = make()
    assert done.status != 0
    assert "ethereum.logs" in done.text
