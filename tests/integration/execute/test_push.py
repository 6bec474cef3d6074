"""Documents of Execute into PostgreSQL and SQLite: none lost, none doubled, the mark right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dapu.errors import ConfigurationError, DapuError, JobError
from tests.conftest import Database
from tests.services.execute_server import ExecuteServer, Fault
from tests.support.execute_warehouse import ExecuteWarehouse, another_goes_first

pytestmark = pytest.mark.usefixtures("short_waits")
EXACT = (
    '{"A": 1.10, "B": 12345678901234567890.12345678901234567890, "C": "é \\\\ \\" \\n", "D": -0}'
)


@pytest.fixture(params=["POSTGRES", "SQLITE"])
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, execute: ExecuteServer
) -> ExecuteWarehouse:
    execute.schema = {"AFE": {}}
    if request.param == "SQLITE":
        return ExecuteWarehouse("SQLITE", str(tmp_path / "execute.sqlite"), execute, tmp_path)
    database: Database = request.getfixturevalue("database")
    return ExecuteWarehouse("POSTGRES", database.uri, execute, tmp_path)


def fill(server: ExecuteServer, count: int = 5) -> None:
    for number in range(count):
        server.put("AFE", f"{number}", X=number)


def test_new_documents_and_versions_are_added(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    assert warehouse.push(max_documents=2) == 5
    assert warehouse.mark() == warehouse.server.mark()
    warehouse.server.put("AFE", "1", 2, X="new")
    warehouse.server.put("AFE", "9", deleted=True, author=None)
    assert warehouse.push() == 2
    assert warehouse.push() == 0
    assert warehouse.has_all()
    latest = "select id, version, author, deleted from execute_documents_latest order by id"
    assert warehouse.rows(latest) == [
        ("0", 1, "author-1", False),
        ("1", 2, "author-1", False),
        ("2", 1, "author-1", False),
        ("3", 1, "author-1", False),
        ("4", 1, "author-1", False),
        ("9", 1, None, True),
    ]


def test_a_full_read_begins_new_batches_and_prune_takes_the_old(
    warehouse: ExecuteWarehouse,
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.server.put("AFE", "2", 2)
    assert warehouse.push(full=True) == 6
    assert warehouse.one("select count(*) from execute_documents") == 11
    assert warehouse.has_all()
    warehouse.sync().prune()
    assert warehouse.one("select count(*) from execute_documents") == 6
    assert warehouse.has_all()


def test_the_newest_batch_of_a_version_counts(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.put("AFE", "1", 1, X="first")
    warehouse.push()
    warehouse.server.put("AFE", "1", 1, X="second")
    warehouse.push()
    assert warehouse.has_all()
    (data,) = warehouse.rows("select data from execute_documents_latest")[0]
    assert (json.loads(data) if isinstance(data, str) else data)["X"] == "second"


@pytest.mark.parametrize("inclusive", [True, False])
def test_the_boundary_may_come_again_or_not(warehouse: ExecuteWarehouse, inclusive: bool) -> None:
    warehouse.server.inclusive = inclusive
    fill(warehouse.server)
    warehouse.push(max_documents=3)
    warehouse.push(max_documents=3)
    warehouse.server.put("AFE", "5")
    warehouse.push(max_documents=3)
    assert warehouse.has_all()


def test_two_batches_within_a_second_are_two(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server, 30)
    warehouse.push(max_documents=1)
    batches = warehouse.rows("select batch_date from execute_documents order by batch_date")
    assert len(set(batches)) == 30
    ids = warehouse.rows("select id from execute_documents order by batch_date")
    assert [row[0] for row in ids] == [f"{number}" for number in range(30)]


def test_a_clock_that_goes_back_does_no_harm(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server, 1)
    warehouse.push()
    warehouse.rows("update execute_documents set batch_date = '2999-01-01T00:00:00.000000Z'")
    warehouse.server.put("AFE", "0", 1, X="later")
    warehouse.push()
    newest = warehouse.one("select max(batch_date) from execute_documents")
    assert str(newest).startswith("2999-01-01")
    assert warehouse.one("select count(distinct batch_date) from execute_documents") == 2
    assert warehouse.has_all()


def test_numbers_and_texts_are_stored_as_they_are(warehouse: ExecuteWarehouse) -> None:
    head = '"$TYPE": "AFE", "DOCUMENT_ID": "1", "$VERSION": 1, "$DATE": "2024-01-01T00:00:00Z"'
    text = f'{{{head}, "$DELETED": false, "O": {EXACT}}}'
    warehouse.server.put_text(("AFE", "1", 1), text.encode())
    warehouse.push()
    if warehouse.kind == "SQLITE":
        assert warehouse.one("select data from execute_documents") == text
    else:
        stored = warehouse.rows("select data->'O'->>'A', data->'O'->>'B', data->'O'->>'C' "
                                "from execute_documents")  # fmt: skip
        assert stored == [("1.10", "12345678901234567890.12345678901234567890", 'é \\ " \n')]


def test_long_lists_go_into_chunks_and_come_back_as_one(warehouse: ExecuteWarehouse) -> None:
    items = [{"LISTITEM_ID": f"{i}", "N": i, "SUB": [{"LISTITEM_ID": "a"}]} for i in range(25)]
    warehouse.server.put("AFE", "1", OWNER=items, REC={"PART": items[:11]}, SHORT=items[:10])
    fields = {"LISTITEM_ID": {"TYPE": "GUID"}, "N": {"TYPE": "INTEGER"}}
    owner = {"TYPE": "RECORD LIST", "RECORD_TYPE": fields}
    below = fields | {"SUB": {"TYPE": "RECORD LIST", "RECORD_TYPE": {}}}
    warehouse.server.schema = {
        "AFE": {
            "OWNER": {"TYPE": "RECORD LIST", "RECORD_TYPE": below},
            "REC": {"TYPE": "RECORD", "RECORD_TYPE": {"PART": owner}},
            "SHORT": owner,
        }
    }
    warehouse.push(chunk_size=10)
    assert warehouse.one("select count(*) from execute_documents") == 1 + 3 + 2
    warehouse.create_views()
    ids = "select count(*), count(distinct listitem_id), sum(n) from {}"
    assert warehouse.rows(ids.format("afe_owner")) == [(25, 25, sum(range(25)))]
    assert warehouse.rows(ids.format("afe_rec_part")) == [(11, 11, sum(range(11)))]
    assert warehouse.rows(ids.format("afe_short")) == [(10, 10, sum(range(10)))]
    deep = "select owner_listitem_id, listitem_id from afe_owner_sub order by 1 limit 2"
    assert warehouse.rows(deep) == [("0", "a"), ("1", "a")]


def test_what_is_not_a_record_among_a_lists_items_has_no_fields(
    warehouse: ExecuteWarehouse,
) -> None:
    inner = {"TYPE": "RECORD LIST", "RECORD_TYPE": {"N": {"TYPE": "INTEGER"}}}
    outer = {"TYPE": "RECORD LIST", "RECORD_TYPE": {"N": {"TYPE": "INTEGER"}, "SUB": inner}}
    warehouse.server.schema = {"AFE": {"OWNER": outer}}
    warehouse.server.put("AFE", "1", OWNER=["odd", 7, None, {"N": 1, "SUB": ["odd", {"N": 2}]}])
    warehouse.push()
    warehouse.create_views()
    rows = [("1", 1), ("1", None), ("1", None), ("1", None)]
    assert sorted(warehouse.rows("select document_id, n from afe_owner"), key=str) == rows
    assert warehouse.rows("select n from afe_owner_sub where n is not null") == [(2,)]


FAULTS: list[Fault] = [
    "cut", "cut between lines", "bad line", "not an object", "no mark", "no truncated",
    "odd truncated", "no end", "mark goes back", "login page", 401, 403,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_answer_leaves_everything_as_it_was(
    warehouse: ExecuteWarehouse, fault: Fault
) -> None:
    fill(warehouse.server)
    warehouse.push()
    before, mark = warehouse.versions(), warehouse.mark()
    for number in range(5, 9):
        warehouse.server.put("AFE", f"{number}")
    warehouse.server.misbehave(fault)
    with pytest.raises(DapuError):
        warehouse.push()
    assert (warehouse.versions(), warehouse.mark()) == (before, mark)
    assert warehouse.one("select count(*) from execute_documents") == 5
    warehouse.push()
    assert warehouse.has_all()
    assert warehouse.one("select count(*) from execute_documents") == 9
    assert warehouse.mark() == warehouse.server.mark()


def test_answers_before_a_faulty_one_stay_with_their_mark(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.server.misbehave("no last newline", "blank lines", "cut")
    with pytest.raises(JobError, match="cut short"):
        warehouse.push(max_documents=2)
    assert [row[1] for row in warehouse.versions()] == list("0123")
    assert warehouse.push(max_documents=2) == 1
    assert warehouse.has_all()


def test_a_document_twice_in_an_answer_is_there_once(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.server.misbehave("repeat")
    assert warehouse.push() == 6
    assert warehouse.has_all()


def test_two_at_a_time_cannot_both_win(
    warehouse: ExecuteWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.server.put("AFE", "6")

    another_goes_first(warehouse, monkeypatch)
    with pytest.raises(JobError, match="another process has moved the mark"):
        warehouse.push()
    assert warehouse.has_all()
    assert warehouse.one("select count(*) from execute_documents") == 6


def test_the_mark_of_the_known_client_is_taken_over(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.rows("delete from execute_sync")
    (warehouse.folder / "last_sync_date.txt").write_text(warehouse.server.mark() + "\n")
    warehouse.server.put("AFE", "5")
    assert warehouse.push() == 1
    assert warehouse.has_all()


def test_a_table_that_was_emptied_is_filled_as_the_server_is_now(
    warehouse: ExecuteWarehouse,
) -> None:
    fill(warehouse.server)
    warehouse.server.put("AFE", "1", 2)
    warehouse.push()
    warehouse.create_views()
    warehouse.rows("delete from execute_documents")
    warehouse.server.clear()
    fill(warehouse.server, 3)
    assert warehouse.push() == 3
    assert warehouse.has_all()


def test_that_mark_is_none_for_a_warehouse_without_documents(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    (warehouse.folder / "last_sync_date.txt").write_text(warehouse.server.mark())
    assert warehouse.push() == 5


def test_an_empty_file_has_no_mark(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.rows("delete from execute_sync")
    (warehouse.folder / "last_sync_date.txt").write_text("\n")
    assert warehouse.push() == 5


def test_a_folder_that_is_not_there_is_reported(
    warehouse: ExecuteWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.rows("delete from execute_sync")
    assert warehouse.push(state_dir="/no/such/folder") == 5
    assert "there is no folder /no/such/folder to look for last_sync_date.txt in" in caplog.text


def test_that_mark_must_be_a_date(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.rows("delete from execute_sync")
    file = warehouse.folder / "last_sync_date.txt"
    file.write_text("soon")
    with pytest.raises(ConfigurationError, match="holds 'soon', which is not a date"):
        warehouse.push()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigurationError, match=r"last_sync_date.txt cannot be read: Is a dir"):
        warehouse.push()


def test_a_table_that_was_emptied_is_filled_again(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.push()
    warehouse.rows("delete from execute_documents")
    if warehouse.kind == "POSTGRES":
        warehouse.rows("delete from execute_documents_current")
    assert warehouse.push() == 5
    assert warehouse.has_all()


def test_each_server_has_a_mark_of_its_own(warehouse: ExecuteWarehouse) -> None:
    fill(warehouse.server)
    warehouse.push()
    url = warehouse.server.url.replace("127.0.0.1", "localhost")
    # What the known client left is of the server that it read, and no new server's mark.
    (warehouse.folder / "last_sync_date.txt").write_text(warehouse.server.mark())
    assert warehouse.push(execute_url=url + "/") == 5
    sources = warehouse.rows("select source from execute_sync order by 1")
    assert sources == sorted([(warehouse.server.url,), (url,)])


def test_calculated_fields_are_stored_when_asked_for(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.put("AFE", "1", NET=40)
    warehouse.server.calculated = lambda document: {"TOTAL": document["NET"] + 2}
    warehouse.server.schema = {"AFE": {"TOTAL": {"TYPE": "INTEGER", "FORMULA": "NET + 2"}}}
    warehouse.push()
    warehouse.create_views()
    assert warehouse.one("select total from afe") is None
    warehouse.push(include_calcs=True, full=True)
    assert warehouse.one("select total from afe") == 42
