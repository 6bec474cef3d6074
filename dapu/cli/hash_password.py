"""`dapu hash-password`: what stands in warehouse.yaml for a password."""

from __future__ import annotations

import sys

import click

from dapu.cli.console import say


@click.command("hash-password")
def hash_password() -> None:
    """Read a password and print its hash, for `server: logins` in warehouse.yaml.

    It is asked for on a terminal, else read from standard input, so that no shell remembers it.

    Example: dapu hash-password
    """
    from dapu.server.access.passwords import hashed

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < 8:
        raise click.UsageError("a password has 8 characters at least")
    say(hashed(password))


COMMANDS = (hash_password,)
