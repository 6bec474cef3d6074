"""What dapu needs of MySQL's protocol beside what PyMySQL offers.

PyMySQL opens the connection and sends commands. Here a query's columns are asked for without
running it, and the values of a result's only column are passed on as they come from the wire:
making Python objects of each row would take longer than all else.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
https://mariadb.com/kb/en/clientserver-protocol/ describe the packets.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from pymysql.charset import charset_by_id
from pymysql.constants import COMMAND, CR, FLAG
from pymysql.err import OperationalError, raise_mysql_exception
from pymysql.protocol import FieldDescriptorPacket

from dapu.errors import RowTooLong
from dapu.sources.databases.pymysql_private import (
    Connection,
    answer_stream,
    read_packet,
    send_command,
)

"""A connection of PyMySQL; its parts that are used here have no types."""

_CHUNK = 1 << 18  # bytes that are taken from the socket at once
_HEAD = struct.Struct("<IB").unpack_from  # length (3 bytes), number, and the first byte of a row
_HEAD_BYTES = 4
_LENGTH = 0xFFFFFF  # also the length of a packet that another one continues
# What the first byte of a row says, where it is not the length of the value itself.
_NULL, _TWO_BYTES, _THREE_BYTES, _ERROR = 0xFB, 0xFC, 0xFD, 0xFF
_SHORTEST_LONG = 9  # 0xFE is a length of 8 bytes, or in a packet shorter than this the end


@dataclass(frozen=True)
class Described:
    """What the server says of a column of a result.

    code: a `pymysql.constants.FIELD_TYPE`. length: in bytes, or bits, or characters of a number.
    charset: its name; `binary` for what is not text, empty when it is newer than PyMySQL.
    origin: database, table and column that it is taken from as it is; empty texts when computed.
    """

    name: str
    code: int
    length: int
    scale: int
    unsigned: bool
    binary: bool
    charset: str
    origin: tuple[str, str, str]
    is_enum: bool = False


def columns_of(session: Connection, query: str) -> Sequence[Described]:
    """The columns of a query's result; none when it gives no rows.

    The server prepares the query and does not run it. Raises pymysql.MySQLError.
    """
    send_command(session, COMMAND.COM_STMT_PREPARE, query)
    # Status, statement (4 bytes), columns (2), parameters (2), …
    prepared = read_packet(session).get_all_data()
    _, statement, columns, parameters = struct.unpack_from("<BIHH", prepared)
    for _ in range(parameters + 1 if parameters else 0):
        read_packet(session)
    described = [_described(read_packet(session, FieldDescriptorPacket)) for _ in range(columns)]
    if described:
        read_packet(session)
    send_command(session, COMMAND.COM_STMT_CLOSE, struct.pack("<I", statement))
    return described


def _described(packet: Any) -> Described:
    try:
        charset = str(charset_by_id(packet.charsetnr).name)  # type: ignore[attr-defined]
    except KeyError:
        charset = ""
    return Described(
        name=packet.name,
        code=packet.type_code,
        length=packet.length,
        scale=packet.scale,
        unsigned=bool(packet.flags & FLAG.UNSIGNED),
        binary=bool(packet.flags & FLAG.BINARY),
        charset=charset,
        origin=(packet.db.decode(), packet.org_table, packet.org_name),
        is_enum=bool(packet.flags & FLAG.ENUM),
    )


def write_values(session: Connection, query: str, file: BinaryIO) -> int:
    """Runs a query of one column of bytes and writes its values; returns the count of warnings.

    Raises pymysql.MySQLError, or RowTooLong when a value is NULL.
    """
    send_command(session, COMMAND.COM_QUERY, query)
    read_packet(session)  # the count of columns, which is 1
    read_packet(session, FieldDescriptorPacket)
    read_packet(session)
    held, stream = bytearray(), answer_stream(session)
    while True:
        held += _receive(stream)
        if len(held) < _shortest(held):
            continue
        values, taken, end = _split(bytes(held))
        file.write(b"".join(values))
        if end is not None:
            return _warnings(end)
        del held[:taken]


def _receive(stream: Any) -> bytes:
    try:
        data = bytes(stream.read1(_CHUNK))
    except (OSError, ValueError, AttributeError):  # closed, by `stop` for example
        data = b""
    if not data:
        raise OperationalError(CR.CR_SERVER_LOST, "Lost connection to the server during the query")
    return data


def _shortest(held: bytearray) -> int:
    """How many bytes make the first packet whole."""
    return _HEAD_BYTES + (_HEAD(held)[0] & _LENGTH if len(held) > _HEAD_BYTES else 1)


def _split(data: bytes) -> tuple[list[bytes], int, bytes | None]:
    """The values in the packets, how many bytes those are, and the packet that is not a row."""
    values: list[bytes] = []
    add, at, last = values.append, 0, len(data) - _HEAD_BYTES
    while at < last:
        length, first = _HEAD(data, at)
        begin = at + _HEAD_BYTES
        end = begin + (length & _LENGTH)
        if end > len(data):
            break
        if first < _NULL:
            add(data[begin + 1 : end])
        elif first == _TWO_BYTES:
            add(data[begin + 3 : end])
        elif first in (_NULL, _ERROR) or end - begin < _SHORTEST_LONG:
            return values, at, data[begin:end]
        else:
            value, end = _long(data, at)
            if not end:
                break
            add(value)
        at = end
    return values, at, None


def _long(data: bytes, at: int) -> tuple[bytes, int]:
    """A value of 64 kB or more, maybe in several packets, and where it ends; 0 is not here yet."""
    payload, length = bytearray(), _LENGTH
    while length == _LENGTH:
        if at + _HEAD_BYTES >= len(data):
            return b"", 0
        length = _HEAD(data, at)[0] & _LENGTH
        begin, at = at + _HEAD_BYTES, at + _HEAD_BYTES + length
        if at > len(data):
            return b"", 0
        payload += data[begin:at]
    return bytes(payload[4 if payload[0] == _THREE_BYTES else 9 :]), at


def _warnings(end: bytes) -> int:
    if end[0] == _ERROR:
        raise_mysql_exception(end)
    if end[0] == _NULL:
        raise RowTooLong
    return int.from_bytes(end[1:3], "little")
