"""Replicas that come and go with the queue, on a cluster of this machine: from one to two and back, while it is used.

    python tests/torture/ray_scaling.py --clients 8 --seconds 60   # as `linnet serve --ray --replicas 1:2` has it
    python tests/torture/ray_scaling.py --clients 8 --quick        # with short delays

Needs the extra `linnet[ray]`. The engine, the chats and what is checked of each answer are those of `ray_faults.py`.
All clients ask for so many seconds; then one asks on, and it is waited until one replica is left. Printed as JSON:
the seconds from the first request until there were two, from when the crowd was told to go until there was one, and
the answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from linnet.interfaces.http.guard import Door
from linnet.interfaces.scale import deployment
from linnet.interfaces.scale.cluster import cluster
from linnet.interfaces.scale.deployment import Bounds, Plan
from linnet.interfaces.scale.ingress import Front
from linnet.settings import Settings

sys.path.append(str(Path(__file__).parent))

import ray_faults
from ray_faults import Scripted, Told, chat, free_port

QUICK = {
    "min_replicas": 1,
    "max_replicas": 2,
    "target_ongoing_requests": 4,
    "upscale_delay_s": 0.5,
    "downscale_delay_s": 2.0,
    "look_back_period_s": 2.0,
    "metrics_interval_s": 0.5,
}
"""For Ray: as `deployment` has it, but sooner."""

SOONER = ("RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S", "1")
"""How often it is told how long the queue is, else every ten seconds."""


@contextlib.contextmanager
def served(pace: float, quick: bool = False) -> Iterator[str]:
    """The address of a server with one replica or two, on two cores."""
    port = free_port()
    front = Front(Settings(), Door(), at_once=32, room=512)
    extra = {"autoscaling_config": QUICK} if quick else {}
    if quick:
        os.environ.setdefault(*SOONER)
    with cluster(cpus=2):
        from ray import cloudpickle  # not sooner: it reads what `cluster` has set

        cloudpickle.register_pickle_by_value(ray_faults)  # no replica could import it
        deployment.start("127.0.0.1", port)
        try:
            deployment.deploy(Plan(front, lambda settings, name: Scripted(pace), Bounds(1, 2), extra=extra))
            yield f"http://127.0.0.1:{port}"
        finally:
            deployment.stop()


def replicas(url: str) -> int:
    """Those that answer; 0 where it could not be asked."""
    with contextlib.suppress(httpx.HTTPError):
        for line in httpx.get(f"{url}/metrics", timeout=10).text.splitlines():
            if line.startswith("linnet_replicas{"):
                return int(float(line.rpartition(" ")[2]))
    return 0


def waited(url: str, count: int, seconds: float) -> float | None:
    """Seconds until so many replicas answer; None where that does not come to be in the time."""
    began = time.monotonic()
    while (took := time.monotonic() - began) < seconds:
        if replicas(url) == count:
            return round(took, 1)
        time.sleep(0.25)
    return None


@dataclass
class Crowd:
    """Clients that ask again as soon as they are answered, each with a prefix of its own."""

    url: str
    told: list[Told] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def come(self, count: int, name: str) -> Callable[[], None]:
        """They ask until they are told to go, or all are; what they have begun is answered."""
        gone = threading.Event()

        def ask(number: int) -> None:
            while not (gone.is_set() or self.over.is_set()):
                self.told.append(chat(self.url, f"{name} {number}"))

        new = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
        self._threads += new
        for thread in new:
            thread.start()
        return gone.set

    def end(self) -> list[Told]:
        self.over.set()
        for thread in self._threads:
            thread.join()
        return self.told


def scaling(clients: int, seconds: float, quick: bool, pace: float = 0.03, patience: float = 240.0) -> dict[str, Any]:
    with served(pace, quick) as url:
        crowd = Crowd(url)
        first = waited(url, 1, 60.0)
        try:
            began = time.monotonic()
            go = crowd.come(clients, "of many")
            up = waited(url, 2, patience)
            time.sleep(max(0.0, seconds - (time.monotonic() - began)))
            crowd.come(1, "alone")
            go()
            down = waited(url, 1, patience)
        finally:
            told = crowd.end()
        after = chat(url, "afterwards")
    return {
        "clients": clients, "quick": quick, "one_at_first": first is not None,
        "two_after": up, "one_again_after": down,
        "answers": len(told), "faults": [one.fault for one in (*told, after) if one.fault],
        "gone_on_elsewhere": sum(any("lost while" in note for note in one.degraded) for one in told),
        "longest_gap": round(max((one.gap for one in told), default=0.0), 2),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0, help="that the crowd stays at least")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    found = scaling(asked.clients, asked.seconds, asked.quick)
    print(json.dumps(found))
    return int(bool(found["faults"]) or None in (found["two_after"], found["one_again_after"]))


if __name__ == "__main__":
    sys.exit(main())
