"""Files of every format that dapu reads, made by other writers, and changed by chance."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, is_zipfile

import openpyxl
import pyarrow as pa
import xlwt
from pyarrow import parquet

from scripts.faults.fuzz_definitions import definition
from tests.support.ods import ods
from tests.support.xlsb import xlsb

Dice = random.Random
COLUMNS = ("id", "name", "amount", "day", "paid")
_TEXTS = ("Ann", "O'Hara", "a,b", 'say "x"', "Käive €", "two\nlines", " spaced ", "007", "", "N/A")
_TOKENS = (
    *(
        b"",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"\\",
        b"-",
    ),
    *(
        b"0",
        b"9" * 30,
        b"1e999",
        b"-0",
        b"1.5e-7",
        b"NaN",
        b"null",
        b"true",
        b"{",
        b"}",
        b"[",
        b"]",
    ),
    *(b"[" * 3000, b"<a>" * 3000, b"<", b"/>", b"&amp;", b"&x;", b"\\u0000", b"\\ud800", b"#REF!"),
    *(
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
        b"\xf0\x9f\x98\x80",
        b"2024-02-30",
        b"12:61",
        b"*a",
        b"&a ",
    ),
    *(
        b"{{ x }}",
        b"{% for i in range(9) %}",
        b"!!python/x ",
        b": ",
        b"- ",
        b"  ",
        b"\x1a",
        b"\x85",
    ),
)


def row(number: int, dice: Dice) -> list[Any]:
    """Values of `COLUMNS`."""
    return [
        number,
        dice.choice(_TEXTS),
        Decimal(dice.randrange(-(10**6), 10**6)) / 100,
        date(2024, 1, 1) + timedelta(days=dice.randrange(800)),
        dice.random() < 0.5,
    ]


def rows(dice: Dice) -> list[list[Any]]:
    """Some of them."""
    return [row(number, dice) for number in range(1, dice.randrange(2, 12))]


def _csv(dice: Dice) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=dice.choice(("\n", "\r\n")))
    writer.writerows([list(COLUMNS), *rows(dice)])
    return text.getvalue().encode()


def _json(dice: Dice) -> bytes:
    def plain(value: Any) -> Any:
        return value if isinstance(value, bool | int | str) else str(value)

    records = [dict(zip(COLUMNS, map(plain, one), strict=True)) for one in rows(dice)]
    for record in records:
        record["inside"] = {"list": [1, 2.5, None], "text": record["name"]}
    indent, ascii_only = dice.choice((None, 1)), dice.random() < 0.5
    return json.dumps(records, indent=indent, ensure_ascii=ascii_only).encode()


def _xml(dice: Dice) -> bytes:
    def element(one: list[Any]) -> str:
        inside = "".join(
            f"<{name}>{escape(str(value))}</{name}>"
            for name, value in zip(COLUMNS[1:], one[1:], strict=True)
        )
        return f'<row id="{one[0]}">{inside}</row>'

    return f"<?xml version='1.0'?>\n<rows>{''.join(map(element, rows(dice)))}</rows>".encode()


def _xlsx(dice: Dice) -> bytes:
    book, packed = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    sheet.append(COLUMNS)
    for one in rows(dice):
        sheet.append(one)
        sheet.cell(sheet.max_row, 3).number_format = dice.choice(("0.00", "General", "h:mm"))
    book.save(packed)
    return packed.getvalue()


def _xls(dice: Dice) -> bytes:
    book, packed = xlwt.Workbook(), io.BytesIO()
    sheet, day = book.add_sheet("Costs"), xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for number, one in enumerate([list(COLUMNS), *rows(dice)]):
        for column, value in enumerate(one):
            sheet.write(number, column, value, day) if isinstance(value, date) else sheet.write(
                number, column, float(value) if isinstance(value, Decimal) else value
            )
    book.save(packed)
    return packed.getvalue()


def _xlsb(dice: Dice) -> bytes:
    plain = [[float(v) if isinstance(v, Decimal) else v for v in one] for one in rows(dice)]
    return xlsb([list(COLUMNS), *plain])


def _ods(dice: Dice) -> bytes:
    def cell(value: Any) -> str:
        text = escape(str(value))
        kind, value_is = "string", ""
        if isinstance(value, bool):
            kind, value_is = "boolean", f' office:boolean-value="{text.lower()}"'
        elif isinstance(value, int | Decimal):
            kind, value_is = "float", f' office:value="{text}"'
        elif isinstance(value, date):
            kind, value_is = "date", f' office:date-value="{text}"'
        inside = f"<text:p>{text}</text:p></table:table-cell>"
        return f'<table:table-cell office:value-type="{kind}"{value_is}>{inside}'

    return ods([list(map(cell, one)) for one in [list(COLUMNS), *rows(dice)]])


def _parquet(dice: Dice) -> bytes:
    data = list(zip(*rows(dice), strict=True))
    columns = [pa.array(values) for values in data]
    columns.append(pa.array([[{"x": 1.5, "at": _MOMENT}]] * len(data[0])))
    packed = io.BytesIO()
    table = pa.table(columns, names=[*COLUMNS, "inside"])
    parquet.write_table(table, packed, compression=dice.choice(("snappy", "gzip", "none")))
    return packed.getvalue()


_MOMENT = datetime.fromisoformat("2024-01-02T03:04:05")

MAKERS: dict[str, Callable[[Dice], bytes]] = {
    "definition": definition,
    "csv": _csv,
    "json": _json,
    "xml": _xml,
    "xlsx": _xlsx,
    "xls": _xls,
    "xlsb": _xlsb,
    "ods": _ods,
    "parquet": _parquet,
}


def made(kind: str, dice: Dice) -> bytes:
    """An input of a kind. Nearly any change breaks a definition, so that half stay as they are."""
    data = MAKERS[kind](dice)
    return data if kind == "definition" and dice.random() < 0.5 else mutated(data, dice)


def mutated(data: bytes, dice: Dice) -> bytes:
    """The file with up to four changes; of an archive, mostly those of one member."""
    if is_zipfile(io.BytesIO(data)) and dice.random() < 0.8:
        return _in_member(data, dice)
    changed = bytearray(data)
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        _change(changed, dice)
    return bytes(changed)


def _in_member(data: bytes, dice: Dice) -> bytes:
    packed = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as source, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        names = source.namelist()
        chosen = dice.choice(names)
        for name in names:
            content = bytearray(source.read(name))
            if name == chosen:
                for _ in range(dice.choice((1, 1, 2))):
                    _change(content, dice)
            target.writestr(name, bytes(content))
    return packed.getvalue()


def _change(data: bytearray, dice: Dice) -> None:
    at = dice.randrange(len(data) + 1)
    end = min(at + int(dice.expovariate(0.1)), len(data))
    match dice.randrange(6):
        case 0 if at < len(data):
            data[at] = dice.randrange(256)
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end]
        case 3:
            data[at:end] = dice.choice(_TOKENS)
        case 4 if dice.random() < 0.1:
            del data[at:]
        case _:
            data[at:at] = dice.choice(_TOKENS)
