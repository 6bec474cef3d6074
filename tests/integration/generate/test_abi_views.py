"""Views of contract ABIs: events and functions, decoded."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from eth_abi.abi import encode
from psycopg2.extensions import connection as PgSession

from dapu.generate.views.abi import keccak
from tests.conftest import MakeWarehouse
from tests.support.chain import ADDRESS, KINDS, Chain, call, event, function, topic
from tests.support.command import Finished, here
from tests.support.components import ROUTE, rows, versioner

TASK = "r.contracts.views"
ACTION = {**ROUTE, "routes/r/contracts/views/task.yaml": "actions: [{do: views, abi: {}}]"}
EVENT = f"eth_{ADDRESS}_evt_"
FUNCTION = f"eth_{ADDRESS}_fn_"
TRANSFER = keccak("Transfer(address,address,uint256)")
Make = Callable[..., Finished]
A, B = "0x" + "0a" * 20, "0x" + "0b" * 20


@pytest.fixture
def folder(make_warehouse: MakeWarehouse) -> Path:
    folder = make_warehouse(ACTION)
    versioner(folder)
    return folder


@pytest.fixture
def chain(connection: PgSession) -> Chain:
    return Chain(connection)


@pytest.fixture
def make(folder: Path, capsys: pytest.CaptureFixture[str]) -> Make:
    """Makes the views."""

    def make(*arguments: str) -> Finished:
        return here(capsys, "views", folder, TASK, *arguments)

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_and_a_function_of_chains_of_any_types(
    connection: PgSession, make: Make, kind: str
) -> None:
    chain = Chain(connection, kind)
    chain.contract(
        [
            event("Transfer", "address", "address", "uint256", indexed=2),
            function("transfer", "address", "uint256"),
        ]
    )
    chain.log(
        [TRANSFER, topic("address", A), topic("address", B)], encode(["uint256"], [2**256 - 1])
    )
    chain.transaction(1, call("transfer(address,uint256)", B, 5))
    assert make().status == 0
    [row] = chain.view(
        f"{EVENT}Transfer",
        "contract_address, evt_block_number, evt_index, inp_a, inp_b, inp_c, error",
    )
    assert row == (ADDRESS, 100, 7, A, B, Decimal(2**256 - 1), None)
    [row] = chain.view(
        f"{FUNCTION}transfer",
        "contract_address, txn_block_number, txn_index, success, inp_a, inp_b, error",
    )
    assert row == (ADDRESS, 100, 1, True, B, 5, None)


def test_each_call_of_a_transaction_is_a_row(chain: Chain, make: Make) -> None:
    chain.contract([function("f", "uint8")])
    for number in (1, 2):
        chain.transaction(number, call("f(uint8)", 0), status=2 - number)
        chain.trace(number, call("f(uint8)", 0), "")
    chain.trace(1, call("f(uint8)", 1), "0", error="Reverted")
    chain.trace(1, call("f(uint8)", 2), "0,0")  # undone with the call above it
    chain.trace(1, call("f(uint8)", 3), "1")
    chain.trace(1, call("f(uint8)", 3), "2")
    chain.trace(2, call("f(uint8)", 9), "0")  # undone with the transaction
    assert make().status == 0
    found = sorted(chain.view(f"{FUNCTION}f", "txn_index, success, inp_a, txn_index"))
    assert [row[:3] for row in found] == [
        (1, False, 1),
        (1, False, 2),
        (1, True, 0),
        (1, True, 3),
        (1, True, 3),
        (2, False, 0),
        (2, False, 9),
    ]


def test_success_without_a_receipt_is_that_of_the_transactions_own_call(
    chain: Chain, make: Make
) -> None:
    chain.contract([function("f", "uint8")])
    for number in (1, 2, 3):
        chain.transaction(number, call("f(uint8)", 0), status=None)
    chain.trace(1, call("f(uint8)", 0), "")
    chain.trace(2, call("f(uint8)", 0), "", error="Out of gas")
    make()
    found = chain.view(f"{FUNCTION}f", "txn_index, 1, success, txn_index")
    assert [row[2] for row in found] == [True, False, None]


def test_transfers_of_one_topic_are_kept_apart_by_their_topics(
    chain: Chain, make: Make, connection: PgSession
) -> None:
    inputs = ("address", "address", "uint256")
    chain.contract([event("Transfer", *inputs, indexed=2), event("Transfer", *inputs, indexed=3)])
    both = [TRANSFER, topic("address", A), topic("address", B)]
    chain.log(both, encode(["uint256"], [20]))
    chain.log([*both, topic("uint256", 721)])
    assert make().status == 0
    query = """
        select relname, obj_description(oid) from pg_class
        where relnamespace = 'contracts'::regnamespace and relkind = 'v'"""
    for name, comment in rows(connection, query):
        number = 721 if "uint256 indexed" in comment else 20
        assert chain.view(name, "inp_c, error, 1, 1") == [(number, None, 1, 1)]


def test_overloads_have_the_same_names_in_any_order_of_the_abi(
    chain: Chain, make: Make, connection: PgSession
) -> None:
    entries = [function("f", "uint8"), function("f", "bool"), function("g")]
    chain.contract(entries)
    make()
    query = "select viewname from pg_views where schemaname = 'contracts' order by 1"
    before = rows(connection, query)
    assert [name.removeprefix(FUNCTION) for (name,) in before] == ["f(bool)", "f(uint8)", "g"]
    rows(connection, "truncate ethereum.deployed_contract_metadata")
    chain.contract(entries[::-1])
    make()
    assert rows(connection, query) == before


def test_anonymous_events_have_no_topic_of_their_own(chain: Chain, make: Make) -> None:
    chain.contract(
        [event("Note", "bytes4", "uint8", indexed=1, anonymous=True), event("Known", "uint8")]
    )
    chain.log([topic("bytes4", b"abcd")], encode(["uint8"], [5]))
    chain.log([keccak("Known(uint8)")], encode(["uint8"], [6]))
    make()
    [row] = chain.view(f"{EVENT}Note", "inp_a, inp_b, error, 1")
    assert (bytes(row[0]), row[1], row[2]) == (b"abcd", 5, None)


def test_an_indexed_value_without_fixed_size_is_its_hash(chain: Chain, make: Make) -> None:
    chain.contract([event("E", "string", "uint8[2]", indexed=2)])
    chain.log([keccak("E(string,uint8[2])"), keccak("hello"), keccak("x")])
    make()
    [row] = chain.view(f"{EVENT}E", "inp_a, inp_b, error, 1")
    assert (bytes(row[0]), bytes(row[1]), row[2]) == (keccak("hello"), keccak("x"), None)


def test_malformed_data_is_null_and_says_why(chain: Chain, make: Make) -> None:
    chain.contract([event("E", "address", "int8", "string", "uint8[]")])
    signature = keccak("E(address,int8,string,uint8[])")
    good = encode(["address", "int8", "string", "uint8[]"], [A, -5, "häé", [1, 2]])
    broken = {
        "good": good,
        "inp_a": b"\x01" + good[1:],
        "inp_b": good[:32] + b"\x00" + good[33:],
        "inp_c": good.replace("häé".encode(), b"h\xff\xfe\xfd\xfc"),
        "inp_d": good[:-1] + b"\x00" + b"",
        "data": good[:100],
    }
    broken["inp_d"] = good[:96] + (2**40).to_bytes(32) + good[128:]
    for data in broken.values():
        chain.log([signature], data)
    make()
    found = chain.view(f"{EVENT}E", "inp_a, inp_b, inp_c, inp_d, error")
    for row in found:
        if row[4] is None:
            assert row[:4] == (A, -5, "häé", [1, 2])
        elif not row[4].startswith("data has 100 bytes of at least 128"):
            column = row[4][:5]
            assert [n for n, value in enumerate(row[:4]) if value is None] == [
                "abcd".index(column[4])
            ]
    assert {str(row[4])[:5] for row in found} == {
        "None",
        "inp_a",
        "inp_b",
        "inp_c",
        "inp_d",
        "data ",
    }


def test_names_that_are_reserved_missing_twice_or_in_other_case(chain: Chain, make: Make) -> None:
    names = ["select", "", "Order", "order", "", 'x"y', "select"]
    inputs = [{"name": name, "type": "uint8"} for name in names]
    chain.contract([{"type": "event", "name": "user", "inputs": inputs}])
    chain.log([keccak(f"user({','.join(['uint8'] * 7)})")], encode(["uint8"] * 7, list(range(7))))
    make()
    [row] = chain.view(
        f"{EVENT}user", 'inp_select, inp_1, "inp_Order", inp_order, inp_4, "inp_x""y", inp_select_6'
    )
    assert row == tuple(range(7))


def test_tuples_keep_the_names_of_their_components(chain: Chain, make: Make) -> None:
    order = {
        "name": "order",
        "type": "tuple[]",
        "components": [
            {"name": "amount", "type": "int256"},
            {
                "name": "who",
                "type": "tuple",
                "components": [{"name": "", "type": "address"}, {"name": "tag", "type": "string"}],
            },
        ],
    }
    chain.contract([{"type": "function", "name": "buy", "inputs": [order]}])
    signature = "buy((int256,(address,string))[])"
    data = encode(["(int256,(address,string))[]"], [[(-1, (A, "x")), (2**255 - 1, (B, ""))]])
    chain.transaction(1, keccak(signature)[:4] + data)
    make()
    [row] = chain.view(f"{FUNCTION}buy", "inp_order, error, 1, 1")
    assert row[:2] == (
        [
            {"amount": -1, "who": {"0": A, "tag": "x"}},
            {"amount": 2**255 - 1, "who": {"0": B, "tag": ""}},
        ],
        None,
    )


def test_two_abis_of_one_address_are_one_contract(chain: Chain, make: Make) -> None:
    other = event("E", "uint8")
    other["inputs"][0]["name"] = "other"
    chain.contract([event("E", "uint8"), function("f")], ADDRESS.upper().replace("0X", "0x"), "A")
    chain.contract([other, function("g")], ADDRESS, "B")
    done = make()
    assert done.status == 0
    assert "name the inputs of E(uint8) differently; the view has inp_a" in done.out
    assert "3 views made in 1 group" in done.out


def test_a_contract_without_a_readable_abi_fails_alone(chain: Chain, make: Make) -> None:
    faulty = {
        "11": ("{", "not JSON"),
        "22": ("{}", "not a list"),
        "33": ("[3]", "an event or function"),
        "44": ([function("f", "uint7")], "function f: there is no type `uint7`"),
        "55": ([{"type": "event", "name": "e", "inputs": 3}], "not a list of objects"),
    }
    for number, (abi, _) in faulty.items():
        chain.contract(abi, "0x" + number * 20)
    chain.contract([function("f")], "0xnot", "Odd")
    chain.contract([function("f")])
    done = make()
    assert done.status == 1
    for number, (_, message) in faulty.items():
        [line] = [line for line in done.err.splitlines() if "0x" + number * 20 in line]
        assert message in line
    assert "`0xnot` is not an address" in done.err
    assert "1 view made in 1 group, 0 groups unchanged, 6 failed" in done.out


def test_only_limit_and_count(chain: Chain, make: Make) -> None:
    chain.contract([function("f")])
    chain.contract([function("f")], "0x" + "CD" * 20)
    chain.transaction(1, call("f()"))
    assert "1 view made" in make("--count", "1").out
    assert "1 view made in 1 group, 0 groups unchanged" in make("--only", "CD" * 20).out
    assert "0xee" in make("--only", "0x" + "EE" * 20).err
    assert "1 group unchanged" in make("--limit", "1").out
    assert "1 view dropped" in make("--drop", "--only", "CD" * 20).out


def test_a_dry_run_prints_what_makes_the_views_by_hand(
    chain: Chain, make: Make, connection: PgSession
) -> None:
    chain.contract([function("f", "string"), event("E", "uint8[]", indexed=1)])
    text = make("--dry-run").out
    rows(connection, "create schema contracts")
    rows(connection, text.replace("%", "%%"))
    assert chain.view(f"{FUNCTION}f") == []


def test_the_view_says_what_it_decodes(chain: Chain, make: Make, connection: PgSession) -> None:
    chain.contract([event("Moved", "address", "uint256", indexed=1)])
    make()
    assert rows(
        connection, f"""select obj_description('contracts."{EVENT}Moved"'::regclass)"""
    ) == [("event Moved(address indexed a, uint256 b)",)]


def test_columns_and_names_can_be_others(
    chain: Chain, make: Make, connection: PgSession, folder: Path
) -> None:
    rows(connection, "alter table ethereum.logs rename data to payload")
    chain.contract([event("E", "uint8")])
    assert "has no column `data`" in make().err
    (folder / "routes/r/contracts/views/task.yaml").write_text("""\
actions:
- do: views
  view: "{{ row.contract_name | lower }}_{{ row.name }}"
  schema: tokens
  abi: {columns: {logs.data: payload}, traces: null}
""")
    chain.log([keccak("E(uint8)")], encode(["uint8"], [5]))
    assert make().status == 0
    assert chain.view("token_E", "inp_a, 1, 1, 1", "tokens") == [(5, 1, 1, 1)]


def test_text_that_is_not_hexadecimal_is_malformed_data(connection: PgSession, make: Make) -> None:
    chain = Chain(connection, "text")
    chain.contract([event("E", "address", "uint8", indexed=1), function("f", "uint8")])
    chain.log([keccak("E(address,uint8)"), topic("address", A)], encode(["uint8"], [5]))
    chain.transaction(1, call("f(uint8)", 5))
    rows(connection, "update ethereum.logs set topics = left(topics, -1) || 'x', data = '0xzz'")
    rows(connection, "update ethereum.transactions set input = input || '0'")
    assert make().status == 0
    [(a, b, error, _)] = chain.view(f"{EVENT}E", "inp_a, inp_b, error, 1")
    assert (a, b, error) == (None, None, "data has 0 bytes of at least 32")
    [(a, error, _, _)] = chain.view(f"{FUNCTION}f", "inp_a, error, 1, 1")
    assert (a, error) == (None, "input has 0 bytes of at least 36")
