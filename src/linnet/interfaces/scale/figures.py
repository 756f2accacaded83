"""What every replica says of itself, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

_GAUGES = {
    "ongoing": ("linnet_replica_ongoing", "Calls that a replica has now"),
    "answered": ("linnet_replica_answered", "Calls that a replica has answered since it began"),
    "failed": ("linnet_replica_failed", "Calls that a replica has ended with an error since it began"),
    "resumed": ("linnet_replica_resumed", "Answers that a replica has gone on with where another was lost"),
    "pid": ("linnet_replica_pid", "The process that is the replica, on its node"),
    "worker_starts": ("linnet_replica_worker_starts", "Starts of the process that runs the model"),
}


def page(replicas: Mapping[str, Iterable[Mapping[str, Any]]]) -> bytes:
    """`replicas` are those of each model, as `Replica.stands` has them."""
    registry = CollectorRegistry()
    gauges = {
        key: Gauge(name, told, ["model", "replica"], registry=registry) for key, (name, told) in _GAUGES.items()
    }
    tokens = Gauge(
        "linnet_replica_tokens", "Tokens of a replica's answers", ["model", "replica", "kind"], registry=registry
    )
    count = Gauge("linnet_replicas", "Replicas of a model that answer", ["model"], registry=registry)
    for model, stands in replicas.items():
        found = list(stands)
        count.labels(model).set(len(found))
        for one in found:
            for key, gauge in gauges.items():
                gauge.labels(model, one["replica"]).set(one[key])
            for kind, number in one["tokens"].items():
                tokens.labels(model, one["replica"], kind).set(number)
    return generate_latest(registry)
