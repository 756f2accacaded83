"""The loop: packs in, an adapter out; measured first, saved as it goes, ended by time, steps, or no progress.

A run has a folder. Begun again in it, with the same recipe and examples, it goes on where it was saved last, and
what follows is what would have followed.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from linnet import storage
from linnet.errors import InputInvalid
from linnet.evals.training import checkpoint
from linnet.evals.training.checkpoint import Check, Progress
from linnet.evals.training.course import Course
from linnet.evals.training.network import Judgement, Network
from linnet.evals.training.pack import Pack
from linnet.evals.training.plan import Estimate, Pace, Recipe, estimate

SAVING = 45.0
"""Seconds between two savings."""

Watch = Callable[[Progress, float], None]
"""Told after every step, with the share of the training that is done; what it raises ends the training, which goes on
from the last saving next time."""


class _Clock:
    """Seconds of this training, those before it was taken up again included."""

    def __init__(self, before: float) -> None:
        self._began = time.monotonic() - before

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


@dataclass(frozen=True)
class Learned:
    """What came of it. `stopped` says why it ended: `steps`, `time`, `no better`."""

    progress: Progress
    estimate: Estimate
    stopped: str
    resumed_at: int = 0

    @property
    def best(self) -> Check | None:
        return self.progress.checks[self.progress.best] if self.progress.checks else None


class Learning:
    """One training in one folder. `identity` stands for all that must be the same to go on. `plain` is text on which
    the model is held to what it says without the adapter, and more of it to look at."""

    def __init__(
        self,
        network: Network,
        course: Course,
        held: Sequence[Pack],
        recipe: Recipe,
        folder: Path,
        identity: str,
        saving: float = SAVING,
        plain: tuple[Sequence[Pack], Sequence[Pack]] = ((), ()),
    ) -> None:
        import torch

        self._network, self._course, self._held = network, course, held
        self._plain, self._plain_held = plain
        self._recipe, self._folder, self._identity, self._saving = recipe, folder, identity, saving
        self._best = {name: value.detach().clone() for name, value in network.learned().items()}
        weights = list(network.learned().values())
        self._optimiser: Any = torch.optim.AdamW(weights, lr=recipe.rate, betas=(0.9, 0.99), weight_decay=0.0)
        self._progress = Progress()
        kept = self._kept()
        self.resumed_at = self._resume() if kept else 0
        self.estimate = kept or self._planned()
        self._pace, self._looking = Pace(recipe, self.estimate), self.estimate.check_seconds

    # --- before it starts ----------------------------------------------------------------------

    def _kept(self) -> Estimate | None:
        """The plan of the run that this one goes on with. Raises InputInvalid for that of another training."""
        kept = storage.read_json(self._folder / "plan.json")
        if kept is None:
            return None
        if isinstance(kept, dict) and kept.get("identity") == self._identity:
            return Estimate(**kept["estimate"])
        message = f"{str(self._folder)!r} is the folder of another training"
        hint = "Give the same tools, examples, seed and options to go on with it, or another name."
        raise InputInvalid(message, hint=hint, path=str(self._folder))

    def _planned(self) -> Estimate:
        """Measured once for a run, and kept, so that a run that goes on has the same steps before it."""
        path = self._folder / "plan.json"
        found = self._measured()
        told = {"identity": self._identity, "estimate": asdict(found), "recipe": self._recipe.describe()}
        if not storage.write_json(path, told):
            raise InputInvalid(f"{str(path)!r} cannot be written", path=str(path))
        return found

    def _measured(self) -> Estimate:
        """The second of two steps, which changes nothing, and a look at some of the held-out examples."""
        first = [pack for pack, _ in itertools.islice(self._course.packs(0), 2)]
        for number, pack in enumerate(first):
            started = time.monotonic()
            self._grade(pack, number)
            took = time.monotonic() - started
        self._optimiser.zero_grad()
        some = self._held[:2]
        started = time.monotonic()
        self._network.judge(some)
        checking = (time.monotonic() - started) * len(self._held) / max(1, len(some))
        tokens, spelled = (
            sum(each) / len(first) for each in zip(*((len(p.ids), p.spelled) for p in first), strict=True)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return estimate(self._recipe, took, checking, tokens, spelled, peak)

    # --- the loop ------------------------------------------------------------------------------

    def run(self, watch: Watch = lambda progress, share: None) -> Learned:
        """Learns until it ends, and leaves the network with the best adapter that was seen."""
        clock = _Clock(self._progress.seconds)
        if not self._progress.checks:
            self._check(clock)
        saved, stopped = clock.seconds, "time" if self._pace.timed else "steps"
        for pack, place in self._left():
            self._step(pack, place, clock)
            if self._due(clock):
                self._check(clock)
            watch(self._progress, self._pace.share(self._progress.step, clock.seconds))
            if len(self._progress.checks) - 1 - self._progress.best > self._recipe.patience:
                stopped = "no better"
                break
            if clock.seconds - saved >= self._saving:
                self._save()
                _give_back()
                saved = clock.seconds
        if self._progress.checks[-1].step != self._progress.step:
            self._check(clock)
        self._save()
        self._network.load(self._best)
        return Learned(self._progress, self.estimate, stopped, self.resumed_at)

    def _left(self) -> Iterator[tuple[Pack, int]]:
        return itertools.takewhile(
            lambda _: not self._pace.over(self._progress.step, self._progress.seconds),
            self._course.packs(self._progress.place),
        )

    def _step(self, pack: Pack, place: int, clock: _Clock) -> None:
        import torch

        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate_at(self._pace.share(self._progress.step, clock.seconds))
        loss = self._grade(pack, self._progress.step)
        torch.nn.utils.clip_grad_norm_(list(self._network.learned().values()), self._recipe.clip)
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._progress = replace(
            self._progress,
            step=self._progress.step + 1,
            place=place,
            seconds=clock.seconds,
            spelled=self._progress.spelled + pack.spelled,
            losses=(*self._progress.losses, loss),
        )

    def _grade(self, pack: Pack, step: int) -> float:
        """Adds the gradients of a step; its lessons' nats."""
        loss, _ = self._network.loss(pack)
        loss.backward()
        if self._plain and self._recipe.hold:
            drift = self._network.drift(self._plain[step % len(self._plain)])
            (self._recipe.hold * drift).backward()
        return float(loss.detach())

    def _due(self, clock: _Clock) -> bool:
        looked = self._progress.checks[-1].seconds
        return self._pace.looks(self._progress.step, clock.seconds, looked, self._looking)

    def _check(self, clock: _Clock) -> None:
        """Looks at the held-out examples, and remembers the adapter if it is the best so far."""
        began = clock.seconds
        judged = self._network.judge(self._held)
        drift = self._network.drifted(self._plain_held)
        found = replace(checked(self._progress.step, judged, self._progress.spelled, clock.seconds), drift=drift)
        self._looking = clock.seconds - began
        checks = (*self._progress.checks, found)
        best = self._progress.best
        if best < 0 or (found.right, -found.nats) > (checks[best].right, -checks[best].nats):
            best = len(checks) - 1
            self._best = {name: value.detach().clone() for name, value in self._network.learned().items()}
        self._progress = replace(self._progress, checks=checks, best=best)

    # --- savings -------------------------------------------------------------------------------

    def _save(self) -> None:
        now = self._network.learned()
        tensors = {f"now.{name}": value for name, value in now.items()}
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        for name, value in now.items():
            if state := self._optimiser.state.get(value):
                tensors[f"mean.{name}"], tensors[f"square.{name}"] = state["exp_avg"], state["exp_avg_sq"]
        checkpoint.save(self._folder, self._progress, tensors)

    def _resume(self) -> int:
        import torch

        found = checkpoint.load(self._folder)
        if found is None:
            return 0
        self._progress, tensors = found
        self._network.load({name: tensors[f"now.{name}"] for name in self._network.learned()})
        self._best = {name: tensors[f"best.{name}"] for name in self._best}
        for name, value in self._network.learned().items():
            if f"mean.{name}" in tensors:
                self._optimiser.state[value] = {
                    "step": torch.tensor(float(self._progress.step)),
                    "exp_avg": tensors[f"mean.{name}"].to(value.device),
                    "exp_avg_sq": tensors[f"square.{name}"].to(value.device),
                }
        return self._progress.step


def _give_back() -> None:
    """What the allocator holds on to goes back to the machine: packs of all sizes leave it in pieces, which came to
    5 GB in an hour. Only glibc has this."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def checked(step: int, judgements: Sequence[Judgement], spelled: int = 0, seconds: float = 0.0) -> Check:
    """The judgements in numbers; of none, nothing is right."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for one in judgements:
        kinds[one.kind].append(one.right)
    count = max(1, len(judgements))
    right = sum(one.right for one in judgements) / count
    nats = sum(one.nats for one in judgements) / count
    shares = {kind: sum(marks) / len(marks) for kind, marks in sorted(kinds.items())}
    return Check(step, right, nats, shares, spelled, seconds)
