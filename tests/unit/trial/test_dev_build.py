"""Which job of a dev warehouse may start when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dapu.trial.dev_build import JobsInOrder


def test_a_job_comes_after_those_that_it_depends_on() -> None:
    jobs = JobsInOrder({1: [], 2: [1], 3: [], 4: [2, 3]}, dict.fromkeys(range(1, 5), "r"), {})
    first, second = iter(jobs), iter(jobs)
    assert [next(first), next(second)] == [1, 3]
    assert next(first) == 2  # which says that 1 has ended
    with ThreadPoolExecutor(1) as thread:
        waits = thread.submit(next, second, None)
        assert next(first) == 4
        assert waits.result(timeout=10) is None
    assert list(first) == []


def test_no_more_on_a_route_than_it_allows() -> None:
    jobs = JobsInOrder({1: [], 2: [], 3: []}, {1: "erp", 2: "erp", 3: "mart"}, {"erp": 1})
    first, second = iter(jobs), iter(jobs)
    assert [next(first), next(second), next(first)] == [1, 3, 2]


def test_a_worker_that_breaks_keeps_none_waiting() -> None:
    jobs = JobsInOrder({1: [], 2: [1]}, {1: "r", 2: "r"}, {})
    assert next(iter(jobs)) == 1
    jobs.stop()
    assert list(jobs) == []
