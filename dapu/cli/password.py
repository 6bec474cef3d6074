"""`dapu password`: what stands in warehouse.yaml for a password."""

from __future__ import annotations

import sys

import click

from dapu.cli.console import say


@click.command()
def password() -> None:
    """Print the hash of a password, for warehouse.yaml.

    It is for `server: logins`. The password is asked for on a terminal, else read from standard
    input, so that no shell remembers it.

    Example: dapu password < ann.txt
    """
    from dapu.server.access.passwords import hashed

    if sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if len(given) < 8:
        raise click.UsageError("a password has 8 characters at least")
    say(hashed(given))


COMMANDS = (password,)
