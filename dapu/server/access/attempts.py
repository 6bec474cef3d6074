"""How often somebody may try to log in. Failures are events: all servers count the same ones."""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from dapu.components import steering
from dapu.components.steering import Operator
from dapu.registry.store import Registry

MOST_FROM_ADDRESS = 10  # in a quarter of an hour
MOST_OF_NAME = 30  # from anywhere
one_at_a_time = threading.Lock()  # many at once must not all come before the first is counted


@dataclass(frozen=True)
class Attempt:
    """login: the name, where there is one of that name; else it may be a password by mistake."""

    address: str
    login: str | None

    def is_one_too_many(self, cursor: Cursor, registry: Registry) -> bool:
        """Whether to refuse it without a look at the password."""
        row = registry.row(cursor, "login_attempt.failed", address=self.address, login=self.login)
        assert row is not None
        return bool(row[0] >= MOST_FROM_ADDRESS or row[1] >= MOST_OF_NAME)

    def failed(self, cursor: Cursor, registry: Registry) -> None:
        """Stores that it did."""
        named = self.login or "an unknown name"
        steering.log(
            cursor,
            registry,
            f"a login failed: {named}, from {self.address}",
            Operator(named, "login"),
            "warning",
            failed_login=True,
            login=self.login,
            address=self.address,
        )


def network_of(address: str | None) -> str:
    """An address as it is counted: one person has a whole /64 of IPv6."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
