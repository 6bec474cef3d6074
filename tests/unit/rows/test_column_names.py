"""Names of columns, as their source has them."""

from __future__ import annotations

from dapu.rows.column_names import kept_names


def test_a_kept_name_is_only_changed_where_postgresql_cannot_have_it() -> None:
    given = ["Id", "full name", "ID", "", "xmin", "Ö" * 40]
    assert kept_names(given) == ["Id", "full name", "ID", "column_4", "xmin_2", "Ö" * 31]


def test_names_that_are_the_same_once_they_are_shortened_are_numbered() -> None:
    assert kept_names(["x" * 63 + "a", "x" * 63 + "b"]) == ["x" * 63, "x" * 61 + "_2"]
