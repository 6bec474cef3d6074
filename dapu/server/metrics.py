"""`/metrics`: figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dapu.server.desk import Desk
from dapu.server.traffic import Traffic


class _Figures(Collector):
    """How requests and jobs stand, read when they are asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[GaugeMetricFamily]:
        of_requests, of_jobs = self._desk.counts()
        requests = GaugeMetricFamily(
            "dapu_requests", "Requests by command and status", labels=["command", "status"]
        )
        for command, status, count in of_requests:
            requests.add_metric([command, status], count)
        yield requests
        jobs = GaugeMetricFamily(
            "dapu_jobs", "Jobs that wait and run, and that ended in the last day", labels=["status"]
        )
        for status, count in of_jobs.items():
            jobs.add_metric([status], count)
        yield jobs


def add(app: FastAPI, desk: Desk, guard: list[Any]) -> None:
    """Adds the endpoint."""
    registry = CollectorRegistry()
    registry.register(_Figures(desk))
    app.add_middleware(Traffic, registry=registry)

    @app.get("/metrics", dependencies=guard, response_class=Response)
    def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
