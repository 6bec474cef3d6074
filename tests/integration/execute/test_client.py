"""The Execute API's client against a server that misbehaves: what is not whole is not taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from dapu.errors import ConfigurationError, JobError
from dapu.execute.client import ExecuteAnswer, ExecuteClient
from dapu.execute.documents import Incoming, next_batch
from dapu.execute.read_all import RoundTally, WantedDocuments, check_mark, read_all
from tests.services.execute_server import KEY_ID, KEY_SECRET, ExecuteServer, Fault

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def client(execute: ExecuteServer) -> Iterator[ExecuteClient]:
    for number in range(5):
        execute.put("AFE", f"{number}", X=number)
    with closing(ExecuteClient(execute.url, KEY_ID, KEY_SECRET)) as client:
        yield client


def read(
    client: ExecuteClient, since: str | None = None, **wanted: Any
) -> tuple[list[str], RoundTally]:
    ids: list[str] = []

    def take(_: ExecuteAnswer, incoming: Incoming) -> None:
        ids.extend(row.header.id for row in incoming.rows(next_batch(None)))

    tally = read_all(client, WantedDocuments(**wanted), since, take)
    return ids, tally


@pytest.mark.parametrize("transfer", ["chunked", "length"])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_all_is_read_in_as_many_answers_as_it_takes(
    execute: ExecuteServer, client: ExecuteClient, transfer: Any, limit: int
) -> None:
    execute.transfer = transfer
    ids, tally = read(client, limit=limit)
    assert ids == list("01234")
    assert tally.answers == len(execute.questions) == -(-5 // limit)
    assert execute.questions[0].path == "/fetch/document/"
    assert execute.questions[0].values == {"limit": f"{limit}", "since": "1900-01-01"}


def test_it_goes_on_from_a_mark(execute: ExecuteServer, client: ExecuteClient) -> None:
    mark = execute.mark()
    execute.put("AFE", "5")
    execute.put("AFE", "1", 2)
    assert read(client, mark)[0] == ["5", "1"]
    assert read(client, execute.mark())[0] == []


def test_calculated_fields_are_asked_for(execute: ExecuteServer, client: ExecuteClient) -> None:
    read(client, calculated=True)
    client.schema(calculated=True)
    client.schema(calculated=False)
    assert [question.values.get("calc") for question in execute.questions] == ["true", "true", None]


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504])
def test_a_failure_that_may_pass_is_tried_again(
    execute: ExecuteServer, client: ExecuteClient, fault: Fault
) -> None:
    execute.misbehave(fault, fault)
    assert len(read(client)[0]) == 5
    assert len(execute.questions) == 3


def test_it_waits_as_long_as_it_is_told(execute: ExecuteServer, client: ExecuteClient) -> None:
    execute.retry_after = "1"
    execute.misbehave(429)
    started = time.monotonic()
    read(client)
    assert time.monotonic() - started >= 1


FAULTS: list[tuple[tuple[Fault, ...], str]] = [
    ((500,) * 9, "status 500; it says: the server is not well; it was the last try"),
    ((429,) * 9, "status 429: it is asked too often"),
    ((403,), "status 403: the key may not read documents"),
    ((404,), "status 404: there is no Execute API at this address; check the url"),
    (("cut",), "was cut short after"),
    (("cut between lines",), "was cut short after"),
    (("bad line",), "line 3 of Execute's answer to since=1900-01-01 is not JSON"),
    (("not an object",), "line 6 of Execute's answer to since=1900-01-01 is not a JSON object"),
    (("no mark",), "has no header X-Sync-Highwater-Mark (its content is application/x-ndjson)"),
    (("no truncated",), "has no header X-Sync-Truncated"),
    (("odd truncated",), "X-Sync-Truncated: perhaps, which is neither true nor false"),
    (("no end",), "does not say where it ends"),
    (("mark goes back",), "goes back, from 1900-01-01 to 1899-12-31"),
    (("mark stands still",) * 2, "is truncated, and its mark has not moved"),
    (("login page",), "Is this the address of Execute, with no login page before it?"),
]


@pytest.mark.parametrize("transfer", ["chunked", "length"])
@pytest.mark.parametrize(("faults", "message"), FAULTS, ids=[str(f[0][0]) for f in FAULTS])
def test_what_cannot_be_trusted_is_an_error(
    execute: ExecuteServer,
    client: ExecuteClient,
    transfer: Any,
    faults: tuple[Fault, ...],
    message: str,
) -> None:
    execute.transfer = transfer
    execute.misbehave(*faults)
    with pytest.raises(JobError) as raised:
        read(client)
    assert message in str(raised.value)


@pytest.mark.parametrize("fault", ["no last newline", "blank lines"])
def test_lines_may_end_in_other_ways(
    execute: ExecuteServer, client: ExecuteClient, fault: Fault
) -> None:
    execute.misbehave(fault)
    assert read(client)[0] == list("01234")


def test_a_document_that_comes_twice_is_counted(
    execute: ExecuteServer, client: ExecuteClient
) -> None:
    execute.misbehave("repeat")
    ids, tally = read(client)
    assert ids == [*"01234", "4"]
    assert (tally.documents, tally.repeated) == (6, 1)


def test_a_wrong_key_is_reported_without_its_secret(execute: ExecuteServer) -> None:
    client = ExecuteClient(execute.url, KEY_ID, "wrong-secret")
    with pytest.raises(JobError) as raised:
        read(client)
    assert "the key id and its secret are not accepted; it says: API key" in str(raised.value)
    assert "wrong-secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_reported() -> None:
    client = ExecuteClient("http://127.0.0.1:9", KEY_ID, KEY_SECRET)
    with pytest.raises(JobError, match=r"127.0.0.1:9 does not answer .*refused.*last try"):
        read(client)


def test_an_address_needs_a_scheme() -> None:
    with pytest.raises(ConfigurationError, match="does not begin with https://"):
        ExecuteClient("execute.example.com", KEY_ID, KEY_SECRET)


def test_it_can_be_stopped_while_the_server_says_nothing(
    execute: ExecuteServer, client: ExecuteClient
) -> None:
    execute.misbehave("stall")
    threading.Timer(0.3, client.stop).start()
    started = time.monotonic()
    with pytest.raises(JobError, match="stopped while Execute was asked"):
        read(client)
    assert time.monotonic() - started < 5


def test_marks_that_are_no_times_are_passed_on(execute: ExecuteServer) -> None:
    with closing(ExecuteClient(execute.url, KEY_ID, KEY_SECRET)) as client:
        answer = ExecuteAnswer(
            "token-9", "token-10", truncated=True, blocks=iter(()), stop=client.stop
        )
    check_mark(answer)
