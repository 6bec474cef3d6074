"""What the server says at its own limits names the table and what to do, and no row by mistake."""

from __future__ import annotations

import pytest

from tests.support.file_task import FileTask

WIDE = range(1_500)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", ",".join(f"c{n}" for n in WIDE) + "\n" + ",".join("12345.678" for _ in WIDE)),
        ("a.ndjson", "{" + ", ".join(f'"c{n}": "{n:08}"' for n in WIDE) + "}\n"),
    ],
)
def test_a_row_that_no_page_holds(files: FileTask, name: str, content: str) -> None:
    """A row of 8,160 bytes at the most stands in a page; only long texts go out of it."""
    files.share.put(name, content)
    message = files.fails(f"file: {name}")
    assert "row is too big: size" in message
    assert "`jsonb`" in message
    assert "line 2" not in message


def test_a_trigger_that_says_that_the_disk_is_full_blames_no_row(files: FileTask) -> None:
    files.share.put("a.csv", "id\n1\n2\n")
    files.task.make_table("id int, _file text, _row bigint")
    files.task.execute("""
        create function staging.no_room() returns trigger language plpgsql as $$ begin
            raise exception 'could not extend file: No space left on device'
            using errcode = 'disk_full';
        end $$;
        create trigger no_room before insert on staging.thing
        for each row execute function staging.no_room()
    """)
    message = files.fails("file: a.csv\nload: append")
    assert "No space left on device; the warehouse's server" in message
    assert "line" not in message
