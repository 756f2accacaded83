"""Find the encoding of a model that is fastest on this machine among those that are no worse than the original.

The F32 of the file is made once and its predictions are kept; then each candidate is made, held against them, and
timed in turns with the original. Hides that order, which keeps at most two models on the disk beside the original and
one reference, and that nothing is left behind: every file in the making ends with the block that made it.
"""

from __future__ import annotations

import contextlib
import datetime
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from linnet.errors import InputInvalid, StorageFull
from linnet.evals.encoding import agreement, judgement, texts
from linnet.evals.encoding.agreement import Answers
from linnet.evals.encoding.candidates import Candidate, candidates, kind
from linnet.evals.encoding.judgement import Lap
from linnet.evals.encoding.room import CONTEXT, Room, as_file, room
from linnet.hardware import governor, probe
from linnet.hardware.budget import size
from linnet.hardware.footprint import Shape
from linnet.hardware.machine import Machine
from linnet.limits import LIMITS
from linnet.models import encodings, gguf, quantisation, store
from linnet.models.encoding import Agreement, Encoding, Quality, Speed, Trial
from linnet.models.encodings import Encodings, Making
from linnet.models.gguf import Header, ModelFile
from linnet.models.integrity import checked_header
from linnet.models.mixes import Mix
from linnet.models.shape import shape_of
from linnet.models.store import Located
from linnet.requests import Count, Segment, complete
from linnet.runtime import encoder
from linnet.runtime.local import open_local
from linnet.runtime.rawloop import RawLoop

ROUNDS = 7
"""Pairs of measurements for each candidate: an odd number, of which the middle ones count."""

LEAST_ROUNDS = 3
"""Of fewer there are no quartiles, and a lucky one would count."""

_PROMPT, _DECODED = 512, 48
"""Most tokens of one lap: rates do not depend on how long a text is, up to there, but patience does."""

_START = 16
"""Tokens in front of what is decoded."""


@dataclass(frozen=True)
class Wish:
    """For which mix; which types (none: those that suit the processor); within how many bytes of disk and memory
    (None: all that is free but for what is always spared)."""

    mix: Mix
    types: tuple[str, ...] = ()
    threads: int | None = None
    rounds: int = ROUNDS
    disk: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Watch:
    """`tell` is given a sentence when a step is done; `at` what is being done, and the share of it, 0 to 1."""

    tell: Callable[[str], None] = lambda text: None
    at: Callable[[str, float], None] = lambda what, share: None


def choose(model: str, wish: Wish, watch: Watch | None = None, kept: Encodings | None = None) -> Encoding:
    """What was decided, once it counts: `sha256` is None where the original stays. `trials` begin with the original.

    Raises what is wrong with the model, InputInvalid for types that cannot be made, StorageFull and OutOfMemory
    before anything is written where there is no room, and EngineError for what happens to the children.
    """
    _check(wish)
    located = store.locate(model)
    with gguf.open_model(located.path) as file:
        header = checked_header(file)
        store.verify(located, file)
        return _Search(located, file, header, wish, watch or Watch(), kept or Encodings()).run()


def _check(wish: Wish) -> None:
    """What can be known to be wrong before a file of gigabytes is hashed."""
    for name in wish.types:
        kind(name)
    if wish.rounds < LEAST_ROUNDS:
        hint = f"Leave --rounds away for {ROUNDS}, or give {LEAST_ROUNDS} or more."
        raise InputInvalid(f"{wish.rounds} rounds do not show how noisy a machine is", hint=hint)
    if wish.rounds > (limit := LIMITS.encoding_rounds):
        hint = f"Leave --rounds away for {ROUNDS}, or give {limit} or fewer."
        raise InputInvalid(f"{wish.rounds} rounds are over the {limit} that are made at most", hint=hint)


@dataclass
class _Best:
    trial: Trial
    made: Making
    opened: contextlib.ExitStack


@dataclass
class _Search:
    located: Located
    file: ModelFile
    header: Header
    wish: Wish
    watch: Watch
    kept: Encodings
    laps: list[Lap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine: Machine = probe.probe()
        self.threads = self.wish.threads or governor.threads(self.machine, probe.contention()).decode
        self.shape: Shape = shape_of(self.header, self.machine.features or ())
        self.type = quantisation.of_header(self.header).lower()

    def run(self) -> Encoding:
        wanted = candidates(self.header, self.machine.features or (), self.wish.types)
        usable = room(self.machine, self.kept.root, self.wish.disk, self.wish.memory)
        whole = encoder.estimate(self.header, "f32")
        predicted = self._predicted()
        usable.check_reference(whole, predicted, self.shape)
        with contextlib.ExitStack() as opened:
            predictions = opened.enter_context(self.kept.making())
            exact = self._refer(predictions, int(usable.disk) - predicted)
            quality = self._far(self.file.fileno(), predictions, self.type)
            self.watch.tell(f"{self.type}, the original: {_quality(quality)}")
            best: _Best | None = None
            trials: list[Trial] = []
            for candidate in wanted:
                beside = predictions.size + (best.made.size if best else 0)
                mine = opened.enter_context(contextlib.ExitStack())
                made, trial = self._try(candidate, beside, usable, quality, predictions, mine)
                self.watch.tell(f"{trial.type}: {_trial(trial)}")
                trials.append(trial)
                beaten = best is not None and not judgement.is_better(trial, best.trial, trials)
                if made is None or trial.rejected or beaten:
                    mine.close()
                else:
                    if best:
                        best.opened.close()
                    best = _Best(trial, made, mine)
            original = Trial(self.type, self.header.file_size, quality, self._own_speed())
            same = self._agree(best.made, exact) if best else ()
            return self._publish(original, trials, best, same)

    # --- the reference ---------------------------------------------------------------------------

    def _predicted(self) -> int:
        """Bytes of the reference's predictions: the model's own tokeniser counts the tokens of the passages."""
        model = open_local(
            str(self.located.path.absolute()), context=CONTEXT, threads=self.threads, encoding="original"
        )
        try:
            counts = [complete(model, Count((Segment(text, False),))).count for text in texts.passages()]
        finally:
            model.close()
        return 4 * sum(counts) * len(self.header.texts("tokenizer.ggml.tokens")) + 4_096

    def _refer(self, predictions: Making, most: int) -> Answers:
        """Fill the file with what the F32 of the model, of at most so many bytes, predicts; returns its answers."""
        with self.kept.making() as whole:
            made = self._encode("f32", whole, most)
            self.watch.tell(f"f32, the reference: {size(made.bytes)}, made in {made.seconds:.0f} s")
            found = encoder.logits(
                whole.fd,
                texts.passages(),
                predictions.fd,
                self.threads,
                progress=lambda share: self.watch.at("f32: predicting", share),
            )
            words = f"{found.positions} predictions on {len(texts.passages())} texts"
            self.watch.tell(f"f32, the reference: {words} in {found.seconds:.0f} s")
            return self._answers("f32", whole)

    def _far(self, fd: int, predictions: Making, name: str) -> Quality:
        found = encoder.divergence(
            fd,
            texts.passages(),
            predictions.fd,
            self.threads,
            progress=lambda share: self.watch.at(f"{name}: comparing", share),
        )
        parts = (found.mean_kl, found.standard_error, found.p99_kl, found.max_kl, found.same_top, found.positions)
        return Quality(*parts)

    # --- candidates ------------------------------------------------------------------------------

    def _try(
        self,
        candidate: Candidate,
        beside: int,
        usable: Room,
        original: Quality,
        predictions: Making,
        opened: contextlib.ExitStack,
    ) -> tuple[Making | None, Trial]:
        """The file, which ends with `opened`, and what came of it; no file where there is no room for one."""
        name, shapes = candidate.type, (self.shape, as_file(self.shape, candidate.size))
        if reason := usable.why_not(name, candidate.size, beside, shapes):
            return None, Trial(name, candidate.size, rejected=reason)
        made = opened.enter_context(self.kept.making())
        try:
            encoded = self._encode(name, made, int(usable.disk) - beside)
        except StorageFull as error:
            return None, Trial(name, candidate.size, rejected=error.message)
        quality = self._far(made.fd, predictions, name)
        speed = self._race(name, made)
        return made, Trial(name, encoded.bytes, quality, speed, judgement.why_not(quality, speed, original))

    def _encode(self, name: str, made: Making, most: int) -> encoder.Encoded:
        def progress(written: int, expected: int) -> None:
            self.watch.at(f"{name}: encoding", written / max(1, expected))

        return encoder.encode(self.file.fileno(), made.fd, name, self.threads, most=most, progress=progress)

    def _race(self, name: str, made: Making) -> Speed:
        """The original and a candidate in turns, each going first in every other round."""
        laps: list[tuple[Lap, Lap]] = []
        with self._loop(self.file) as first, gguf.open_model(made.path) as file, self._loop(file) as second:
            self._lap(first)
            self._lap(second)
            for number in range(self.wish.rounds):
                self.watch.at(f"{name}: timing", number / self.wish.rounds)
                if number % 2:
                    other = self._lap(second)
                    laps.append((self._lap(first), other))
                else:
                    laps.append((self._lap(first), self._lap(second)))
        self.laps += [lap for lap, _ in laps]
        return judgement.speed(laps, self.wish.mix)

    def _loop(self, file: ModelFile) -> RawLoop:
        prompt, decoded, streams = self._lengths()
        context = max(prompt, streams * (_START + decoded), LIMITS.context_least)
        return RawLoop(file, context=context, threads=self.threads)

    def _lap(self, raw: RawLoop) -> Lap:
        prompt, decoded, streams = self._lengths()
        prefill = raw.loop(prompt).prefill
        decode = raw.loop(_START, generate=decoded, streams=streams).decode
        return Lap(prompt / prefill, streams * decoded / decode)

    def _lengths(self) -> tuple[int, int, int]:
        mix = self.wish.mix
        return min(mix.prompt, _PROMPT), min(mix.decoded, _DECODED), mix.streams

    def _own_speed(self) -> Speed | None:
        if not self.laps:
            return None
        prefill = statistics.median(lap.prefill for lap in self.laps)
        decode = statistics.median(lap.decode for lap in self.laps)
        return Speed(prefill, decode, self.wish.mix.seconds(prefill, decode), 1.0, 1.0, 1.0, len(self.laps))

    # --- the decision ----------------------------------------------------------------------------

    def _answers(self, name: str, made: Making | None) -> Answers:
        path = made.path if made else self.located.path
        return agreement.answers(
            path, texts.prompts(), self.threads, lambda share: self.watch.at(f"{name}: answering", share)
        )

    def _agree(self, made: Making, exact: Answers) -> tuple[Agreement, ...]:
        """How often the greedy answers are those of the original; and how often either's are those of the F32."""
        original, new = self._answers(self.type, None), self._answers("the best", made)
        return (
            agreement.agreement("it and the original", new, original),
            agreement.agreement("the original and its F32", original, exact),
            agreement.agreement("it and the F32", new, exact),
        )

    def _publish(
        self, original: Trial, trials: list[Trial], best: _Best | None, same: tuple[Agreement, ...]
    ) -> Encoding:
        if best:
            trials = [_outdone(trial, best.trial) for trial in trials]
        found = Encoding(
            original=self.located.sha256 or store.fingerprint(self.file),
            name=self.located.name,
            machine=encodings.host(self.machine),
            engine=encodings.engine(),
            type=best.trial.type if best else self.type,
            sha256=best.made.sha256() if best else None,
            size=best.made.size if best else 0,
            date=datetime.date.today().isoformat(),
            mix=self.wish.mix,
            threads=self.threads,
            why=_why(best.trial, original)
            if best
            else "the original stays: no other type is both as good and faster",
            trials=(original, *trials),
            agreement=same,
        )
        return self.kept.publish(found, best.made if best else None)


# --- in words ------------------------------------------------------------------------------------


def _outdone(trial: Trial, best: Trial) -> Trial:
    if trial.rejected or trial.type == best.type:
        return trial
    return replace(trial, rejected=f"as good, but {best.type} is faster, or as fast and smaller")


def _why(best: Trial, original: Trial) -> str:
    assert best.speed and best.quality and original.quality
    spread = f"{best.speed.ratio:.2f} times as fast as the original ({best.speed.low:.2f} to {best.speed.high:.2f})"
    kl = f"KL to the F32 {best.quality.mean_kl:.2g}, the original's own {original.quality.mean_kl:.2g}"
    return f"{best.type} is {spread} and no worse ({kl})"


def _quality(quality: Quality) -> str:
    return f"KL {quality.mean_kl:.2g} (worst hundredth {quality.p99_kl:.2g}), same token {quality.same_top:.1%}"


def _trial(trial: Trial) -> str:
    parts = [size(trial.size)]
    if trial.quality:
        parts.append(_quality(trial.quality))
    if speed := trial.speed:
        parts.append(f"prefill {speed.prefill:.0f}, decode {speed.decode:.0f} tokens/s")
        parts.append(f"{speed.ratio:.2f} times as fast ({speed.low:.2f} to {speed.high:.2f})")
    if trial.rejected:
        parts.append(f"rejected: {trial.rejected}")
    return ", ".join(parts)
