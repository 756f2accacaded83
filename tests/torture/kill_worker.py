"""kill -9 of the worker in mid-answer, on the real model: every answer comes whole, and what was sent stays.

    python tests/torture/kill_worker.py --kills 50 --seed 1

Each answer is streamed and its worker killed after a random number of pieces. Checked for each: the stream
ends in Done, the pieces joined are the whole text, what had arrived before the kill is its beginning, a
constrained answer fits its constraint, and `degraded` says `resumed`.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import time
from dataclasses import dataclass

from linnet.messages import Message
from linnet.requests import Done, Generate, Pattern, Piece
from linnet.runtime.local import LocalModel, open_local

PATTERN = r"(?:[a-z]{2,9} ){30,60}end"


@dataclass(frozen=True)
class Outcome:
    fault: str
    recovery: float  # seconds from the kill to the next piece


def one(model: LocalModel, rng: random.Random, constrained: bool) -> Outcome:
    subject = rng.choice(("a fox", "the sea", "an old clock", "two friends", "a long road"))
    constraint = Pattern(PATTERN) if constrained else None
    request = Generate((Message("user", f"Tell a story about {subject}."),), constraint=constraint, max_tokens=100)
    moment, killed, recovery = rng.randint(1, 50), 0.0, 0.0
    sent = before = ""
    pieces, done = 0, None
    for event in model.stream(request):
        if isinstance(event, Done):
            done = event
            continue
        assert isinstance(event, Piece)
        if killed and not recovery:
            recovery = time.monotonic() - killed
        sent += event.text
        pieces += 1
        pid = model.supervisor.pid
        if pieces == moment and pid is not None:
            before, killed = sent, time.monotonic()
            os.kill(pid, signal.SIGKILL)
    return Outcome(_fault(done, sent, before, killed, constrained), recovery)


def _fault(done: Done | None, sent: str, before: str, killed: float, constrained: bool) -> str:
    if done is None:
        return "no Done"
    if not done.text.startswith(sent):
        return "the pieces are not the beginning of the text"
    if not done.text.startswith(before):
        return "what was sent before the kill has changed"
    if killed and "resumed" not in done.degraded:
        return f"not told as resumed: {done.degraded}"
    if constrained and done.finish == "constraint" and not re.fullmatch(PATTERN, done.text):
        return f"the constraint was lost: {done.text!r}"
    return "" if killed or not sent else "ended before it could be killed"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=float("inf"), help="after which none is begun any more")
    given = options.parse_args()
    rng = random.Random(given.seed)
    model = open_local(context=2_048)
    outcomes: list[Outcome] = []
    started = time.monotonic()
    try:
        for i in range(given.kills):
            if outcomes and time.monotonic() - started > given.seconds:
                break
            outcomes.append(one(model, rng, constrained=i % 2 == 1))
            if outcomes[-1].fault:
                print(f"FAULT answer {i}: {outcomes[-1].fault}")
    finally:
        model.close()
    whole = sum(not outcome.fault for outcome in outcomes)
    times = sorted(outcome.recovery for outcome in outcomes if outcome.recovery)
    median, worst = times[len(times) // 2], times[-1]
    print(f"MADE {len(outcomes)}")
    print(f"{whole} of {len(outcomes)} answers whole; recovery median {median:.2f} s, worst {worst:.2f} s")
    return 0 if whole == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
