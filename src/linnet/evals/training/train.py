"""From examples to an adapter in the store: learned, exported, judged by the engine, kept only if it is better."""

from __future__ import annotations

import contextlib
import datetime
import gc
import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from linnet import storage
from linnet.calling.ranking.ranker import fitted
from linnet.calling.trust import Trust
from linnet.errors import InputInvalid
from linnet.evals.fitting.trusting import learned
from linnet.evals.training import card, checkpoint, export, keeping
from linnet.evals.training.base import Base, rendering
from linnet.evals.training.course import Course, Parts, split
from linnet.evals.training.example import Example, line_of
from linnet.evals.training.held_out import Comparison, case_of, compare, remember
from linnet.evals.training.learning import Learned, Learning
from linnet.evals.training.network import Network
from linnet.evals.training.pack import Pack
from linnet.evals.training.plan import Estimate, Recipe, check_memory, needed_bytes
from linnet.hardware import governor, probe
from linnet.limits import LIMITS
from linnet.models import catalogue, naming
from linnet.models.pull import pull
from linnet.models.shelf import Shelf
from linnet.requests import Model
from linnet.runtime.encode_as import encode_as
from linnet.runtime.encoder import KINDS as ENCODINGS
from linnet.runtime.local import open_local

NEEDED = ("torch", "transformers", "gguf", "tokenizers", "safetensors")


@dataclass(frozen=True)
class Wish:
    """What is to be trained: `name` is what the adapter will be called, `base` the model by name.

    `merge` is the encoding of a model that has the adapter built in, made as well unless it is "". `resume` goes on
    with a run of this name that was ended before its time.
    """

    name: str
    base: str = "smollm2-135m"
    recipe: Recipe = field(default_factory=Recipe)
    threads: int | None = None
    merge: str = ""
    resume: bool = False


@dataclass(frozen=True)
class Watch:
    """`say` is told a line; `at` what is being done, and the share of it that is done."""

    say: Callable[[str], None] = lambda text: None
    at: Callable[[str, float], None] = lambda what, share: None
    planned: Callable[[Estimate, Recipe, int], None] = lambda estimate, recipe, resumed: None


@dataclass(frozen=True)
class Trained:
    """What came of it. `installed` is the name by which the engine knows it now, "" where it is not kept, for the
    reason `why_not`; the file itself is at `path` in any case. `merged` is the model that has it built in, `profile`
    the file that says how the model with its adapter is asked best."""

    path: Path
    learned: Learned
    comparison: Comparison
    parts: Parts
    passed_over: int
    installed: str = ""
    why_not: str = ""
    merged: str = ""
    profile: str = ""

    @property
    def card(self) -> Path:
        """A page beside the adapter: what it was made of, and what it is worth."""
        return self.path.with_suffix(".md")

    def describe(self) -> dict[str, Any]:
        progress, best = self.learned.progress, self.learned.best
        return {
            "installed": self.installed or None,
            "why_not": self.why_not,
            "adapter": str(self.path),
            "card": str(self.card),
            "bytes": self.path.stat().st_size,
            "examples": {name: len(part) for name, part in vars(self.parts).items()},
            "lessons_passed_over": self.passed_over,
            "steps": progress.step,
            "stopped": self.learned.stopped,
            "resumed_at": self.learned.resumed_at,
            "seconds": progress.seconds,
            "tokens_of_text": progress.spelled,
            "estimate": self.learned.estimate.describe(),
            "checks": [asdict(check) for check in progress.checks],
            "best": asdict(best) if best else None,
            "held_out": self.comparison.describe(),
            "merged": self.merged or None,
            "profile": self.profile or None,
        }


def train(wish: Wish, examples: Sequence[Example], watch: Watch | None = None) -> Trained:
    """Trains, and judges what came of it.

    Raises InputInvalid for too few examples, a name that is taken, a package that is missing, or a folder of another
    run; KindUnsupported for a model that cannot be trained; OutOfMemory before anything is loaded; and what the
    store and the engine raise.
    """
    watch = watch or Watch()
    _check_wish(wish, len(examples))
    recipe = wish.recipe
    parts = split(examples, recipe.seed, look=recipe.look, judge=recipe.judge, weigh=recipe.weigh)
    folder = _folder(wish)
    source = Base.of(wish.base)
    path = folder / f"{wish.name}.gguf"
    learned, passed_over = _learn(wish, source, parts, folder, path, watch)
    gc.collect()
    found = _judged(wish, path, parts, watch)
    done = Trained(path, learned, found, parts, passed_over, why_not=found.why_not)
    if not found.why_not:
        done = _installed(done, wish, source, watch)
    storage.write_json(folder / "report.json", done.describe())
    _write_card(done, wish, source, watch)
    return done


# --- before it begins ----------------------------------------------------------------------------


def _check_wish(wish: Wish, examples: int) -> None:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        hint = "Install them: pip install 'linnet[train]'"
        raise InputInvalid(f"training needs the package {missing[0]!r}, which is not installed", hint=hint)
    for name in (wish.name, *([_merged_name(wish)] if wish.merge else [])):
        _check_free(naming.check_name(name))
    if wish.merge and wish.merge not in ENCODINGS:
        raise InputInvalid(f"there is no encoding {wish.merge!r}; there are {', '.join(ENCODINGS)}")
    if examples < (fewest := LIMITS.training_fewest_examples):
        raise InputInvalid(f"{examples} examples are too few to learn from", hint=f"Give at least {fewest}.")


def _check_free(name: str) -> None:
    """Before the work and not after it: a name that is taken would lose the adapter its place."""
    if name in catalogue.names() or Shelf().find(name):
        raise InputInvalid(f"the name {name!r} is taken", hint="Give another name with --name.", name=name)


def _folder(wish: Wish) -> Path:
    """Where the run keeps its state. One that was ended before its time is gone on with only where that is wanted."""
    folder = storage.data_folder() / "training" / wish.name
    begun, over = (folder / "plan.json").exists(), (folder / "report.json").exists()
    if begun and not over and not wish.resume:
        message = f"a training of {wish.name!r} was begun and not ended"
        raise InputInvalid(message, hint="Add --resume to go on with it, or give another name.", path=str(folder))
    if over:
        for name in ("plan.json", "report.json", "plain.json", checkpoint.FILE):
            (folder / name).unlink(missing_ok=True)
    return folder


def _identity(wish: Wish, source: Base, parts: Parts) -> str:
    """Stands for all that the losses depend on."""
    hashed = hashlib.sha256(json.dumps([source.sha256, wish.recipe.describe()], sort_keys=True).encode())
    for example in (*parts.learn, *parts.look):
        hashed.update(line_of(example))
    return hashed.hexdigest()


# --- learning ------------------------------------------------------------------------------------


def _learn(wish: Wish, source: Base, parts: Parts, folder: Path, path: Path, watch: Watch) -> tuple[Learned, int]:
    """Leaves the adapter at `path`; nothing of torch's outlives it but what it returns, which is numbers."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once; two threads that spin for each other stall
    import torch

    recipe = wish.recipe
    check_memory(needed_bytes(source.shape, recipe), probe.probe().memory_available)
    torch.set_num_threads(wish.threads or governor.threads(probe.probe(), probe.contention()).prefill)
    plain = _own_words(wish, source, folder, watch)
    watch.at("loading the model", 0.0)
    network = Network(source.path, source.shape, rank=recipe.rank, alpha=recipe.alpha, seed=recipe.seed)
    with rendering(wish.base) as render:

        def course(examples: Sequence[Example]) -> Course:
            return Course(examples, source.tokens, render, recipe.kinds, recipe.seed, recipe.tokens)

        watch.at("measuring a step", 0.0)
        own = course(parts.learn)
        held = course(parts.look).all()
        if not held:
            raise InputInvalid("the held-out examples lead to no lesson", hint="Give more examples.")
        identity = _identity(wish, source, parts)
        learning = Learning(network, own, held, recipe, folder, identity, plain=plain)
        watch.planned(learning.estimate, recipe, learning.resumed_at)
        learned = learning.run(lambda progress, share: watch.at(_told(progress), share))
    export.adapter(path, network.learned(), source.shape, alpha=recipe.alpha, name=wish.name)
    if wish.merge:
        scale = recipe.alpha / recipe.rank
        export.merged(_merged_path(path), source.path, network.learned(), source.shape, scale=scale)
    return learned, own.passed_over


def _own_words(wish: Wish, source: Base, folder: Path, watch: Watch) -> tuple[list[Pack], list[Pack]]:
    """Plain text that the model says itself, drawn before it learns; the engine is gone before torch comes."""
    if not wish.recipe.hold:
        return [], []
    with contextlib.closing(open_local(wish.base, threads=wish.threads)) as model:
        texts = keeping.own_words(
            model, folder / "plain.json", wish.recipe.seed, lambda share: watch.at("drawing plain text", share)
        )
    return keeping.packed(texts, source.tokens, max(1, wish.recipe.tokens // keeping.LOOKED))


def _told(progress: checkpoint.Progress) -> str:
    recent = progress.losses[-20:]
    loss = sum(recent) / max(1, len(recent))
    right = progress.checks[-1].right if progress.checks else 0.0
    return f"learning: loss {loss:.2f}, {right:.0%} of held-out lessons right"


# --- judging -------------------------------------------------------------------------------------


def _judged(wish: Wish, path: Path, parts: Parts, watch: Watch) -> Comparison:
    with contextlib.closing(open_local(wish.base, threads=wish.threads)) as plain:
        adapted = plain.with_adapter(str(path))
        return compare(plain, adapted, parts.judge, wish.recipe.kinds, watch.at, _trust(wish, adapted, parts, watch))


def _trust(wish: Wish, adapted: Model, parts: Parts, watch: Watch) -> Trust | None:
    """What the adapter is believed beside evidence, by requests that nothing else was found by; None for as the
    weights that ship say, where none is better, and where it is not asked beside evidence at all."""
    if not parts.weigh or not set(wish.recipe.kinds) - {"call"}:
        return None
    cases = [case_of(number, example) for number, example in enumerate(parts.weigh)]
    return learned(adapted, cases, fitted(), watch.at)


def _installed(done: Trained, wish: Wish, source: Base, watch: Watch) -> Trained:
    """In the store, with the way in which it did best."""
    pull(str(done.path), name=wish.name)
    name = f"{wish.base}+{wish.name}"
    with contextlib.closing(open_local(name, threads=wish.threads)) as model:
        try:
            profile = remember(model.original(), done.comparison, model=name)
        except OSError as error:
            profile = ""
            watch.say(f"how it is asked best cannot be remembered: {error.strerror}")
    merged = ""
    if wish.merge:
        watch.at(f"encoding the merged model to {wish.merge}", 0.0)
        record, _ = encode_as(str(_merged_path(done.path)), wish.merge, _merged_name(wish))  # type: ignore[arg-type]
        merged = record.name
        _merged_path(done.path).unlink()
    return replace(done, installed=name, profile=profile, merged=merged)


def _write_card(done: Trained, wish: Wish, source: Base, watch: Watch) -> None:
    """Whether the adapter is kept or not."""
    sizes = (len(done.parts.learn), len(done.parts.look), len(done.parts.weigh), len(done.parts.judge))
    day, stopped = datetime.date.today().isoformat(), done.learned.stopped
    making = card.Making(wish.name, wish.base, source.sha256, wish.recipe, sizes, stopped, day)
    try:
        storage.write_whole(done.card, card.card(making, done.learned.progress, done.comparison).encode())
    except OSError as error:
        watch.say(f"the card cannot be written: {error.strerror}")


def _merged_name(wish: Wish) -> str:
    return f"{wish.name}-{wish.merge}"


def _merged_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}-merged.gguf")
