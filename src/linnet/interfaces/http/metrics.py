"""Numbers for Prometheus: requests by path and status, tokens by model and kind, the line. No text of any user.

Labels come from what the server knows beforehand (paths, models on offer), so that no client can make new ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linnet.interfaces.http.body import Bodies
from linnet.interfaces.http.line import Line
from linnet.requests import Usage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Those of one server, in a registry of their own."""

    def __init__(self, line: Line, servers: Callable[[], tuple[dict[str, Any], ...]] = tuple) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "linnet_http_requests", "Requests that were answered", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "linnet_http_request_seconds",
            "From the headers of a request to the end of its answer",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = Counter("linnet_tokens", "Tokens of finished requests", ["model", "kind"], registry=registry)
        running = Gauge("linnet_requests_running", "Requests that have a seat", registry=registry)
        running.set_function(lambda: line.running)
        waiting = Gauge("linnet_requests_waiting", "Requests that wait for a seat", registry=registry)
        waiting.set_function(lambda: line.waiting)
        if servers():
            registry.register(Fleet(servers))

    def spent(self, model: str, usage: Usage) -> None:
        """Any thread may tell."""
        kinds = {
            "prompt": usage.prompt_tokens,
            "cached": usage.cached_tokens,
            "generated": usage.generated_tokens,
            "forced": usage.forced_tokens,
        }
        for kind, count in kinds.items():
            self._tokens.labels(model, kind).inc(count)

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._registry)


class Fleet(Collector):
    """The servers of a fleet, as they are when somebody asks."""

    def __init__(self, servers: Callable[[], tuple[dict[str, Any], ...]]) -> None:
        self._servers = servers

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("linnet_server_up", "Whether a remote server may be asked", labels=["server"])
        busy = GaugeMetricFamily("linnet_server_outstanding", "Requests under way at it", labels=["server"])
        answered = CounterMetricFamily("linnet_server_answered", "Answers that it began", labels=["server"])
        overtaken = CounterMetricFamily("linnet_server_overtaken", "Hedged away from it", labels=["server"])
        failed = CounterMetricFamily("linnet_server_failed", "Requests that it failed", labels=["server", "code"])
        for one in self._servers():
            name = [one["server"]]
            up.add_metric(name, one["state"] != "open")
            busy.add_metric(name, one["outstanding"])
            answered.add_metric(name, one["answered"])
            overtaken.add_metric(name, one["overtaken"])
            for code, count in one["failures"].items():
                failed.add_metric([*name, code], count)
        yield from (up, busy, answered, overtaken, failed)


class Measured:
    """Middleware: tells of every request, those that the guard refuses included, and lets go of its body."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics, self._bodies = app, metrics, Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["bodies"] = self._bodies
        started, status = time.monotonic(), 499  # as long as nothing is answered: the client has left

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            self._bodies.give(scope)
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(route, status, time.monotonic() - started)
