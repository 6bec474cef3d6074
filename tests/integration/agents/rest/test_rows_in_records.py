"""`do: rest` with `rows`: each element of a list in a record is a row, beside its record."""

from __future__ import annotations

import pytest

from tests.services.misbehaving_http import MisbehavingServer
from tests.services.rest_task import Crm

pytestmark = pytest.mark.usefixtures("short_waits")

SCHOOLS = [
    {"id": 1, "contact": {"email": "a@x"}, "programs": [{"name": "math"}, {"name": "art"}]},
    {"id": 2, "contact": {"email": "b@x"}, "programs": []},
    {"id": 3, "programs": {"name": "music"}},
    {"id": 4},
]
COLUMNS = "columns: {school: {record: id}, email: {record: contact.email}, program: name}"


def test_each_element_is_a_row_beside_values_of_its_record(
    server: MisbehavingServer, crm: Crm
) -> None:
    server.on("/v1/schools", lambda asked: SCHOOLS)
    crm.has(f"path: schools\nrows: programs\n{COLUMNS}")
    crm.run()
    assert crm.rows() == [(1, "a@x", "math"), (1, "a@x", "art"), (3, None, "music")]


def test_without_columns_the_element_is_the_document(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/schools", lambda asked: SCHOOLS[:1])
    crm.has("path: schools\nrows: programs")
    crm.run()
    assert crm.rows("select document ->> 'name' from staging.thing order by 1") == [
        ("art",), ("math",),
    ]  # fmt: skip


def test_misspelt_path_empties_no_table(server: MisbehavingServer, crm: Crm) -> None:
    server.on("/v1/schools", lambda asked: SCHOOLS)
    crm.has(f"path: schools\nrows: programmes\n{COLUMNS}")
    assert "no record has programmes" in crm.fails()
    crm.has(f"path: schools\nrows: programmes || `[]`\n{COLUMNS}")
    crm.run()


def test_record_goes_with_rows(crm: Crm) -> None:
    crm.has("path: schools\ncolumns: {id: {record: id}}")
    assert "columns.id: `record` goes with `rows`" in crm.is_refused()


QUESTIONS = """
path: schools/{id}
repeat: {values: [{id: 1}, {id: 2}, {id: 3}], on_error: skip}
columns: {id: {path: id, type: integer}}
load: append
"""


def test_failed_question_does_not_end_the_rest(server: MisbehavingServer, crm: Crm) -> None:
    for number in (1, 3):
        server.on(f"/v1/schools/{number}", lambda asked: {"id": asked.path[-1]})
    crm.has(QUESTIONS)
    assert "1 of 3 questions left out" in crm.run()
    assert crm.rows("select id from staging.thing order by 1") == [(1,), (3,)]
    [told] = [event for event in crm.events() if event.startswith("left out")]
    assert "id = 2" in told
    assert "404" in told


def test_all_questions_failed_is_a_failure(server: MisbehavingServer, crm: Crm) -> None:
    crm.has(QUESTIONS)
    assert "each question failed; the first: id = 1" in crm.fails()


def test_skip_without_it_fails_at_the_first(server: MisbehavingServer, crm: Crm) -> None:
    crm.has(QUESTIONS.replace(", on_error: skip", ""))
    assert "404" in crm.fails()


@pytest.mark.parametrize("load", ["load: replace", "load: snapshot\nkey: [id]"])
def test_skip_goes_with_modes_that_delete_nothing(crm: Crm, load: str) -> None:
    crm.has(QUESTIONS.replace("load: append", load))
    assert "`repeat.on_error: skip` goes with" in crm.is_refused()
