"""Too many rejected rows fail the job: a table is not emptied in silence."""

from __future__ import annotations

import pytest

from tests.support.file_task import FileTask

REJECT = "file: a.csv\non_bad_value: reject\n"


@pytest.mark.parametrize("load", ["replace", "snapshot\nkey: [id]"])
def test_a_table_is_not_emptied_by_rejecting_all_rows(files: FileTask, load: str) -> None:
    files.task.make_table("id int primary key, n int")
    files.task.execute("insert into staging.thing values (1, 1)")
    files.share.put("a.csv", "id,n\n1,x\n2,y\n")
    message = files.fails(f"{REJECT}load: {load}")
    assert "2 rows rejected" in message
    assert "`rejects: {at_most: 100 %}`" in message
    assert files.rows() == [(1, 1)]
    files.run(f"{REJECT}load: {load}\nrejects: {{at_most: 100 %}}")
    assert files.rows() == [] or load != "replace"


@pytest.mark.parametrize(
    ("most", "passes"),
    [("2", True), ("1", False), ("50 %", True), ("50%", True), ("49.9 %", False), ("0", False)],
)
def test_how_many_are_all_right_is_said(files: FileTask, most: str, passes: bool) -> None:
    files.task.make_table("id int, n int")
    files.share.put("a.csv", "id,n\n1,x\n2,y\n3,3\n4,4\n")
    options = f"{REJECT}rejects: {{at_most: {most}}}"
    if passes:
        files.run(options)
        assert files.rows() == [(3, 3), (4, 4)]
    else:
        assert f"of 4 rows; `rejects: {{at_most: {most}}}`" in files.fails(options)


def test_an_empty_source_rejects_nothing(files: FileTask) -> None:
    files.task.make_table("id int, n int")
    files.share.put("a.csv", "id,n\n")
    files.run(REJECT)
    assert files.rows() == []


@pytest.mark.parametrize("most", ["-1", "5 percent", "x"])
def test_what_is_not_a_share_is_refused(files: FileTask, most: str) -> None:
    files.has(f"{REJECT}rejects: {{at_most: {most}}}")
    assert "at_most" in files.task.is_refused()
