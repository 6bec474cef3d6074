"""How many rejected rows are all right; above that the job fails, and nothing is kept."""

from __future__ import annotations

from fractions import Fraction

from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.statement import TableName
from dapu.text import counted


def check_rejected(
    name: TableName, options: LoadOptions, rejected: int, rows: int, note: str
) -> None:
    """Raises JobError when too many of the rows that were read are rejected.

    note: how many, and the first of them, for the message.
    """
    if options.rejects is not None:
        given = options.rejects.at_most
        most = rows * _share(given) if isinstance(given, str) else given
        if rejected > most:
            raise JobError(
                f"{name}: {note}: of {counted(rows, 'row')}; `rejects: {{at_most: {given}}}`"
            )
    elif rejected == rows and options.empties_table:
        raise JobError(
            f"{name}: {note}: that is every row, and the table would be empty. Where that is all "
            "right, say `rejects: {at_most: 100 %}`"
        )


def _share(percent: str) -> Fraction:
    return Fraction(percent.rstrip("% ")) / 100
