"""Which tasks selectors name.

erp.staging.sale --> erp.mart.by_day --> erp.mart.by_month
web.staging.visit --> erp.mart.by_day
"""

from __future__ import annotations

import pytest

from dapu.errors import ConfigurationError
from dapu.registry.selectors import Selectable, is_one_task, select

SALE, VISIT = "erp.staging.sale", "web.staging.visit"
DAY, MONTH = "erp.mart.by_day", "erp.mart.by_month"
TASKS = [
    Selectable(DAY, "erp", ["daily", "core"], has_failed=False, masters=[SALE, VISIT, "x.gone.y"]),
    Selectable(MONTH, "erp", ["core"], has_failed=True, masters=[DAY]),
    Selectable(SALE, "erp", [], has_failed=False, masters=[]),
    Selectable(VISIT, "web", ["daily"], has_failed=False, masters=[]),
]


@pytest.mark.parametrize(
    ("selectors", "tasks"),
    [
        ([SALE], [SALE]),
        (["staging.sale"], [SALE]),
        (["staging.*"], [SALE, VISIT]),
        (["erp.*"], [SALE, DAY, MONTH]),
        (["*.sale"], [SALE]),
        (["tag:daily"], [VISIT, DAY]),
        (["route:w*"], [VISIT]),
        (["failed:"], [MONTH]),
        (["failed:web.*"], []),
        (["+mart.by_day"], [SALE, VISIT, DAY]),
        (["staging.visit+"], [VISIT, DAY, MONTH]),
        (["+mart.by_day+"], [SALE, VISIT, DAY, MONTH]),
        ([MONTH, SALE], [SALE, MONTH]),
        (["tag:core", DAY], [DAY, MONTH]),
    ],
)
def test_what_they_name_in_the_order_to_run(selectors: list[str], tasks: list[str]) -> None:
    found = select(selectors, TASKS)
    assert sorted(found) == sorted(tasks)
    for task in TASKS:
        for master in set(task.masters) & set(found):
            assert task.task not in found or found.index(master) < found.index(task.task)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("staging.sales", ["staging.sales", SALE]),
        ("mart.x*", ["mart.x*"]),
        ("tag:dayly", ["tag:dayly", "daily"]),
        ("route:wep", ["web"]),
        ("tags:daily", ["tag:", "route:", "failed:"]),
    ],
)
def test_what_names_no_task_is_refused(selector: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        select([SALE, selector], TASKS)
    assert all(word in str(refused.value) for word in words)


def test_one_task_by_its_name() -> None:
    assert is_one_task([SALE])
    for several in (
        [],
        [SALE, DAY],
        ["staging.sale"],
        ["erp.staging.*"],
        [f"+{SALE}"],
        ["failed:"],
    ):
        assert not is_one_task(several)
