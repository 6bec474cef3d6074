"""Hosts for a test: network namespaces on one bridge, in a namespace that holds nothing else.

ip-netns(8), ip-link(8). Their addresses are seen by nobody outside.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HUB = "10.77.0.1"
NETWORK = "10.77.0.0/24"
_BRIDGE = "hub"


@dataclass(frozen=True)
class Host:
    """A namespace, and the end of its cable at the bridge."""

    name: str
    cable: str

    def command(self, *words: str | Path) -> Sequence[str | Path]:
        """The command line that runs a program there."""
        return ("ip", "netns", "exec", self.name, *words)

    def cut(self) -> None:
        """What it sends, and what is sent to it, is lost from now on without a word."""
        _ip("link", "set", self.cable, "down")

    def mend(self) -> None:
        """Puts the cable in again."""
        _ip("link", "set", self.cable, "up")


@contextmanager
def running_hosts(hub: str, count: int) -> Iterator[list[Host]]:
    """Makes the hosts, from within the namespace `hub`; removes them at the end."""
    _ip("link", "set", "lo", "up")
    _ip("link", "add", _BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{HUB}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    hosts: list[Host] = []
    try:
        for number in range(1, count + 1):
            host = Host(f"{hub}-{number}", f"cable{number}")
            _ip("netns", "add", host.name)
            hosts.append(host)
            end = ("peer", "name", "eth0", "netns", host.name)
            _ip("link", "add", host.cable, "type", "veth", *end)
            _ip("link", "set", host.cable, "master", _BRIDGE, "up")
            _ip("-n", host.name, "addr", "add", f"10.77.0.{number + 1}/24", "dev", "eth0")
            _ip("-n", host.name, "link", "set", "eth0", "up")
            _ip("-n", host.name, "link", "set", "lo", "up")
        yield hosts
    finally:
        for host in hosts:
            _ip("netns", "del", host.name)


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)
