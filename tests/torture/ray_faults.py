"""Faults of replicas, nodes and the head of a cluster, and its growth, on simulated nodes of this machine.

    python tests/torture/ray_faults.py replica --tries 20 --seed 1      # kill -9 of a replica in mid-answer
    python tests/torture/ray_faults.py node --tries 20 --seed 1         # of a node with all that runs on it
    python tests/torture/ray_faults.py stopped --tries 5 --seed 1       # SIGSTOP: it is there, and says nothing
    python tests/torture/ray_faults.py head --tries 5 --seed 1          # of the cluster's head service, started again
    python tests/torture/ray_faults.py store --tries 20 --away 1.5      # the journal's PostgreSQL is gone for a while
    python tests/torture/ray_faults.py slow                             # one replica is 20 times as slow
    python tests/torture/ray_faults.py growth --nodes 1 2 4             # throughput and times by the number of nodes

Needs the extra `linnet[ray]`. The engine is the one without a model, with a think time for each token, so that two
cores are enough for several nodes; all else is what is served: ingress, proxy, router, replicas, workers, and chats
over HTTP. Checked for each answer: it comes whole and once. With --seconds no attempt is begun after so many.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from linnet.errors import LinnetError
from linnet.interfaces.http.guard import Door
from linnet.interfaces.scale.cluster import cluster
from linnet.messages import Message
from linnet.protocol import Load
from linnet.requests import Begun, Capabilities, Count, Embed, Request, Segment, Spell
from linnet.runtime import sandbox
from linnet.runtime.stream import Stream
from linnet.runtime.supervisor import Supervisor
from linnet.script import Say, Script
from linnet.settings import Settings

TEXT = "The ferry leaves at six, calls at two islands, and is back before dark. " * 2


class Scripted:
    """A Model as a replica has it, that says TEXT, `pace` seconds a token."""

    capabilities = Capabilities("scripted", 4096, scores=False)

    def __init__(self, pace: float) -> None:
        said = Script((Say(TEXT.encode().hex()),), seconds_per_token=pace)
        self.supervisor = Supervisor(Load(script=said, sandbox=sandbox.for_model()))

    def warm(self) -> None:
        self.supervisor.warm()

    def original(self) -> str:
        return "0" * 64

    def with_adapter(self, text: str) -> Scripted:
        return self

    def close(self) -> None:
        self.supervisor.close()

    def stream(self, request: Request, begun: Begun | None = None) -> Stream:
        if isinstance(request, Embed | Spell):
            return self.supervisor.stream(request)
        prompt = tuple(Segment(part.content, False) if isinstance(part, Message) else part for part in request.prompt)
        plain: dict[str, Any] = {"prompt": prompt, "tools": (), "template_options": {}, "continues": False}
        if not isinstance(request, Count):
            plain["answer_start"] = ""
        return self.supervisor.stream(replace(request, **plain), "", begun)


@dataclass
class Told:
    """What one chat saw: seconds to the first word, the longest gap after it, and the whole."""

    text: str = ""
    first: float = 0.0
    gap: float = 0.0
    whole: float = 0.0
    fault: str = ""
    degraded: list[str] = field(default_factory=list)


def chat(url: str, about: str) -> Told:
    body = {"messages": [{"role": "system", "content": about}, {"role": "user", "content": "Go on"}], "stream": True}
    told, began = Told(), time.monotonic()
    last = began
    try:
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=120) as answer:
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line[6:])
                if "error" in event:
                    told.fault = event["error"]["code"]
                    break
                now = time.monotonic()
                for choice in event["choices"]:
                    if word := choice["delta"].get("content"):
                        told.first = told.first or now - began
                        told.gap = max(told.gap, now - last) if told.text else 0.0
                        told.text, last = told.text + word, now
                told.degraded += event.get("linnet", {}).get("degraded", [])
            if answer.status_code != 200:
                told.fault = f"status {answer.status_code}"
    except httpx.HTTPError as error:
        told.fault = type(error).__name__
    told.whole = time.monotonic() - began
    if not told.fault and told.text != TEXT:
        told.fault = f"{len(told.text)} of {len(TEXT)} characters"
    return told


class Chats:
    """Several at once, in threads."""

    def __init__(self, url: str, count: int, name: str) -> None:
        self.told: list[Told] = []
        self._threads = [
            threading.Thread(target=lambda i=i: self.told.append(chat(url, f"{name} {i}"))) for i in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> list[Told]:
        for thread in self._threads:
            thread.join()
        return self.told


class Served:
    """A simulated cluster with a server on it."""

    def __init__(self, nodes: int, pace: float, slow: float | None = None) -> None:
        from ray.cluster_utils import Cluster

        self.pace = pace
        self._many = nodes
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
        self.ray = Cluster(initialize_head=True, head_node_args=head)
        self.nodes: list[Any] = []
        self._held = contextlib.ExitStack()
        self._slow = slow

    def __enter__(self) -> Served:
        for _ in range(self._many):
            self.add()
        self._held.enter_context(cluster(self.ray.address))
        self._deploy()
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()
        self.ray.shutdown()

    def add(self) -> None:
        self.nodes.append(self.ray.add_node(num_cpus=1, object_store_memory=80 << 20))

    def _deploy(self) -> None:
        from linnet.interfaces.scale import deployment
        from linnet.interfaces.scale.deployment import Bounds, Plan
        from linnet.interfaces.scale.ingress import Front

        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        deployment.start("127.0.0.1", port)
        self._held.callback(deployment.stop)
        pace, slow, flag = (
            self.pace,
            self._slow,
            Path(self._held.enter_context(tempfile.TemporaryDirectory())) / "first",
        )

        def opener(settings: Settings, name: str) -> Any:
            try:
                flag.touch(exist_ok=False)
            except FileExistsError:
                return Scripted(pace)
            return Scripted(slow or pace)  # the first one of all

        front = Front(Settings(), Door(), at_once=16 * self._many, room=512)
        deployment.deploy(Plan(front, opener, Bounds(self._many, self._many)))
        until = time.monotonic() + 120
        while self.up() < self._many and time.monotonic() < until:
            time.sleep(0.2)

    def metrics(self) -> dict[str, dict[str, float]]:
        """Value by replica, by name of the metric."""
        found: dict[str, dict[str, float]] = {}
        with contextlib.suppress(httpx.HTTPError):
            for line in httpx.get(f"{self.url}/metrics", timeout=10).text.splitlines():
                name, _, value = line.rpartition(" ")
                if name.startswith("linnet_replica_") and 'replica="' in name and "kind" not in name:
                    found.setdefault(name.split("{")[0], {})[name.split('replica="')[1].split('"')[0]] = float(value)
        return found

    def up(self) -> int:
        return len(self.metrics().get("linnet_replica_ongoing", {}))

    def whole(self, seconds: float = 90) -> bool:
        """Whether all replicas are there, within so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.up() == self._many:
                return True
            time.sleep(0.2)
        return False

    def pids(self) -> dict[str, int]:
        found = self.metrics().get("linnet_replica_pid", {})
        return {name: int(pid) for name, pid in found.items()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# --- faults --------------------------------------------------------------------------------------


def busy(served: Served, rng: random.Random) -> str:
    """A replica that answers now."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        ongoing = served.metrics().get("linnet_replica_ongoing", {})
        if found := sorted(name for name, calls in ongoing.items() if calls):
            return rng.choice(found)
    raise LinnetError("no replica has anything to do")


def kill_replica(served: Served, rng: random.Random) -> Callable[[], None]:
    os.kill(served.pids()[busy(served, rng)], signal.SIGKILL)
    return lambda: None


def stop_replica(served: Served, rng: random.Random) -> Callable[[], None]:
    pid = served.pids()[busy(served, rng)]
    os.kill(pid, signal.SIGSTOP)

    def go_on() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    return go_on


def kill_node(served: Served, rng: random.Random) -> Callable[[], None]:
    pid = served.pids()[busy(served, rng)]
    node = next((node for node in served.nodes if _raylet(node) == _parent(pid)), served.nodes[0])
    served.nodes.remove(node)
    served.ray.remove_node(node, allow_graceful=False)
    return served.add


def restart_head(served: Served, rng: random.Random) -> Callable[[], None]:
    served.ray.head_node.kill_gcs_server()
    time.sleep(rng.uniform(0.5, 3.0))
    served.ray.head_node.start_gcs_server()
    return lambda: None


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


FAULTS = {"replica": kill_replica, "node": kill_node, "stopped": stop_replica, "head": restart_head}


def faults(kind: str, tries: int, seed: int, nodes: int, seconds: float) -> int:
    rng, began, done = random.Random(seed), 0.0, 0
    gaps: list[float] = []
    lost: list[str] = []
    answers = resumed = 0
    with Served(nodes, pace=0.03) as served:
        began = time.monotonic()
        undisturbed = Chats(served.url, 2 * nodes, "calm").join()
        print(f"undisturbed: longest gap {max(told.gap for told in undisturbed):.2f} s", flush=True)
        for number in range(tries):
            if time.monotonic() - began > seconds:
                break
            chats = Chats(served.url, 2 * nodes, f"{kind} {seed} {number}")
            time.sleep(rng.uniform(0.5, 2.5))
            after = FAULTS[kind](served, rng)
            told = chats.join()
            after()
            done += 1
            answers += len(told)
            resumed += sum(any("lost while" in note for note in one.degraded) for one in told)
            gaps.append(max(one.gap for one in told))
            lost += [one.fault for one in told if one.fault]
            whole = served.whole()
            print(
                f"{number}: longest gap {gaps[-1]:.2f} s, faults {[one.fault for one in told if one.fault]}, "
                f"{'all replicas back' if whole else 'replicas missing'}",
                flush=True,
            )
    print(json.dumps({
        "fault": kind, "injections": done, "answers": answers, "resumed": resumed, "lost": len(lost), "why": lost,
        "gap_median": round(statistics.median(gaps), 2), "gap_worst": round(max(gaps), 2),
        "seconds": round(time.monotonic() - began, 1),
    }))  # fmt: skip
    return bool(lost)


def store(tries: int, seed: int, away: float) -> int:
    """Runs of two machines on one journal, whose server stops at a random moment of each."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import postgres

    from linnet.agent.agent import Agent
    from linnet.agent.shared_runs import SharedRuns
    from linnet.tools import Rule, tool

    rng, made, times, wrong = random.Random(seed), [], [], []

    @tool(rules=[Rule(prefix="note", to="what")])
    def note(what: str) -> str:
        """Notes something down."""
        made.append(what)
        time.sleep(0.2)
        return f"{what} noted"

    with postgres.cluster() as address, contextlib.ExitStack() as held:
        machines = [held.enter_context(contextlib.closing(SharedRuns(address))) for _ in range(2)]
        for number in range(tries):
            pids = postgres.processes(address)
            stop = threading.Timer(rng.uniform(0.0, 0.6), _stopped, (pids, away))
            stop.start()
            text, began = f"note a{number}, then note b{number}, then note c{number}", time.monotonic()
            answers = []
            for runs in machines:  # the second asks for what the first has done
                with Agent([note], Scripted(0.0), runs=runs) as agent:
                    answers.append(agent.run(text, run_id=f"r{number}"))
            times.append(time.monotonic() - began)
            stop.join()
            expected = [f"{letter}{number}" for letter in "abc"]
            if [what for what in made if what[1:] == str(number)] != expected or answers[0].answer != answers[
                1
            ].answer:
                wrong.append(number)
    print(json.dumps({
        "fault": "store", "away": away, "injections": tries, "calls": len(made), "wrong": wrong,
        "median": round(statistics.median(times), 2), "worst": round(max(times), 2),
    }))  # fmt: skip
    return bool(wrong)


def _stopped(pids: list[int], seconds: float) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


# --- figures -------------------------------------------------------------------------------------


def load(served: Served, clients: int, seconds: float, same: bool = False) -> dict[str, Any]:
    """Clients that ask again as soon as they have their answer."""
    until = time.monotonic() + seconds
    told: list[Told] = []

    def client(number: int) -> None:
        while time.monotonic() < until:
            told.append(chat(served.url, "the same" if same else f"client {number}"))

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    whole = sorted(one.whole for one in told)
    first = sorted(one.first for one in told)
    return {
        "clients": clients,
        "answers": len(told),
        "faults": [one.fault for one in told if one.fault],
        "answers_per_second": round(len(told) / took, 2),
        "p50": round(statistics.median(whole), 2),
        "p99": round(whole[min(len(whole) - 1, int(0.99 * len(whole)))], 2),
        "first_p50": round(statistics.median(first), 3),
        "first_p99": round(first[min(len(first) - 1, int(0.99 * len(first)))], 3),
        "by_replica": sorted(served.metrics().get("linnet_replica_answered", {}).values()),
    }


def growth(nodes: list[int], seconds: float) -> int:
    """Four clients for each node, each with a prefix of its own."""
    for many in nodes:
        with Served(many, pace=0.02) as served:
            load(served, many, 2.0)
            print(json.dumps({"nodes": many, **load(served, 4 * many, seconds)}), flush=True)
    return 0


def slow(seconds: float) -> int:
    """Three replicas, one of them 20 times as slow; every client has the same prefix, or its own."""
    for late in (None, 0.2):
        with Served(3, pace=0.01, slow=late) as served:
            for same in (False, True):
                told = load(served, 9, seconds, same)
                print(json.dumps({"slow": int(late is not None), "of": 3, "same": same, **told}), flush=True)
    return 0


@contextlib.contextmanager
def kept_head() -> Iterator[None]:
    """What the head knows is on disk, so that it may be started again (Ray's own means, since 2.56 without Redis)."""
    with tempfile.TemporaryDirectory(prefix="linnet-ray-head-") as folder:
        os.environ.setdefault("RAY_gcs_storage", "rocksdb")
        os.environ.setdefault("RAY_gcs_storage_path", folder)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*FAULTS, "store", "slow", "growth"])
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, nargs="+", default=[2])
    parser.add_argument("--away", type=float, default=1.5)
    parser.add_argument("--seconds", type=float, default=3_600)
    asked = parser.parse_args()
    os.environ.setdefault("RAY_AUTH_TOKEN", "0" * 64)  # of a cluster that lives for minutes on this machine
    os.environ.update(RAY_AUTH_MODE="token", RAY_USAGE_STATS_ENABLED="0", RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S="90")
    if asked.what == "store":
        return store(asked.tries, asked.seed, asked.away)
    if asked.what == "growth":
        return growth(asked.nodes, min(asked.seconds, 20))
    if asked.what == "slow":
        return slow(min(asked.seconds, 20))
    with kept_head() if asked.what == "head" else contextlib.nullcontext():
        return faults(asked.what, asked.tries, asked.seed, asked.nodes[0], asked.seconds)


if __name__ == "__main__":
    sys.exit(main())
