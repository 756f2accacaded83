"""Faults of replicas, nodes and the head of a cluster, and its growth, on simulated nodes of this machine.

    python tests/torture/ray_faults.py replica --tries 20 --seed 1      # kill -9 of a replica in mid-answer
    python tests/torture/ray_faults.py node --tries 20 --seed 1         # of a node with all that runs on it
    python tests/torture/ray_faults.py stopped --tries 20 --seed 1      # SIGSTOP: it is there, and says nothing
    python tests/torture/ray_faults.py head --tries 20 --seed 1         # of the cluster's head service, started again
    python tests/torture/ray_faults.py store --tries 20 --away 1.5      # the journal's PostgreSQL is gone for a while
    python tests/torture/ray_faults.py slow --tries 20 --seed 1         # one of three replicas is 20 times as slow
    python tests/torture/ray_faults.py growth --nodes 1 2 4             # throughput and times by the number of nodes

Needs the extra `linnet[ray]`. The engine is the one without a model, with a think time for each token, so that two
cores are enough for several nodes; all else is what is served: ingress, proxy, router, replicas, workers, and chats
over HTTP. Checked for each answer: it comes whole and once. One cluster serves all attempts of a command; the next
begins when all replicas are there again. With --seconds no attempt is begun after so many.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
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
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
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
SLOWER = 20
"""Times that a slow replica takes for the same."""


class Scripted:
    """A Model as a replica has it, that says TEXT, `pace` seconds a token, and SLOWER times as many while its process
    is the one that the file `slow` names."""

    capabilities = Capabilities("scripted", 4096, scores=False)

    def __init__(self, pace: float, slow: Path | None = None) -> None:
        self._slow = slow
        self.supervisor, *self._late = map(_thinking, [pace] if slow is None else [pace, SLOWER * pace])

    def warm(self) -> None:
        for supervisor in (self.supervisor, *self._late):
            supervisor.warm()

    def original(self) -> str:
        return "0" * 64

    def with_adapter(self, text: str) -> Scripted:
        return self

    def close(self) -> None:
        for supervisor in (self.supervisor, *self._late):
            supervisor.close()

    def stream(self, request: Request, begun: Begun | None = None) -> Stream:
        if isinstance(request, Embed | Spell):
            return self.supervisor.stream(request)
        late = self._slow is not None and self._slow.read_text() == str(os.getpid())
        supervisor = self._late[0] if late else self.supervisor
        prompt = tuple(Segment(part.content, False) if isinstance(part, Message) else part for part in request.prompt)
        plain: dict[str, Any] = {"prompt": prompt, "tools": (), "template_options": {}, "continues": False}
        if not isinstance(request, Count):
            plain["answer_start"] = ""
        return supervisor.stream(replace(request, **plain), "", begun)


def _thinking(pace: float) -> Supervisor:
    said = Script((Say(TEXT.encode().hex()),), seconds_per_token=pace)
    return Supervisor(Load(script=said, sandbox=sandbox.for_model()))


@dataclass
class Told:
    """What one chat saw: seconds to the first word, the longest gap after it, and the whole."""

    text: str = ""
    first: float = 0.0
    gap: float = 0.0
    whole: float = 0.0
    fault: str = ""
    degraded: list[str] = field(default_factory=list)


def chat(url: str, about: str, most: int = len(TEXT)) -> Told:
    said = [{"role": "system", "content": about}, {"role": "user", "content": "Go on"}]
    body = {"messages": said, "stream": True, "max_tokens": most}
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
    if not told.fault and told.text != TEXT[:most]:
        told.fault = f"{len(told.text)} of {most} characters"
    return told


def together(url: str, names: list[str], most: int) -> list[Told]:
    """As many chats at once, in threads."""
    with ThreadPoolExecutor(len(names)) as threads:
        return list(threads.map(lambda name: chat(url, name, most), names))


@cache
def outside() -> ProcessPoolExecutor:
    """Clients are no part of the cluster: this process is Ray's driver, and busy while the head is away."""
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


class Chats:
    """Several at once, elsewhere."""

    def __init__(self, url: str, count: int, name: str, most: int) -> None:
        self._told = outside().submit(together, url, [f"{name} {i}" for i in range(count)], most)

    def join(self) -> list[Told]:
        return self._told.result()


class Served:
    """A simulated cluster with a server on it."""

    def __init__(self, nodes: int, pace: float, slow: bool = False) -> None:
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
        folder = Path(self._held.enter_context(tempfile.TemporaryDirectory()))
        self.slow = folder / "slow" if self._slow else None
        self.slowed("")
        pace, slow = self.pace, self.slow

        def opener(settings: Settings, name: str) -> Any:
            return Scripted(pace, slow)

        front = Front(Settings(), Door(), at_once=16 * self._many, room=512)
        deployment.deploy(Plan(front, opener, Bounds(self._many, self._many)))
        until = time.monotonic() + 120
        while self.up() < self._many and time.monotonic() < until:
            time.sleep(0.2)

    def slowed(self, pid: int | str) -> None:
        """From the next request on it is that process that is slow, "" none."""
        if self.slow:
            new = self.slow.with_name("new")
            new.write_text(str(pid))
            new.replace(self.slow)

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


def _nothing() -> None: ...


@dataclass(frozen=True)
class Struck:
    """What is still to be done: `meanwhile`, once later chats have begun, and `after` all of them."""

    meanwhile: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing


def kill_replica(served: Served, rng: random.Random) -> Struck:
    os.kill(served.pids()[busy(served, rng)], signal.SIGKILL)
    return Struck()


def stop_replica(served: Served, rng: random.Random) -> Struck:
    pid = served.pids()[busy(served, rng)]
    os.kill(pid, signal.SIGSTOP)

    def go_on() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    return Struck(after=go_on)


def kill_node(served: Served, rng: random.Random) -> Struck:
    pid = served.pids()[busy(served, rng)]
    node = next((node for node in served.nodes if _raylet(node) == _parent(pid)), served.nodes[0])
    served.nodes.remove(node)
    served.ray.remove_node(node, allow_graceful=False)
    return Struck(after=served.add)


def restart_head(served: Served, rng: random.Random) -> Struck:
    """It is gone for a while, in which the later chats begin."""
    served.ray.head_node.kill_gcs_server()

    def start() -> None:  # by the main thread: it ends with the one that started it
        time.sleep(rng.uniform(0.5, 3.0))
        served.ray.head_node.start_gcs_server()

    return Struck(meanwhile=start)


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


FAULTS = {"replica": kill_replica, "node": kill_node, "stopped": stop_replica, "head": restart_head}


def faults(kind: str, tries: int, seed: int, nodes: int, most: int, seconds: float) -> int:
    rng, began = random.Random(seed), time.monotonic()
    seen: list[Attempt] = []
    with Served(nodes, pace=0.03) as served:
        print(f"up after {time.monotonic() - began:.0f} s", flush=True)
        both = [Chats(served.url, nodes, f"begin {i}", 1) for i in range(2)]
        [one.join() for one in both]
        undisturbed = Chats(served.url, 2 * nodes, "calm", most).join()
        print(f"undisturbed: longest gap {max(told.gap for told in undisturbed):.2f} s", flush=True)
        while len(seen) < tries and time.monotonic() - began < seconds:
            seen.append(attempt(served, kind, rng, f"{kind} {seed} {len(seen)}", most))
            print(f"{len(seen)}: {seen[-1]}", flush=True)
    lost = [fault for one in seen for fault in one.lost]
    gaps, firsts = [one.gap for one in seen], [one.first for one in seen]
    print(json.dumps({
        "fault": kind, "injections": len(seen), "with_resumed": sum(one.resumed > 0 for one in seen),
        "answers": sum(one.answers for one in seen), "resumed": sum(one.resumed for one in seen),
        "lost": len(lost), "why": lost,
        "gap_median": round(statistics.median(gaps), 2), "gap_worst": round(max(gaps), 2),
        "first_median": round(statistics.median(firsts), 2), "first_worst": round(max(firsts), 2),
        "not_whole_again": sum(one.again is None for one in seen),
        "again_median": round(statistics.median(one.again or 0.0 for one in seen), 1),
        "seconds_each": round(statistics.median(one.took for one in seen), 1),
    }))  # fmt: skip
    return bool(lost)


@dataclass
class Attempt:
    """One injection. `gap` is the longest silence within an answer that was under way, `first` the longest wait of
    those that were asked for just behind it, `again` how long until all replicas were there (None: they were not)."""

    answers: int
    resumed: int
    lost: list[str]
    gap: float
    first: float
    again: float | None
    took: float

    def __str__(self) -> str:
        whole = "replicas missing" if self.again is None else f"all replicas again after {self.again:.1f} s"
        return (
            f"longest gap {self.gap:.2f} s, longest wait of the later {self.first:.2f} s, {self.resumed} of "
            f"{self.answers} gone on elsewhere, lost {self.lost}, {whole}, took {self.took:.1f} s"
        )


def attempt(served: Served, kind: str, rng: random.Random, name: str, most: int) -> Attempt:
    """The fault hits while chats are under way, and as many more begin at once behind it."""
    began, many = time.monotonic(), 2 * len(served.nodes)
    before = Chats(served.url, many, name, most)
    time.sleep(rng.uniform(0.5, 2.5))
    struck = FAULTS[kind](served, rng)
    hit = time.monotonic()
    behind = Chats(served.url, many // 2, f"{name} later", most)
    struck.meanwhile()
    told, later = before.join(), behind.join()
    struck.after()
    again = time.monotonic() - hit if served.whole() else None
    return Attempt(
        answers=len(told) + len(later),
        resumed=sum(any("lost while" in note for note in one.degraded) for one in [*told, *later]),
        lost=[one.fault for one in [*told, *later] if one.fault],
        gap=max(one.gap for one in told),
        first=max(one.first for one in later),
        again=again,
        took=time.monotonic() - began,
    )


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
            stop = threading.Timer(rng.uniform(0.0, 0.6), _stopped, (address, away))
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
            print(f"{number}: {times[-1]:.2f} s", flush=True)
    print(json.dumps({
        "fault": "store", "away": away, "injections": tries, "calls": len(made), "wrong": wrong,
        "waited": sum(took > away for took in times),
        "median": round(statistics.median(times), 2), "worst": round(max(times), 2),
    }))  # fmt: skip
    return bool(wrong)


def _stopped(address: str, seconds: float) -> None:
    import postgres

    pids = postgres.processes(address)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


# --- figures -------------------------------------------------------------------------------------


def load(served: Served, clients: int, seconds: float, most: int, same: bool = False) -> list[Told]:
    """Clients that ask again as soon as they have their answer, of `most` tokens; all to the end."""
    until = time.monotonic() + seconds
    told: list[Told] = []

    def client(number: int) -> None:
        while time.monotonic() < until:
            told.append(chat(served.url, "the same" if same else f"client {number}", most))

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def figures(told: list[Told]) -> dict[str, Any]:
    return {
        "answers": len(told),
        "faults": [one.fault for one in told if one.fault],
        "p50": _part([one.whole for one in told], 0.5),
        "p99": _part([one.whole for one in told], 0.99),
        "first_p50": _part([one.first for one in told], 0.5),
        "first_p99": _part([one.first for one in told], 0.99),
    }


def _part(values: list[float], part: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 2) if values else 0.0


def growth(nodes: list[int], seconds: float) -> int:
    """Eight clients for each node, each with a prefix of its own; answers of 40 tokens of 50 ms."""
    pace, most, each = 0.05, 40, 8
    for many in nodes:
        with Served(many, pace) as served:
            load(served, many, 1.0, most)
            began = time.monotonic()
            told = load(served, each * many, seconds, most)
            took = time.monotonic() - began
            can = many / (pace * most)
            rate = {
                "answers_per_second": round(len(told) / took, 2),
                "of_what_engines_can": round(len(told) / took / can, 2),
            }
            by = {"by_replica": sorted(served.metrics().get("linnet_replica_answered", {}).values())}
            print(json.dumps({"nodes": many, "clients": each * many, **rate, **figures(told), **by}), flush=True)
    return 0


def slow(tries: int, seed: int, seconds: float) -> int:
    """Rounds of load on three replicas, one without a slow one and one with; clients with a prefix each, and in every
    other round with one in common. The slow one's answers are told by their time, which no other's takes."""
    rng, began, pace, most, clients = random.Random(seed), time.monotonic(), 0.04, 4, 6
    calm: list[Told] = []
    others: list[Told] = []
    late: list[Told] = []
    worse: list[float] = []
    with Served(3, pace, slow=True) as served:
        load(served, clients, 1.0, most)
        while len(worse) < tries and time.monotonic() - began < seconds:
            same = bool(len(worse) % 2)
            before = load(served, clients, 2.5, most, same)
            served.slowed(rng.choice(sorted(served.pids().values())))
            told = load(served, clients, 2.5, most, same)
            served.slowed("")
            limit = 0.9 * SLOWER * pace * most
            beside = [one for one in told if one.whole < limit]
            calm, others, late = calm + before, others + beside, late + [one for one in told if one.whole >= limit]
            worse.append(_part([one.whole for one in beside], 0.5) / _part([one.whole for one in before], 0.5))
            print(
                f"{len(worse)}: {'one prefix' if same else 'a prefix each'}: calm {figures(before)}, "
                f"beside the slow one {figures(beside)}, {len(told) - len(beside)} by the slow one",
                flush=True,
            )
    print(json.dumps({
        "fault": "slow", "injections": len(worse), "calm": figures(calm), "beside": figures(others),
        "by_the_slow_one": figures(late), "lost": sum(bool(one.fault) for one in [*calm, *others, *late]),
        "worse_median": round(statistics.median(worse), 2), "worse_worst": round(max(worse), 2),
        "seconds_each": round((time.monotonic() - began) / len(worse), 1),
    }))  # fmt: skip
    return any(one.fault for one in [*calm, *others, *late])


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
    parser.add_argument("--tokens", type=int, default=len(TEXT), help="of an answer")
    parser.add_argument("--away", type=float, default=1.5)
    parser.add_argument("--seconds", type=float, default=3_600)
    asked = parser.parse_args()
    os.environ.setdefault("RAY_AUTH_TOKEN", "0" * 64)  # of a cluster that lives for minutes on this machine
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own is 15: beside other work nothing would come of it
    os.environ.update(RAY_AUTH_MODE="token", RAY_USAGE_STATS_ENABLED="0", RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S="90")
    if asked.what == "store":
        return store(asked.tries, asked.seed, asked.away)
    if asked.what == "growth":
        return growth(asked.nodes, min(asked.seconds, 60))
    if asked.what == "slow":
        return slow(asked.tries, asked.seed, asked.seconds)
    with kept_head() if asked.what == "head" else contextlib.nullcontext():
        return faults(asked.what, asked.tries, asked.seed, asked.nodes[0], asked.tokens, asked.seconds)


if __name__ == "__main__":
    sys.exit(main())
