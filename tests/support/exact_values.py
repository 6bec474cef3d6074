"""Texts that PostgreSQL would take and change, and texts that it keeps as they are, by type."""

from __future__ import annotations

CHANGED = [
    ("numeric(10,2)", "1.239"), ("numeric(10,2)", "1e-3"), ("numeric(5,-1)", "15"),
    ("real", "1.23456789012"), ("real", "16777217"),
    ("double precision", "0.12345678901234567890"), ("double precision", "9007199254740993"),
    ("date", "2024-02-01 13:45:00"), ("date", "2024-02-01T00:00:01"),
    ("timestamp without time zone", "2024-01-01T10:00:00+02:00"),
    ("timestamp without time zone", "2024-01-01 10:00:00Z"),
    ("timestamp without time zone", "2024-01-01 10:00 Europe/Berlin"),
    ("timestamp without time zone", "20240101T101112-05"),
    ("timestamp without time zone", "2024-01-01 10:00:00.987654321"),
    ("timestamp(0) without time zone", "2024-01-01 10:00:00.5"),
    ("timestamp(3) with time zone", "2024-01-01 10:00:00.1234+02"),
    ("time without time zone", "10:00+05"), ("time without time zone", "2024-01-01 10:00"),
    ("time(0) without time zone", "10:00:00.1"),
    ("interval", "1 day 00:00:01.1234567"), ("interval(0)", "1.5 s"),
    ("character varying(3)", "abc   "), ("name", "a" * 64),
    ("date", "now"), ("date", " Tomorrow"), ("timestamp without time zone", "today 10:00"),
    ("timestamp with time zone", "YESTERDAY"), ("time without time zone", "now"),
]  # fmt: skip

KEPT = [
    ("numeric(10,2)", "1.2300"), ("numeric(10,2)", "12e-1"), ("numeric(10,2)", "NaN"),
    ("real", "0.1"), ("real", "0.10000000149011612"), ("real", "1.2345679"), ("real", "-Infinity"),
    ("double precision", "0.1"), ("double precision", "1e300"),
    ("double precision", "9007199254740992"), ("double precision", "NaN"),
    ("date", "2024-02-01"), ("date", "2024-02-01 00:00:00.000"), ("date", "0044-03-15 BC"),
    ("date", "infinity"), ("date", "epoch"), ("date", "5 Nov 2024"),
    ("timestamp without time zone", "2024-01-01 10:00:00.123456000"),
    ("timestamp without time zone", "2024-01-01 10:00 PM"),
    ("timestamp without time zone", "0044-03-15 10:00:00 BC"),
    ("timestamp without time zone", "Jan 5 2024"),
    ("timestamp(0) without time zone", "05.05.2024 10:00:00.0"),
    ("timestamp with time zone", "2024-01-01 10:00:00.123456+02"),
    ("time without time zone", "10:00:00.123456"), ("time with time zone", "10:00+05"),
    ("interval", "-838:59:59.000001"), ("interval(0)", "1.5 days"),
    ("character varying(3)", "abc"), ("text", "abc "), ("character varying", "a "),
    ("numeric", "1.239"), ("integer", "1"),
]  # fmt: skip
