"""A private OpenSSH server that gives out a folder. It needs Debian's openssh-server."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

_STARTS_WITHIN = 30.0  # seconds; a machine that runs tests is a busy one
_PRIVILEGE_SEPARATION = Path("/run/sshd")  # which sshd wants when it runs as root


@dataclass(frozen=True)
class Ssh:
    """A running server. folder: what it gives out. key: a private key that may enter."""

    port: int
    folder: Path
    key: Path
    known_hosts: Path
    username: str

    @property
    def url(self) -> str:
        """The address of its folder."""
        return f"sftp://127.0.0.1:{self.port}{self.folder}"


def installed() -> str | None:
    """The program, or None."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def running_ssh(program: str) -> Iterator[Ssh]:
    """Starts a server with keys of its own; stops it and removes all of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dapu-ssh-"))
    try:
        for name in ("host", "user", "stranger"):
            _make_key(folder / name)
        process, port = _start(program, folder)
        try:
            host_key = (folder / "host.pub").read_text()
            (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
            share = folder / "share"
            share.mkdir()
            user = getpass.getuser()
            yield Ssh(port, share, folder / "user", folder / "known_hosts", user)
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)


def _start(program: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Starts the server on a free port; on another when that one was taken meanwhile."""
    if os.geteuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    for _ in range(3):
        port = _free_port()
        process = _launch(program, folder, port)
        if _answers(process, port):
            return process, port
        process.kill()
        process.wait()
    log = (folder / "log").read_text(errors="replace")
    raise RuntimeError(f"sshd does not start: {log[-4000:]}")


def _launch(program: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    (folder / "config").write_text(
        dedent(f"""\
            ListenAddress 127.0.0.1
            Port {port}
            HostKey {folder / "host"}
            AuthorizedKeysFile {folder / "user.pub"}
            PidFile none
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin prohibit-password
            Subsystem sftp internal-sftp
            ForceCommand internal-sftp
            """)
    )
    command = [program, "-D", "-e", "-f", str(folder / "config")]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with closing(socket.socket()) as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0 and probe.recv(4) == b"SSH-":
                return process.poll() is None
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
