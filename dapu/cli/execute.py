"""`dapu execute …`: documents of the Execute API into any warehouse that it knows."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dapu.cli.console import is_terminal, say
from dapu.errors import DapuError
from dapu.secrets import HIDDEN, redact

if TYPE_CHECKING:
    from dapu.execute.settings import SyncSettings
    from dapu.execute.sync import Sync

_OPTIONS = (
    click.option(
        "--database-type",
        metavar="TYPE",
        help="POSTGRES, SQLITE, SNOWFLAKE, DATABRICKS or MSSQL.",
    ),
    click.option("--database-dsn", metavar="DSN", help="Where the warehouse is, who logs in."),
    click.option("--execute-url", "-u", metavar="URL", help="Address of the Execute server."),
    click.option("--execute-key-id", metavar="ID", help="Id of the API key."),
    click.option("--execute-key-secret", metavar="SECRET", help="Better set in .env."),
    click.option("--max-documents", "-m", type=int, help="Most documents in an answer (10,000)."),
    click.option("--chunk-size", "-c", type=int, help="Most list items in a row (10,000)."),
    click.option("--include-calcs", "-x", is_flag=True, default=None, help="Calculated fields."),
    click.option(
        "--hide-inactive-fields", is_flag=True, default=None, help="Views of fields in use only."
    ),
    click.option("--state-dir", "-d", metavar="DIR", help="Folder of the SQLite file (.)."),
    click.option("--log-level", "-l", metavar="LEVEL", help="quiet, info or debug."),
    click.option("--log-file", metavar="FILE", help="Write the log to this file too."),
)
_WAIT = click.option("--wait", "-w", type=int, help="Seconds between rounds (600).")
_SHORT_NAMES = {"s": "sync", "p": "push", "c": "config"}
_FORCE = click.option("--force", "-f", is_flag=True, default=None, help="Read everything again.")


class _Group(click.Group):
    """Takes the names of the known client too: create_views, and the short ones."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _SHORT_NAMES.get(cmd_name, cmd_name.replace("_", "-"))
        return super().get_command(ctx, name)


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("execute", cls=_Group)
@_settings
@_WAIT
@_FORCE
@click.pass_context
def execute(context: click.Context, /, **options: Any) -> None:
    """Bring documents of the Execute API into a warehouse.

    A command of its own: it needs no warehouse directory. What it must know stands in options, in
    EXECUTESYNC_* variables, or in a .env or config.env in the working directory, in this order.

    \b
    EXECUTESYNC_DATABASE_TYPE=POSTGRES
    EXECUTESYNC_DATABASE_DSN=postgresql://user:password@host/database
    EXECUTESYNC_EXECUTE_URL=https://execute.example.com
    EXECUTESYNC_EXECUTE_APIKEY_ID=...
    EXECUTESYNC_EXECUTE_APIKEY_SECRET=...

    Example: dapu execute push
    """  # noqa: D301 - click's mark for lines that stay as they are
    context.obj = _given(options)


@execute.command("sync")
@_settings
@_WAIT
@_FORCE
@click.pass_obj
def sync(given: dict[str, Any], /, **options: Any) -> None:
    """Read what is new, wait, and again, until it is stopped.

    SIGTERM or Ctrl-C ends it; what was stored until then stays. A round that fails is logged and
    tried again after the wait.

    Example: dapu execute sync --wait 60
    """
    with _running(given, options) as (settings, work):
        try:
            _run(work, lambda: work.run(full=settings.force))
        except KeyboardInterrupt:
            logging.getLogger("dapu.execute").info("stopped; what was read is stored")


@execute.command("push")
@_settings
@_FORCE
@click.pass_obj
def push(given: dict[str, Any], /, **options: Any) -> None:
    """Read what is new, once.

    Example: dapu execute push -f
    """
    with _running(given, options) as (settings, work):
        _run(work, lambda: work.push(full=settings.force))


@execute.command("clone")
@_settings
@click.pass_obj
def clone(given: dict[str, Any], /, **options: Any) -> None:
    """Make the helper views, then read everything.

    Example: dapu execute clone --database-type SQLITE
    """
    with _running(given, options) as (_, work):
        _run(work, work.clone)


@execute.command("create-views")
@_settings
@click.pass_obj
def create_views(given: dict[str, Any], /, **options: Any) -> None:
    """Make the helper views, or make them anew as Execute's schema is now.

    Example: dapu execute create-views --hide-inactive-fields
    """
    with _running(given, options) as (_, work):
        _run(work, work.create_views)


@execute.command("prune")
@_settings
@click.pass_obj
def prune(given: dict[str, Any], /, **options: Any) -> None:
    """Delete what a newer reading of the same version has superseded.

    Example: dapu execute prune
    """
    with _running(given, options) as (_, work):
        _run(work, work.prune)


@execute.command("config")
@_settings
@_WAIT
@click.pass_obj
def config(given: dict[str, Any], /, **options: Any) -> None:
    """Show the settings, but no secrets.

    Example: dapu execute config
    """
    from dapu.execute.settings import FIELDS, variable

    settings = _read(given | _given(options))
    for name in FIELDS:
        value = settings.dsn if name == "database_dsn" else getattr(settings, name)
        shown = HIDDEN if name == "execute_key_secret" else "" if value is None else str(value)
        say(f"{variable(name)}={shown}")


@execute.command("version")
def version() -> None:
    """Print the version of dapu.

    Example: dapu execute version
    """
    from importlib.metadata import version as version_of

    say(f"dapu, version {version_of('dapu')}")


@execute.command("gen")
@click.option(
    "--encrypt", is_flag=True, help="Ask for a passphrase (a line of standard input), use it too."
)
def gen(encrypt: bool) -> None:
    """Make an RSA key pair for Snowflake's key-pair login, in every form it is needed in.

    Nothing is stored: keep what it prints as you keep a password.

    Example: dapu execute gen
    """
    from dapu.named_sql import statement
    from dapu.warehouse.snowflake_login import make_key_pair

    pair = make_key_pair(_passphrase() if encrypt else None)
    _section("Private key for privateKey= in EXECUTESYNC_DATABASE_DSN", pair.dsn)
    _section("Private key, PKCS #8 PEM", pair.private_pem)
    if pair.encrypted_pem:
        _section("Private key, PKCS #8 PEM, under the passphrase", pair.encrypted_pem)
    _section("Public key, PEM", pair.public_pem)
    to_run = statement("execute_snowflake.set_public_key").format(key=pair.public_body)
    _section("Public key for Snowflake, with your user's name", f"{to_run};")


def _passphrase() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    passphrase = sys.stdin.readline().rstrip("\n")
    if not passphrase:
        raise click.UsageError("there is no passphrase on standard input")
    return passphrase


def _section(title: str, text: str) -> None:
    click.echo(f"== {title}\n{text.strip()}\n")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _read(options: dict[str, Any]) -> SyncSettings:
    from dapu.execute.settings import read_settings

    return read_settings(_environment(), options)


def _environment() -> dict[str, str]:
    from dapu.warehouse.environment import read_environment

    return read_environment(Path.cwd(), "config.env")


@contextmanager
def _running(given: dict[str, Any], options: dict[str, Any]) -> Iterator[tuple[SyncSettings, Sync]]:
    """The settings, and what works by them; what fails is in the log file too."""
    from dapu.execute.settings import unknown_variables
    from dapu.execute.sync import Sync

    settings = _read(given | _given(options))
    log, file = _open_log(settings)
    for line in unknown_variables(_environment()):
        log.warning("%s", line)
    try:
        yield settings, Sync(settings)
    except DapuError as error:
        if file is not None:
            file.handle(log.makeRecord(log.name, logging.ERROR, "", 0, str(error), (), None))
        raise
    finally:
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()


class _Formatter(logging.Formatter):
    """Lines without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _open_log(settings: SyncSettings) -> tuple[logging.Logger, logging.Handler | None]:
    from dapu.errors import ConfigurationError

    log = logging.getLogger("dapu.execute")
    levels = {"quiet": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
    log.setLevel(levels[settings.log_level])
    stamp = "%(asctime)s %(message)s"
    printed = logging.StreamHandler(sys.stdout)
    printed.setFormatter(_Formatter(None if is_terminal() else stamp, "%Y-%m-%d %H:%M:%S"))
    log.addHandler(printed)
    if settings.log_file is None:
        return log, None
    try:
        file = logging.FileHandler(settings.log_file, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the log file {settings.log_file} cannot be written: {error.strerror}"
        ) from None
    file.setFormatter(_Formatter(stamp, "%Y-%m-%d %H:%M:%S"))
    log.addHandler(file)
    return log, file


def _run(work: Sync, job: Callable[[], object]) -> None:
    from dapu.cli.interrupts import run_until_signal

    run_until_signal(job, work.stop)


COMMANDS = (execute,)
