"""Where a value may stand in a SQL file, and where it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dapu.definitions.sql_placeholders import quoted_names, settled
from dapu.definitions.templates import read_template
from dapu.errors import FaultyFile
from dapu.statement import Statement, TableName

KNOWN = ["name", "names", "watermark"]


def given(folder: Path, text: str, **values: Any) -> Statement:
    """The statement that is run."""
    path = folder / "query.sql"
    path.write_text(text, encoding="utf-8")
    return settled(path, text, read_template(path).render(values))


def refused(folder: Path, text: str, **values: Any) -> str:
    with pytest.raises(FaultyFile) as caught:
        given(folder, text, **values)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    "text",
    [
        "select 1\nwhere a = '{{ name }}'",
        "select 'it''s'\nwhere a like '%{{ name | upper }}%'",
        'select 1 -- isn\'t\nas "{{ name }}"',
        "select 1\n, '{{\nname }}'",
    ],
)
def test_a_value_in_quotes_is_reported_with_its_line(tmp_path: Path, text: str) -> None:
    [fault] = quoted_names(tmp_path / "query.sql", text, KNOWN)
    assert (fault.file.name, fault.line) == ("query.sql", 2)
    assert "stands in quotes; values are bound and need none: write `where name = {{ name }}`" in (
        fault.message
    )
    assert refused(tmp_path, text, name="x").startswith("query.sql:2: a value stands in quotes")


@pytest.mark.parametrize(
    "text",
    [
        "select * from t where a = 'x' and b = {{ name }} and c = 'z'",
        "select '{{ this }}'::regclass",
        "# isn't MySQL\nselect 'a' where b = {{ name }} and c = 'z'",
        "select 'it\\'s' where b = {{ name }} and c = 'z'",
        "do $$ begin perform {{ name }}; end $$",
        "select {% if name == 'x' %}{{ name }}{% endif %}",
    ],
)
def test_a_value_elsewhere_is_not(tmp_path: Path, text: str) -> None:
    assert list(quoted_names(tmp_path / "query.sql", text, KNOWN)) == []
    assert given(tmp_path, text, name="x", this=TableName("s", "t")).values


def test_what_a_loop_gives_is_looked_at_too(tmp_path: Path) -> None:
    text = "select 1\n{% for one in names %}, '{{ one }}'\n{% endfor %}"
    assert list(quoted_names(tmp_path / "query.sql", text, KNOWN)) == []
    assert refused(tmp_path, text, names=["a"]).startswith("query.sql:2: a value stands in quotes")


def test_nothing_breaks_out_of_a_comment_or_a_body(tmp_path: Path) -> None:
    text = "select {{ a }} -- not {{ b }}\n, {{ c }} /* {{ b }} */"
    statement = given(tmp_path, text, a=1, b="\ndrop table t;", c=3)
    assert statement == Statement(("select ", " -- not \n, ", " /*  */"), (1, 3))
    body = "do $x$ begin perform {{ a }}; end $x$"
    assert refused(tmp_path, body, a="$x$; drop") == "query.sql:1: a value between $x$ has a $x$"


@pytest.mark.parametrize(
    "text",
    [
        "select 1\nwhere at >= {{ watermark }}",
        "select 1\nwhere {{ watermark }}::timestamp < at",
        "select 1\nwhere at between {{ watermark }} and now()",
    ],
)
def test_a_comparison_with_no_watermark_is_refused(tmp_path: Path, text: str) -> None:
    message = refused(tmp_path, text, watermark=None)
    assert message.startswith("query.sql:2: `{{ watermark }}` has no value here")
    assert "between `{% if watermark %}` and `{% endif %}`" in message
    assert given(tmp_path, text, watermark=7).values == (7,)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("select 1 {% if watermark %}where at > {{ watermark }}{% endif %}", ()),
        ("select 1 where {{ watermark }} is null or at > {{ watermark }}", (None, None)),
        ("select 1 where ({{ watermark }}::date) is null or at > {{ watermark }}", (None, None)),
        ("select 1 where at > coalesce({{ watermark }}, '-infinity')", (None,)),
        ("select {{ watermark }} as w", (None,)),
    ],
)
def test_a_query_that_asks_for_the_watermark_may_have_none(
    tmp_path: Path, text: str, values: tuple[None, ...]
) -> None:
    assert given(tmp_path, text, watermark=None).values == values
