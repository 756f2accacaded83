"""What parts of the general adapter's recipe are worth: short courses side by side, each without one of them.

    python benchmarks/recipes.py --minutes 20 --out runs --arm full --arm "no near misses" --arm "rank 4"
    python benchmarks/recipes.py --out runs --course general=FOLDER --picture docs/pictures/training.png

An arm is the recipe `general.toml` in which one thing is otherwise: without near misses, slips or what stands around
a wish, with fewer tools, another rank, or not held to plain text. All arms are looked at by the same held-out
examples, made up with everything in them over tools of another seed: none has seen any of them. An arm that was
begun in this folder is gone on with; one that is over is not made again. Needs the extras `train`, and `bench` for
the picture.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from linnet.evals.statistics import wilson
from linnet.evals.training import checkpoint, keeping
from linnet.evals.training.asking import Render
from linnet.evals.training.base import Base, rendering
from linnet.evals.training.checkpoint import Check
from linnet.evals.training.course import Course
from linnet.evals.training.example import Example
from linnet.evals.training.learning import Learning
from linnet.evals.training.network import Network
from linnet.evals.training.pack import Pack
from linnet.evals.training.plan import Recipe
from linnet.evals.training.recipe import making_of
from linnet.evals.training.synthesis import mixture, synthesise
from linnet.evals.training.tokens import Tokens
from linnet.runtime.local import open_local

GENERAL = Path(checkpoint.__file__).with_name("data") / "general.toml"
HELD_SEED, HELD_TOOLS, HELD = 77, 400, 120


@dataclass(frozen=True)
class Arm:
    """What is otherwise: parts of the requests left out, how many tools are made up, values of the recipe."""

    without: tuple[str, ...] = ()
    made: int = 0
    changed: tuple[tuple[str, Any], ...] = ()


ARMS = {
    "full": Arm(),
    "no near misses": Arm(without=("near",)),
    "no slips": Arm(without=("typos",)),
    "nothing around": Arm(without=("context",)),
    "100 tools": Arm(made=100),
    "rank 4": Arm(changed=(("rank", 4), ("alpha", 8.0))),
    "rank 32": Arm(changed=(("rank", 32), ("alpha", 64.0))),
    "not held": Arm(changed=(("hold", 0.0),)),
    "with write": Arm(changed=(("kinds", ("choose", "fill", "write")),)),
}


def examples(arm: Arm, made: int, seed: int, count: int) -> list[Example]:
    recipe = mixture.Recipe.without(arm.without)
    return list(synthesise.general(seed, arm.made or made, recipe).examples(count))


def learned(name: str, recipe: Recipe, made: int, folder: Path) -> list[Check]:
    """How the course of an arm went, in looks at the held-out examples."""
    import torch

    arm, base = ARMS[name], "smollm2-135m"
    recipe = replace(recipe, **dict(arm.changed))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    source = Base.of(base)
    with rendering(base) as render:
        own = Course(examples(arm, made, 1, 8_000), source.tokens, render, recipe.kinds, recipe.seed, recipe.tokens)
        held = _held(source.tokens, render)
        network = Network(source.path, source.shape, rank=recipe.rank, alpha=recipe.alpha, seed=recipe.seed)
        plain = keeping.packed(_plain(base, folder.parent), source.tokens, recipe.tokens // keeping.LOOKED)
        identity = json.dumps([name, recipe.describe(), made])
        course = Learning(network, own, held, recipe, folder, identity, plain=plain)
        return list(course.run().progress.checks)


def _held(tokens: Tokens, render: Render) -> list[Pack]:
    """The same for all arms."""
    made = examples(Arm(), HELD_TOOLS, HELD_SEED, HELD)
    return Course(made, tokens, render, ("choose", "fill"), 0, 1_024).all()


def _plain(base: str, folder: Path) -> list[str]:
    with contextlib.closing(open_local(base)) as model:
        return keeping.own_words(model, folder / "plain.json", 0)


def table(courses: dict[str, Sequence[Check]], lessons: int) -> Iterable[str]:
    """The last look of each: shares with their 95 % intervals."""
    yield "| arm | steps | tokens of text | right before | right after | choose | fill | nats | plain text moved by |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, checks in courses.items():
        first, last = checks[0], checks[-1]
        low, high = wilson(round(last.right * lessons), lessons)
        kinds = " | ".join(f"{last.kinds.get(kind, 0):.0%}" for kind in ("choose", "fill"))
        right = f"{first.right:.0%} | {last.right:.0%} ({low:.0%}-{high:.0%})"
        size = f"{last.step:,} | {last.spelled:,}"
        yield f"| {name} | {size} | {right} | {kinds} | {last.nats:.2f} | {last.drift:.3f} |"


def draw(courses: dict[str, Sequence[Check]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    for name, checks in courses.items():
        tokens = [check.spelled / 1e3 for check in checks]
        left.plot(tokens, [100 * check.right for check in checks], "o-", markersize=3, label=name)
        right.plot(tokens, [check.drift for check in checks], "o-", markersize=3, label=name)
    left.set(xlabel="thousand tokens of text learned from", ylabel="held-out decisions right (%)")
    right.set(xlabel="thousand tokens of text learned from", ylabel="moved on plain text (nats a token)")
    left.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="of each arm")
    parser.add_argument("--steps", type=int, help="of each arm, in place of minutes")
    parser.add_argument("--arm", action="append", choices=list(ARMS), default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--course", action="append", default=[], metavar="NAME=FOLDER", help="a training to draw too")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    making = making_of(GENERAL, {})
    recipe = replace(making.recipe, minutes=given.minutes, steps=given.steps)
    for name in given.arm:
        folder = given.out / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "checks.json").exists():
            checks = learned(name, recipe, making.made, folder)
            (folder / "checks.json").write_text(json.dumps([name, [asdict(check) for check in checks]]))
    told = [json.loads(path.read_text()) for path in sorted(given.out.glob("*/checks.json"))]
    courses: dict[str, Sequence[Check]] = {name: [Check(**each) for each in checks] for name, checks in told}
    print("\n".join(table(courses, _lessons())), flush=True)
    for name, _, folder in (each.partition("=") for each in given.course):
        found = checkpoint.load(Path(folder))
        if found is not None:
            courses[name] = found[0].checks
    if given.picture:
        draw(courses, given.picture)


def _lessons() -> int:
    """How many held-out lessons there are, for the intervals."""
    source = Base.of("smollm2-135m")
    with rendering("smollm2-135m") as render:
        return sum(len(pack.lessons) for pack in _held(source.tokens, render))


if __name__ == "__main__":
    main()
