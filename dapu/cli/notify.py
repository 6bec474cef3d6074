"""`dapu notify`: tells people what happened."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dapu.cli.arguments import AS_JSON, WAREHOUSE
from dapu.cli.console import complain, say, show_json
from dapu.errors import ConfigurationError

if TYPE_CHECKING:
    from dapu.warehouse.warehouse import Warehouse


@click.command("notify")
@WAREHOUSE
@click.option("--test", is_flag=True, help="Send each recipient a message, to see that it comes.")
@click.option("--to", "name", metavar="NAME", help="With --test: only this one of `notify:`.")
@AS_JSON
def notify(warehouse: Warehouse, test: bool, name: str | None, as_json: bool) -> None:
    """Send the notices that wait (`notify:` in warehouse.yaml).

    The Manager and the worker do that too. Exit status 1 when a recipient does not take one.

    \b
    Examples:
      dapu notify finances --test
      dapu notify finances
    """  # noqa: D301 - click's mark for lines that stay as they are
    from dapu.components.notifier import send_all, send_test

    if not warehouse.settings.notify:
        raise ConfigurationError("warehouse.yaml has no `notify:`: nobody is to be told anything")
    if name is not None and not test:
        raise click.UsageError("--to goes with --test")
    if not test:
        faults = send_all(warehouse)
        if as_json:
            show_json({"faults": faults})
        else:
            for text in faults:
                complain(f"dapu: {text}")
        sys.exit(1 if faults else 0)
    results = send_test(warehouse, name)
    if as_json:
        show_json([{"name": of, "fault": fault} for of, fault in results])
    else:
        for of, fault in results:
            say(f"{of}: sent") if fault is None else complain(f"dapu: {fault}")
    sys.exit(1 if any(fault for _, fault in results) else 0)


COMMANDS = (notify,)
