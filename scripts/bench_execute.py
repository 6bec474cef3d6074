#!/usr/bin/env python
"""Time `dapu execute push` into PostgreSQL, its memory, and the helper views over many versions.

    .venv/bin/python -m scripts.bench_execute [--documents 100000] [--rounds 3]

The documents are of about 2 kB with a list of 20 records, served by a process on loopback; a
round is the whole command, from its start to its end, into an empty database.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg2

from tests.execute_warehouse import ExecuteWarehouse
from tests.services.execute_server import AFE_SCHEMA, ExecuteServer, make_afe, running_execute
from tests.services.postgres import running_postgres

_SAMPLES = 2_000  # documents that the versions for the views are copies of
_MANY = """
insert into execute_documents
select now() + v * interval '1 second', type, md5(g::text)::uuid::text, v, 0,
    author, date, deleted, data
from generate_series(1, %(documents)s) g
cross join generate_series(1, %(versions)s) v
join (select d.*, row_number() over () as n from execute_documents d) d
    on d.n = 1 + g %% (select count(*) from execute_documents)
"""
_QUESTIONS = (
    "select count(*) from afe",
    "select count(*) from afe where not _deleted",
    "select * from afe where document_id = md5('7')::uuid::text",
    "select sum(amount) from afe_owner where document_id = md5('7')::uuid::text",
    "select count(*) from execute_documents_latest",
    "select sum(gross_estimate) from afe",
)


class Push(NamedTuple):
    """How a push went. seconds: from start to end. memory: its highest, in MB."""

    seconds: float
    processor: float
    memory: float


def main() -> None:
    """Measures, and prints."""
    options = _options()
    _bench_push(options.documents, options.rounds)
    _bench_long_list(options.items)
    for documents, versions in ((options.versions, 1), (options.versions // 4, 4)):
        _bench_views(documents, versions)


def _bench_push(documents: int, rounds: int) -> None:
    size = len(make_afe(0))
    print(f"{documents:,} documents of {size:,} bytes, each with a list of 20 records")
    with _serving(documents) as url:
        for limit in (10_000, documents):
            pushes = []
            for _ in range(rounds):
                with running_postgres() as postgres:
                    pushes.append(_push(postgres.uri(), url, limit, documents))
            seconds = statistics.median(push.seconds for push in pushes)
            print(
                f"  {limit:>7,} in an answer: {seconds:6.2f} s (median of {rounds}; "
                f"{min(p.seconds for p in pushes):.2f} to {max(p.seconds for p in pushes):.2f}), "
                f"{documents / seconds:,.0f} documents/s, "
                f"{max(push.memory for push in pushes):.0f} MB"
            )


def _bench_long_list(items: int) -> None:
    with _serving(1, items) as url, running_postgres() as postgres:
        push = _push(postgres.uri(), url, 10_000, 1)
    print(
        f"one document whose list has {items:,} items: {push.seconds:.1f} s, {push.memory:.0f} MB"
    )


def _bench_views(documents: int, versions: int) -> None:
    with (
        running_execute() as server,
        running_postgres() as postgres,
        tempfile.TemporaryDirectory() as folder,
        closing(psycopg2.connect(postgres.uri())) as session,
    ):
        session.autocommit = True
        _fill(server, ExecuteWarehouse("POSTGRES", postgres.uri(), server, Path(folder)))
        cursor = session.cursor()
        cursor.execute(_MANY, {"documents": documents, "versions": versions})
        ExecuteWarehouse("POSTGRES", postgres.uri(), server, Path(folder)).create_views()
        cursor.execute("analyze")
        cursor.execute("select count(*) from afe")
        if cursor.fetchone() != (documents + _SAMPLES,):
            sys.exit("the view does not show each document once")
        cursor.execute("select count(*), pg_table_size('execute_documents') from execute_documents")
        stored, size = cursor.fetchone() or (0, 0)
        print(
            f"{stored:,} stored versions of {stored // versions:,} documents, {size / 1e9:.1f} GB"
        )
        for question in _QUESTIONS:
            times = []
            for _ in range(3):
                started = time.perf_counter()
                cursor.execute(question)
                cursor.fetchall()
                times.append(time.perf_counter() - started)
            print(f"  {times[0]:7.3f} s, then {min(times[1:]):7.3f} s: {question}")


def _fill(server: ExecuteServer, warehouse: ExecuteWarehouse) -> None:
    server.schema = AFE_SCHEMA
    for number in range(_SAMPLES):
        server.put_text(("AFE", f"{number}", 1), make_afe(number))
    warehouse.push()


@contextmanager
def _serving(documents: int, items: int = 0) -> Iterator[str]:
    """A server in a process of its own: what the bench itself holds counts as a child's memory."""
    numbers = [f"{documents}", f"{items}"]
    command = [sys.executable, "-m", "tests.services.execute_server", *numbers]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def _push(dsn: str, url: str, limit: int, documents: int) -> Push:
    environment = ExecuteWarehouse("POSTGRES", dsn, ExecuteServer(url=url), Path()).environment
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dapu", "execute", "push", "-m", f"{limit}"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit("the push failed")
    with closing(psycopg2.connect(dsn)) as session, session.cursor() as cursor:
        cursor.execute("select count(*) from execute_documents_current")
        row = cursor.fetchone()
        if row != (documents,):
            sys.exit(f"there are {row} documents, not {documents}")
    return Push(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000, help="to push")
    parser.add_argument("--rounds", type=int, default=3, help="of the push")
    parser.add_argument("--items", type=int, default=1_000_000, help="of the long list")
    parser.add_argument("--versions", type=int, default=1_000_000, help="under the views")
    return parser.parse_args()


if __name__ == "__main__":
    main()
