"""What is measured, case by case: each a function of the model and of the plain loops it is held against.

Ours and the peer's turns alternate within every round, with the same counts of tokens, taken from what the worker
says that it used. What lives off what was computed before has a first round that is left out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from linnet.agent.agent import Agent
from linnet.errors import ContextOverflow
from linnet.evals.speed import texts
from linnet.evals.speed.measure import Measure, NotMeasured, Watched, together, usage_of, watch
from linnet.hardware.footprint import Footprint
from linnet.hardware.reading import field, numbers, text
from linnet.limits import MIB
from linnet.messages import Message
from linnet.requests import Generate, Prompt, Segment, Usage, complete
from linnet.runtime.local import LocalModel
from linnet.runtime.rawloop import RawLoop

RAW = "raw loop"


@dataclass(frozen=True)
class Plan:
    """How much is done: `rounds` of everything, `generate` tokens for each answer, and how often what is short."""

    rounds: int = 5
    generate: int = 64
    prompts: tuple[int, ...] = (128, 512, 1_024)
    streams: tuple[int, ...] = (1, 2, 4, 8, 16)
    prefix: int = 1_000
    short: int = 20


QUICK = Plan(rounds=2, generate=16, prompts=(128, 512), short=8)


@dataclass(frozen=True)
class Stand:
    """What the cases work on: the model as anybody has it, the plain loops over the same file, what was predicted."""

    model: LocalModel
    raw: RawLoop
    plan: Plan
    predicted: Footprint

    def watch(self, request: Generate) -> Watched:
        return watch(self.model, request, time.perf_counter)


Case = Callable[[Stand], Iterator[Measure]]


def prefill(stand: Stand) -> Iterator[Measure]:
    """Tokens of a new prompt per second, until the first token of the answer is here."""
    for length in stand.plan.prompts:
        ours, theirs, used = [], [], Usage()
        for i in range(stand.plan.rounds):
            seen = stand.watch(Generate(texts.of_length(stand.model, length, 31 * length + i), max_tokens=1))
            used += seen.done.usage
            computed = seen.done.usage.prompt_tokens - seen.done.usage.cached_tokens
            loop = stand.raw.loop(computed)
            ours.append(computed / seen.first)
            theirs.append(computed / loop.prefill)
        yield Measure("prefill", "tok/s", tuple(ours), "more", length, RAW, tuple(theirs), used)


def decode(stand: Stand) -> Iterator[Measure]:
    """Tokens per second of one streamed answer, behind its first token."""
    ours, theirs, used, note = [], [], Usage(), ""
    for _ in range(stand.plan.rounds):
        seen = stand.watch(texts.long_answer(0, stand.plan.generate))
        used += seen.done.usage
        count, seconds = seen.streamed()
        loop = stand.raw.loop(seen.done.usage.prompt_tokens, generate=count)
        ours.append(count / seconds)
        theirs.append(count / loop.decode)
        steps = len(seen.arrivals) - 1
        note = f"{count} tokens came in {steps} steps, for some were guessed" if steps < count else note
    yield Measure("decode", "tok/s", tuple(ours), "more", 0, RAW, tuple(theirs), used, note)


def first_token(stand: Stand) -> Iterator[Measure]:
    """A short conversation that was asked before: rendering, pipe, admission and the tokens that are not kept."""
    request = Generate((Message("user", "Name a colour."),), max_tokens=1)
    ours, theirs, used = [], [], Usage()
    for i in range(stand.plan.short + 1):
        seen = stand.watch(request)
        used += seen.done.usage
        kept = seen.done.usage.cached_tokens
        loop = stand.raw.loop(max(1, kept), run=max(1, seen.done.usage.prompt_tokens - kept))
        if i:
            ours.append(1_000 * seen.first)
            theirs.append(1_000 * loop.run)
    yield Measure("first token", "ms", tuple(ours), "less", 0, RAW, tuple(theirs), used)
    over = tuple(mine - raw for mine, raw in zip(ours, theirs, strict=True))
    yield Measure("overhead", "ms", over, "less")


def forced(stand: Stand) -> Iterator[Measure]:
    """A call of a tool in JSON whose fixed parts are fed, not decoded; the tools' part of the prompt is kept."""
    shares, rates, seconds, used = [], [], [], Usage()
    for i in range(stand.plan.short // 2 + 1):
        seen = stand.watch(texts.call(i))
        used += seen.done.usage
        if seen.done.finish != "constraint":
            raise NotMeasured(f"the call did not come to its end within {seen.done.usage.generated_tokens} tokens")
        if i:
            shares.append(100 * seen.done.usage.forced_tokens / seen.done.usage.generated_tokens)
            rates.append(seen.done.usage.generated_tokens / seen.seconds)
            seconds.append(1_000 * seen.seconds)
    yield Measure("call", "ms", tuple(seconds), "less", usage=used)
    yield Measure("call forced", "%", tuple(shares))
    yield Measure("call rate", "tok/s", tuple(rates))


def streams(stand: Stand) -> Iterator[Measure]:
    """Tokens per second of several streamed answers together, while all of them run.

    Their prompts are asked for before, so that all begin at about the same time.
    """
    prompts = [stand.watch(texts.long_answer(number, 1)) for number in range(max(stand.plan.streams))]
    before = usage_of(prompts)
    longest = max(one.done.usage.prompt_tokens for one in prompts)
    for count in stand.plan.streams:
        _check_room(stand, count, longest + stand.plan.generate)
        ours, theirs, used, before = [], [], before, Usage()
        with ThreadPoolExecutor(count) as pool:
            for _ in range(stand.plan.rounds):
                stories = [texts.long_answer(number, stand.plan.generate) for number in range(count)]
                seen = list(pool.map(stand.watch, stories))
                used += usage_of(seen)
                tokens, seconds = together(seen)
                prompt = max(one.done.usage.prompt_tokens for one in seen)
                steps = max(1, tokens // count)
                loop = stand.raw.loop(prompt, generate=steps, streams=count)
                ours.append(tokens / seconds)
                theirs.append(count * steps / loop.decode)
        yield Measure("streams", "tok/s", tuple(ours), "more", count, RAW, tuple(theirs), used)


def _check_room(stand: Stand, count: int, each: int) -> None:
    """Answers that do not fit together are paused, and the plain loop does not pause."""
    context = stand.model.capabilities.context
    if (wanted := count * each) > context:
        raise NotMeasured(f"{count} answers together need {wanted:,} tokens, and the context is {context:,}")


def prefix(stand: Stand) -> Iterator[Measure]:
    """The first token behind a long prefix: the first request with it, and the next, which ends otherwise."""
    length = stand.plan.prefix
    new, kept, used = [], [], Usage()
    for i in range(stand.plan.rounds):
        stable = texts.of_length(stand.model, length, 7_000 + i)
        first, second = (stand.watch(Generate(_behind(stable, end), max_tokens=1)) for end in ("one", "another"))
        used += usage_of([first, second])
        if not second.done.usage.cached_tokens:
            raise NotMeasured("this model's prefixes cannot be kept")
        new.append(1_000 * first.first)
        kept.append(1_000 * second.first)
    yield Measure("prefix kept", "ms", tuple(kept), "less", length, "first request", tuple(new), used)


def _behind(stable: Prompt, end: str) -> Prompt:
    return (*stable, Segment(f".\nThat was {end} of them.", False))


def memory(stand: Stand) -> Iterator[Measure]:
    """Resident memory of the worker after all that was asked of it, beside what the header lets one predict."""
    pid = stand.model.supervisor.pid
    kib = numbers(field(text(Path(f"/proc/{pid}/status")), "VmRSS")) if pid else []
    if not kib:
        raise NotMeasured("this system does not tell a process's memory")
    predicted = stand.predicted.peak / MIB
    yield Measure("memory", "MiB", (kib[0] / 1_024,), "less", 0, "predicted", (predicted,))


def rule(stand: Stand) -> Iterator[Measure]:
    """A request that a rule answers, inside this process: no token, no child."""
    with Agent(model=stand.model) as agent:
        took = []
        for i in range(stand.plan.short + 1):
            started = time.perf_counter()
            result = agent.run(f"What is {17 + i} times 24?")
            seconds = time.perf_counter() - started
            assert result.how == "rule" and result.usage == Usage(), "no rule answered"
            if i:
                took.append(1_000 * seconds)
    yield Measure("rule", "ms", tuple(took), "less")


CASES: dict[str, Case] = {
    "decode": decode,
    "first token": first_token,
    "prefill": prefill,
    "call": forced,
    "streams": streams,
    "prefix": prefix,
    "memory": memory,
    "rule": rule,
}


def warm_up(stand: Stand) -> None:
    """Have both sides do a little of everything once: pages come in, threads start, tables are made."""
    complete(stand.model, texts.long_answer(0, 4))
    with contextlib.suppress(ContextOverflow):  # its case will tell
        complete(stand.model, texts.call(0))
    stand.raw.loop(16, run=2, generate=2)
