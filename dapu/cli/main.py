"""The `dapu` command: its subcommands, and how it ends."""

from __future__ import annotations

import sys
import traceback

import click
import psycopg2

from dapu import __version__
from dapu.cli import control, look, project, run
from dapu.cli.console import complain
from dapu.errors import DapuError
from dapu.secrets import redact

_EPILOG = """
A warehouse directory is the first argument of every command.

\b
Examples:
  dapu init finances            make a warehouse directory that runs as it is
  dapu versioner finances       prepare its database
  dapu registrar finances       take up its definitions
  dapu manager finances         queue what is due
  dapu worker finances          run what is queued
  dapu status finances          see how it went

Exit status: 0 done, 1 something failed, 2 wrong use or configuration.

\b
Completion, in ~/.bashrc (or zsh_source, fish_source):
  eval "$(_DAPU_COMPLETE=bash_source dapu)"
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dapu")
def cli() -> None:
    """Definition-driven ELT for PostgreSQL warehouses."""


for command in (*project.COMMANDS, *run.COMMANDS, *look.COMMANDS, *control.COMMANDS):
    cli.add_command(command)


def main() -> None:
    """Runs the command line; never returns."""
    try:
        sys.exit(cli.main(prog_name="dapu", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        complain("dapu: stopped")
        sys.exit(1)
    except DapuError as error:
        complain(f"dapu: {error}" if "\n" not in str(error) else str(error))
        sys.exit(error.exit_status)
    except psycopg2.Error as error:
        complain(f"dapu: the warehouse's database says: {str(error).strip()}")
        sys.exit(1)
    except Exception:  # noqa: BLE001 - a fault of dapu's own: told whole, but without secrets
        complain(redact(traceback.format_exc()))
        complain("dapu: this is a fault in dapu itself; please report it with the lines above")
        sys.exit(1)
