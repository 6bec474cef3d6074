"""A verification with its verdict, kept in the registry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg2

from dapu.components.provenance import who
from dapu.errors import ConfigurationError, DapuError
from dapu.registry import verifications
from dapu.registry.verifications import LastRun, StoredVerification, Verdict
from dapu.registry.version import registry_of
from dapu.secrets import redact
from dapu.text import counted
from dapu.trial.open_trial import Trial, open_trial
from dapu.trial.verify import CannotVerify, Verification, verify
from dapu.warehouse.warehouse import Warehouse


class Verified(NamedTuple):
    """number: of the row in `meta.verification`. found: None where the rows were not compared."""

    number: int
    row: StoredVerification
    found: Verification | None


def verify_and_keep(warehouse: Warehouse, task: str, samples: int) -> Verified:
    """Verifies a registered task, and keeps what was found, whatever it is.

    samples: at most so many rows of each kind.
    Raises ConfigurationError for a task that is not registered as its files are.
    """
    began_at = datetime.now(UTC)
    with open_trial(warehouse, task, "verify", in_one_state=True) as trial:
        last = _last_run(trial)

        def row(verdict: Verdict, message: str, **more: Any) -> StoredVerification:
            known = {"run_at": last.at, "began_at": began_at, "by": who(), **more}
            return StoredVerification(task, last.hash, verdict, message, **known)

        found, kept = _try(trial, samples, row)
    registry = registry_of(warehouse)
    with warehouse.session("verify") as session, session, session.cursor() as cursor:
        return Verified(verifications.add(cursor, registry, kept), kept, found)


def _last_run(trial: Trial) -> LastRun:
    task = trial.definition.folder.id
    with trial.session.cursor() as cursor:
        last = verifications.last_run(cursor, trial.registry, task)
    if last is None:
        raise ConfigurationError(f"{task} is not registered; run `dapu registrar`, and the task")
    if last.hash != trial.definition.hash:
        raise ConfigurationError(
            f"the files of {task} are not those that are registered; run `dapu registrar`, and the "
            "task"
        )
    return last


def _try(
    trial: Trial, samples: int, row: Callable[..., StoredVerification]
) -> tuple[Verification | None, StoredVerification]:
    try:
        found = verify(trial, samples)
    except CannotVerify as error:
        return None, row("refused", str(error))
    except DapuError as error:
        return None, row("failed", redact(str(error)))
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        return None, row("failed", redact(str(error)).strip())
    differences = found.differences
    return found, row(
        "same" if found.are_same else "different",
        _sentence(found),
        source=found.source,
        table_at=found.table_at,
        source_at=found.source_at,
        read_to=found.read_to,
        table_rows=found.table_rows,
        source_rows=found.source_rows,
        blocks=found.blocks,
        blocks_differing=found.blocks_differing,
        rows_read=found.rows_read,
        bytes_moved=found.bytes_moved,
        missing=differences.inserted,
        extra=differences.deleted,
        differing=differences.updated,
        columns=list(found.columns),
        pending=found.pending,
        not_compared=found.not_compared,
    )


def _sentence(found: Verification) -> str:
    if found.are_same:
        text = f"{counted(found.table_rows, 'row')} on both sides"
    else:
        one = found.differences
        text = f"{one.inserted:,} missing, {one.deleted:,} extra, {one.updated:,} differing; "
        text += (
            f"{counted(found.source_rows, 'row')} in the source, {found.table_rows:,} in the table"
        )
    if found.pending:
        text += f"; {counted(found.pending, 'row')} that the next run reads"
    return text
