"""Profile: time, tokens and memory of one request, by phase, from the start of the process to its workers' end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from linnet.agent.agent import Agent
from linnet.agent.result import Result
from linnet.agent.trace import trace_of
from linnet.evals.speed.phases import PHASES, Stretch, spent, stretches
from linnet.evals.speed.sampler import PERIOD, Sample, Sampler
from linnet.hardware import process
from linnet.hardware.process import Held
from linnet.requests import Usage


@dataclass(frozen=True)
class Phase:
    """One phase in all its stretches: memory where the two kinds of processes together held most. `samples` were
    taken in it; where there is none, the nearest one stands for it."""

    name: str
    seconds: float
    usage: Usage
    caller: Held
    workers: Held
    samples: int


@dataclass(frozen=True)
class Profile:
    """Times in seconds since the process began. The peaks, in bytes, are the kernel's own, of all the time."""

    result: Result
    stretches: tuple[Stretch, ...]
    samples: tuple[Sample, ...]
    phases: tuple[Phase, ...]
    seconds: float
    caller_peak: int
    workers_peak: int

    def describe(self) -> dict[str, Any]:
        """The one JSON form."""
        return {
            "result": self.result.describe(),
            "seconds": round(self.seconds, 4),
            "peak": {"caller": self.caller_peak, "workers": self.workers_peak},
            "period": PERIOD,
            "phases": [asdict(replace(phase, seconds=round(phase.seconds, 4))) for phase in self.phases],
            "stretches": [asdict(each) for each in self.stretches],
            "samples": [
                {"at": round(s.at, 4), "caller": _sizes(s.caller), "workers": _sizes(s.workers)} for s in self.samples
            ],
        }


def profiled(opened: Callable[[], Agent], text: str) -> Profile:
    """Open an agent, have it answer, and close it. Raises what `Agent.run` does."""
    zero = time.monotonic() - (process.age(os.getpid()) or 0.0)

    def now() -> float:
        return time.monotonic() - zero

    with Sampler(now) as sampler:
        with opened() as agent:
            sampler.model = agent.model
            result = agent.run(text)
            ended = now()
        closed = now()
    began = ended - result.seconds
    turn = stretches(trace_of(result), began, sampler.load)
    cut = (Stretch("start", 0.0, began), *turn, Stretch("end", ended, closed))
    caller = process.held(os.getpid()) or Held()
    samples = tuple(sampler.samples)
    return Profile(
        result, cut, samples, phases(cut, samples, spent(trace_of(result))), closed, caller.peak, sampler.peak
    )


def phases(cut: Sequence[Stretch], samples: Sequence[Sample], usage: dict[str, Usage]) -> tuple[Phase, ...]:
    """Those that took any time, in the order of `PHASES`."""
    found = []
    for name in PHASES:
        own = [stretch for stretch in cut if stretch.phase == name and stretch.seconds > 0]
        if own:
            inside = [s for s in samples if any(stretch.begin <= s.at < stretch.end for stretch in own)]
            middle = (own[0].begin + own[0].end) / 2
            most = max(inside, key=_resident, default=None) or min(samples, key=lambda s: abs(s.at - middle))
            seconds = sum(stretch.seconds for stretch in own)
            found.append(Phase(name, seconds, usage.get(name, Usage()), most.caller, most.workers, len(inside)))
    return tuple(found)


def _resident(sample: Sample) -> int:
    return sample.caller.resident + sample.workers.resident


def _sizes(held: Held) -> dict[str, int]:
    return {"resident": held.resident, "private": held.private, "shared": held.shared}
