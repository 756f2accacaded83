"""How far it grows: a simulation of up to 1,000 replicas and a million requests an hour, fed by measured times.

    python benchmarks/scale.py [--seed 1] [--quick] [--picture scale.png]

The policies are those of the product: `least_outstanding` of a fleet, and rendezvous hashing of the prefix with
bounded load, as replicas on Ray are chosen. A replica computes up to eight requests side by side: prompts share its
time, and answers gain by company as was measured. It keeps the prefixes that it used last. The times are in
`data/service_times.json`, each with where it was measured; what requests are like is in `Traffic`.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from linnet.runtime.fleet.balance import least_outstanding

try:
    from linnet.interfaces.scale.routing import bound, ranked
except ImportError:  # without it there is no such policy in this tree
    ranked = None  # type: ignore[assignment]

DEAD = 1 << 30
"""Requests that a dead replica seems to have, so that no policy takes it."""


@dataclass(frozen=True)
class Times:
    """Of one replica, alone on its machine: seconds and tokens a second."""

    prefill: float
    alone: float
    together: float
    sequences: int
    kept: int
    ingress: float
    restart: float

    @classmethod
    def read(cls) -> Times:
        found = json.loads((Path(__file__).parent / "data" / "service_times.json").read_text())
        streams = found["streams_tokens_per_second"]["value"]
        names = ("prefill_tokens_per_second", "sequences", "kept_prefixes", "ingress_seconds", "restart_seconds")
        prefill, sequences, kept, ingress, restart = (found[name]["value"] for name in names)
        return cls(prefill, streams["1"], streams["8"], sequences, kept, ingress, restart)

    def gain(self, running: int) -> float:
        """How much faster so many answers are decoded together than one after the other."""
        return 1 + (self.together / self.alone - 1) * (min(running, 8) - 1) / 7


@dataclass(frozen=True)
class Traffic:
    """What is asked. Prefixes (a system prompt with its tools) are as popular as Zipf says; own words and answers are
    exponential around their means, in tokens. `burst` multiplies the rate for ten seconds, `deaths` is the share of
    replicas that die at once as it ends, beside one an hour and replica by itself."""

    an_hour: float
    seconds: float = 150.0
    warm: float = 60.0
    prefixes: int = 200
    prefix_tokens: int = 1_000
    own_tokens: float = 60.0
    answer_tokens: float = 60.0
    burst: float = 1.0
    deaths: float = 0.0


@dataclass(eq=False)
class Job:
    """`left` is work in seconds alone, of the phase it is in."""

    prefix: int
    own: float
    answer: float
    came: float
    left: float = 0.0
    decoding: bool = False
    first: float = 0.0
    moves: int = 0


@dataclass(eq=False)
class Replica:
    """Shares its time among what runs. `version` tells an event that is out of date; `busy` counts up to `until`."""

    times: Times
    until: float
    running: list[Job] = field(default_factory=list)
    waiting: deque[Job] = field(default_factory=deque)
    kept: OrderedDict[int, None] = field(default_factory=OrderedDict)
    stamp: float = 0.0
    version: int = 0
    busy: float = 0.0
    alive: bool = True

    def advance(self, now: float) -> None:
        passed, self.stamp = now - self.stamp, now
        if self.running:
            self.busy += max(0.0, min(now, self.until) - (now - passed))
            share = passed / len(self.running)
            decoded = share * self.times.gain(len(self.running))
            for job in self.running:
                job.left -= decoded if job.decoding else share

    def soonest(self) -> float:
        """Seconds until the first of what runs ends its phase."""
        together = len(self.running)
        gain = self.times.gain(together)
        return min(job.left * together / (gain if job.decoding else 1.0) for job in self.running)

    def admit(self, hits: list[bool] | None, prefix_tokens: int) -> None:
        while self.waiting and len(self.running) < self.times.sequences:
            job = self.waiting.popleft()
            hit = job.prefix in self.kept
            self.kept[job.prefix] = None
            self.kept.move_to_end(job.prefix)
            if len(self.kept) > self.times.kept:
                self.kept.popitem(last=False)
            if hits is not None:
                hits.append(hit)
            job.left = (job.own + (0 if hit else prefix_tokens)) / self.times.prefill
            job.decoding = False
            self.running.append(job)


# --- policies: a prefix and what each replica has -> a place -------------------------------------

Policy = Callable[[int, list[int]], int]


def round_robin(replicas: int) -> Policy:
    turns = count()

    def chosen(prefix: int, outstanding: list[int]) -> int:
        return next(place for turn in turns if outstanding[place := turn % replicas] < DEAD)

    return chosen


def fewest(replicas: int) -> Policy:
    turns = count()
    return lambda prefix, outstanding: least_outstanding(outstanding, next(turns))


def by_prefix(replicas: int) -> Policy:
    """`placed` of the product, with the order of each key remembered, which in it is made anew for each request."""
    names = [str(place) for place in range(replicas)]
    orders: dict[int, list[int]] = {}

    def chosen(prefix: int, outstanding: list[int]) -> int:
        if prefix not in orders:
            orders[prefix] = [int(name) for name in ranked(str(prefix), names)]
        most = bound([one for one in outstanding if one < DEAD])
        below = next((place for place in orders[prefix] if outstanding[place] < most), None)
        return least_outstanding(outstanding) if below is None else below

    return chosen


POLICIES: dict[str, Callable[[int], Policy]] = {"round robin": round_robin, "least outstanding": fewest}
if ranked is not None:
    POLICIES["prefix, bounded"] = by_prefix


# --- the simulation ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """Seconds to the first token and to the end, at the 50th and 99th of a hundred; `behind` is the share of requests
    that came and had not ended as the time was over and a half minute more."""

    replicas: int
    policy: str
    what: str
    an_hour: float
    first: tuple[float, float]
    whole: tuple[float, float]
    used: float
    hits: float
    moved: int
    behind: float


class World:
    """One run. Events are `(when, order, what)` on a heap, and `what` is called at its time."""

    def __init__(self, times: Times, traffic: Traffic, replicas: int, policy: str, ingresses: int, seed: int) -> None:
        self.times, self.traffic = times, traffic
        self.random = random.Random(seed)
        self.replicas = [Replica(times, traffic.seconds) for _ in range(replicas)]
        self.outstanding = [0] * replicas
        self.choose = POLICIES[policy](replicas)
        self.ingresses = [0.0] * ingresses
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.order = count()
        self.done: list[Job] = []
        self.ends: list[float] = []
        self.hits: list[bool] = []
        self.came = self.moved = 0
        weights = [1 / (place + 1) for place in range(traffic.prefixes)]
        self.prefixes = self.random.choices(range(traffic.prefixes), weights, k=50_000)

    def at(self, when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (when, next(self.order), what))

    def run(self) -> None:
        self.at(0.0, self.arrive)
        if self.traffic.deaths:
            self.at(self.traffic.warm + 20, self.massacre)
            self.at(self.random.expovariate(len(self.replicas) / 3_600), self.one_dies)
        until = self.traffic.seconds + 30
        while self.events and (event := heapq.heappop(self.events))[0] <= until:
            event[2](event[0])

    def rate(self, now: float) -> float:
        bursting = self.traffic.warm + 10 <= now < self.traffic.warm + 20
        return self.traffic.an_hour / 3_600 * (self.traffic.burst if bursting else 1.0)

    def arrive(self, now: float) -> None:
        if now > self.traffic.seconds:
            return
        self.at(now + self.random.expovariate(self.rate(now)), self.arrive)
        own, answer = (self.random.expovariate(1 / mean) + 1 for mean in self._means())
        job = Job(self.random.choice(self.prefixes), own, answer, now)
        self.came += now >= self.traffic.warm
        place = min(range(len(self.ingresses)), key=self.ingresses.__getitem__)
        self.ingresses[place] = max(now, self.ingresses[place]) + self.times.ingress
        self.at(self.ingresses[place], lambda when: self.send(job, when))

    def _means(self) -> tuple[float, float]:
        return self.traffic.own_tokens, self.traffic.answer_tokens

    def send(self, job: Job, now: float) -> None:
        place = self.choose(job.prefix, self.outstanding)
        self.outstanding[place] += 1
        self.replicas[place].waiting.append(job)
        self.work(place, now)

    def work(self, place: int, now: float) -> None:
        """Let a replica go on from here: what waits may run, and the next end is an event."""
        replica = self.replicas[place]
        replica.advance(now)
        replica.admit(self.hits if now >= self.traffic.warm else None, self.traffic.prefix_tokens)
        replica.version += 1
        if replica.running:
            version = replica.version
            self.at(now + max(1e-9, replica.soonest()), lambda when: self.phase(place, version, when))

    def phase(self, place: int, version: int, now: float) -> None:
        replica = self.replicas[place]
        if version != replica.version:
            return
        replica.advance(now)
        for job in [job for job in replica.running if job.left < 1e-6]:
            if job.decoding:
                self.end(place, job, now)
            else:
                job.decoding, job.first, job.left = True, now, job.answer / self.times.alone
        self.work(place, now)

    def end(self, place: int, job: Job, now: float) -> None:
        self.replicas[place].running.remove(job)
        self.outstanding[place] -= 1
        if job.came >= self.traffic.warm:
            self.done.append(job)
            self.ends.append(now - job.came)

    # --- deaths ----------------------------------------------------------------------------------

    def massacre(self, now: float) -> None:
        for place in self.random.sample(range(len(self.replicas)), round(self.traffic.deaths * len(self.replicas))):
            self.die(place, now)

    def one_dies(self, now: float) -> None:
        self.die(self.random.randrange(len(self.replicas)), now)
        self.at(now + self.random.expovariate(len(self.replicas) / 3_600), self.one_dies)

    def die(self, place: int, now: float) -> None:
        """What it had goes elsewhere, from its beginning; it comes back without a prefix."""
        replica = self.replicas[place]
        if not replica.alive or sum(one.alive for one in self.replicas) == 1:
            return
        replica.advance(now)
        lost = [*replica.running, *replica.waiting]
        self.replicas[place] = Replica(self.times, replica.until, stamp=now, busy=replica.busy, alive=False)
        self.outstanding[place] = DEAD
        self.moved += len(lost)
        for job in lost:
            self.send(job, now)
        self.at(now + self.times.restart, lambda when: self.back(place, when))

    def back(self, place: int, now: float) -> None:
        self.replicas[place].alive, self.outstanding[place] = True, 0

    # --- what came of it -------------------------------------------------------------------------

    def outcome(self, policy: str, what: str) -> Outcome:
        return Outcome(
            len(self.replicas),
            policy,
            what,
            self.traffic.an_hour,
            _ends([job.first - job.came for job in self.done]),
            _ends(self.ends),
            sum(replica.busy for replica in self.replicas) / (len(self.replicas) * self.traffic.seconds),
            statistics.fmean(self.hits) if self.hits else 0.0,
            self.moved,
            1 - len(self.done) / max(1, self.came),
        )


def _ends(seconds: Sequence[float]) -> tuple[float, float]:
    if not seconds:
        return (float("nan"), float("nan"))
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def simulated(traffic: Traffic, replicas: int, policy: str, what: str, *, ingresses: int = 4, seed: int) -> Outcome:
    world = World(Times.read(), traffic, replicas, policy, ingresses, seed)
    world.run()
    return world.outcome(policy, what)


def scenes(quick: bool, seed: int) -> Iterator[Outcome]:
    """Sizes at a thousand requests an hour and replica, then what a day brings at the largest, then more load."""
    sizes, most = ((1, 10), 100) if quick else ((1, 10, 100), 1_000)
    for replicas in (*sizes, most):
        for policy in POLICIES:
            yield simulated(Traffic(1_000.0 * replicas), replicas, policy, "steady", seed=seed)
    full = Traffic(1_000.0 * most)
    for policy in POLICIES:
        yield simulated(replace(full, burst=5.0), most, policy, "5 times for 10 s", seed=seed)
        yield simulated(replace(full, deaths=0.05), most, policy, "5 % die at once", seed=seed)
    for load in (500, 1_500, 2_000, 3_000, 4_000, 5_000, 6_000):
        for policy in POLICIES:
            yield simulated(Traffic(load * 50.0), 50, policy, "load", seed=seed)
    for an_hour in () if quick else (1_000_000.0, 1_250_000.0, 1_400_000.0):
        traffic = Traffic(an_hour, seconds=100.0, warm=40.0)
        yield simulated(traffic, most, "least outstanding", "1 ingress", ingresses=1, seed=seed)


def row(one: Outcome) -> str:
    cells = (
        f"{one.replicas:,}",
        f"{one.an_hour:,.0f}",
        one.what,
        one.policy,
        f"{one.first[0]:.2f}, {one.first[1]:.2f}",
        f"{one.whole[0]:.2f}, {one.whole[1]:.2f}",
        f"{100 * one.used:.0f} %",
        f"{100 * one.hits:.0f} %",
        f"{one.moved:,}",
        f"{100 * one.behind:.1f} %",
    )
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| replicas | an hour | what | policy | first token p50, p99 (s) | whole p50, p99 (s) | busy | prefix kept "
    "| moved | not ended |\n|---|---|---|---|---|---|---|---|---|---|"
)


def choosing() -> str:
    """What one choice costs here, among a thousand."""
    loads = [place % 7 + 1 for place in range(1_000)]
    costs = {"least outstanding": _cost(lambda: least_outstanding(loads, 500), 2_000)}
    if ranked is not None:
        from linnet.interfaces.scale.routing import Orders, placed

        rank = Orders().ranked
        named = {str(place): load for place, load in enumerate(loads)}
        costs["prefix, bounded"] = _cost(lambda: placed("k", named, (), rank), 200)
    return "; ".join(f"{name} {1e6 * cost:,.0f} us" for name, cost in costs.items())


def _cost(work: Callable[[], object], times: int) -> float:
    begun = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begun) / times


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    for policy in POLICIES:
        loads = [one for one in outcomes if one.policy == policy and one.what == "load"]
        left.plot([one.an_hour / one.replicas for one in loads], [one.first[1] for one in loads], "o-", label=policy)
        sizes = [one for one in outcomes if one.policy == policy and one.what == "steady"]
        right.plot([one.replicas for one in sizes], [100 * one.hits for one in sizes], "o-", label=policy)
    left.set(xlabel="requests an hour and replica (50 replicas)", ylabel="first token, p99 (s)", yscale="log")
    right.set(xlabel="replicas, 1,000 requests an hour each", ylabel="prefix kept (%)", xscale="log")
    left.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="up to 100 replicas")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    print(f"one choice among 1,000: {choosing()}\n\n{HEAD}", flush=True)
    outcomes = []
    for outcome in scenes(given.quick, given.seed):
        outcomes.append(outcome)
        print(row(outcome), flush=True)
    if given.picture:
        draw(outcomes, given.picture)


if __name__ == "__main__":
    main()
