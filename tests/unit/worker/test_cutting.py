"""Connections of the process are found, whatever opened them."""

from __future__ import annotations

import socket

from dapu.worker.cutting import notice_silence


def test_a_connection_of_any_driver_notices_that_the_other_side_vanished() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        plain = socket.create_connection(server.getsockname())
        own = socket.create_connection(server.getsockname())
        with plain, own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            before = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            notice_silence()
            assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            # What a driver has set itself is its own.
            assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == before
