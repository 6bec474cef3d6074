"""The `dapu` command: its subcommands, and how it ends.

A command's module is imported when the command is asked for, and what it needs when it runs, so
that `dapu --version`, `dapu --help` and the completion of words answer at once.
"""

from __future__ import annotations

import errno
import gc
import sys
from datetime import datetime

import click

from dapu.cli.arguments import COMPONENTS, CommandGroup
from dapu.cli.console import complain, is_terminal
from dapu.errors import DapuError
from dapu.secrets import redact
from dapu.version import __version__
from dapu.warehouse.logs import log, logs_to_stderr

_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_MODULES = {
    "dapu.cli.project": "init conf-prep",
    "dapu.cli.psql": "psql",
    "dapu.cli.components": "versioner registrar manager cleaner",
    "dapu.cli.baseline": "baseline",
    "dapu.cli.gatekeeper": "gatekeeper",
    "dapu.cli.worker": "worker",
    "dapu.cli.run": "run",
    "dapu.cli.alive": "alive",
    "dapu.cli.status": "status query schema",
    "dapu.cli.why": "why",
    "dapu.cli.trial": "render preview diff",
    "dapu.cli.verify": "verify",
    "dapu.cli.test": "test",
    "dapu.cli.validate": "validate",
    "dapu.cli.lineage": "lineage impact",
    "dapu.cli.graph": "graph",
    "dapu.cli.dev": "dev",
    "dapu.cli.logs": "logs",
    "dapu.cli.top": "top",
    "dapu.cli.notify": "notify",
    "dapu.cli.discover": "discover",
    "dapu.cli.generate": "generate new",
    "dapu.cli.password": "password",
    "dapu.cli.connectors": "connectors",
    "dapu.cli.convert": "convert",
    "dapu.cli.server": "server",
    "dapu.cli.docs": "docs",
    "dapu.cli.mcp": "mcp",
    "dapu.cli.steering": "pause resume retry cancel",
    "dapu.cli.keep_off": "blacklist watermark",
    "dapu.cli.execute": "execute",
    "dapu.cli.views": "views",
}
_EPILOG = """
A warehouse directory is the first argument of every command; within one it may be left out.

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
Completion of tasks, routes and columns, in ~/.bashrc (or zsh_source, fish_source):
  eval "$(_DAPU_COMPLETE=bash_source dapu)"
"""


@click.group(
    cls=CommandGroup,
    modules=_MODULES,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="dapu")
def cli() -> None:
    """Definition-driven ELT for PostgreSQL warehouses."""


def main() -> None:
    """Runs the command line; never returns."""
    # Most objects stay to the end: with Python's 700 a third of the time goes into looking at them.
    gc.set_threshold(50_000, 20, 20)
    try:
        sys.exit(cli.main(prog_name="dapu", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _complain("dapu: stopped")
        sys.exit(1)
    except DapuError as error:
        _complain(f"dapu: {error}" if "\n" not in str(error) else str(error))
        sys.exit(error.exit_status)
    except Exception as error:  # noqa: BLE001 - a fault of dapu's own: shown whole
        _explain(error)
        sys.exit(1)
    finally:
        gc.freeze()  # at its end Python looks through all objects; that takes long, for nothing


def _explain(error: Exception) -> None:
    import psycopg2

    if isinstance(error, psycopg2.Error):
        _complain(f"dapu: the warehouse's database says: {str(error).strip()}")
    elif isinstance(error, OSError) and error.filename is not None:
        _complain(f"dapu: {error.filename}: {error.strerror}")
    elif isinstance(error, OSError) and error.errno in _CANNOT_WRITE:
        _complain(f"dapu: the output cannot be written: {error.strerror}")
    else:
        import traceback

        _complain(redact("".join(traceback.format_exception(error))))
        _complain("dapu: this is a fault in dapu itself; please report it with the lines above")


def _complain(text: str) -> None:
    """Says what is wrong; in a component's log with the time and its name, as all lines there."""
    command = "".join(sys.argv[1:2])
    stamp = ""
    log("error", text)
    if logs_to_stderr():
        return
    if command in COMPONENTS - {"run"} and not is_terminal():
        stamp = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {command}: "
    for line in text.splitlines() or [""]:
        complain(stamp + line)
