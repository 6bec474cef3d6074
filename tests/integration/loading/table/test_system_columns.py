"""Columns named like those that each table of PostgreSQL has: a bounding box's, for example."""

from __future__ import annotations

from tests.support.file_task import FileTask


def test_a_bounding_box_of_a_file_gets_names_of_its_own(files: FileTask) -> None:
    files.share.put("a.csv", "id,xmin,ymin,xmax,ymax,CTID,xmin_\n1,1.5,2.5,3.5,4.5,a,b\n")
    files.run("file: a.csv")
    assert list(files.task.types()) == ["id", "xmin_", "ymin", "xmax_", "ymax", "ctid_", "xmin__2"]
    files.run("file: a.csv", full=True)
    assert len(files.rows()) == 1


def test_a_query_that_gives_one_is_reported_what_to_call_it(files: FileTask) -> None:
    files.share.put("a.csv", "id,xmin\n1,2\n")
    message = files.fails("file: a.csv\ncolumns: {id: id, xmin: xmin}")
    assert "call it `xmin_`" in message
