"""An adapter's card: what it was made of, how it learned, and what it is worth beside the model without it.

A page of Markdown, kept beside the adapter. It has no opinion: where an adapter made things worse, it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.ranking.ranker import fitted
from linnet.calling.trust import Trust
from linnet.evals.harness import Outcome
from linnet.evals.statistics import wilson
from linnet.evals.training.checkpoint import Check, Progress
from linnet.evals.training.held_out import Comparison, Side
from linnet.evals.training.plan import Recipe


@dataclass(frozen=True)
class Making:
    """What an adapter was made of: `base` is the model by name, `sha256` that of its file; `examples` how many were
    learned from, looked at meanwhile, weighed by and judged by; `stopped` why it ended."""

    name: str
    base: str
    sha256: str
    recipe: Recipe
    examples: tuple[int, int, int, int]
    stopped: str
    day: str


def card(making: Making, progress: Progress, found: Comparison) -> str:
    """The whole page."""
    return (
        "\n".join((*_head(making, progress), *_course(progress.checks), *_trusted(found.trust), *_worth(found)))
        + "\n"
    )


def _head(making: Making, progress: Progress) -> Iterator[str]:
    recipe, (learned, looked, weighed, judged) = making.recipe, making.examples
    yield f"# {making.name}: an adapter of {making.base}\n"
    yield f"Made on {making.day} by `linnet train`. It changes that model and no other: {making.sha256}.\n"
    yield "| recipe | |\n|---|---|"
    yield f"| lessons | {', '.join(recipe.kinds)} |"
    yield f"| seed | {recipe.seed} |"
    yield f"| rank, alpha | {recipe.rank}, {recipe.alpha:g} |"
    yield f"| highest learning rate | {recipe.rate:g} |"
    yield f"| held to its own words by | {recipe.hold:g} |"
    yield f"| time | {progress.seconds / 60:.0f} minutes, {progress.step:,} steps; it ended for: {making.stopped} |"
    yield f"| tokens of text | {progress.spelled:,} |"
    held = f"{looked} to look at, {weighed} to weigh by, {judged} to judge by"
    yield f"| examples | {learned:,} to learn from, {held} |"


def _course(checks: Sequence[Check]) -> Iterator[str]:
    """How it went on held-out lessons: decisions as the model is asked for them, before evidence is counted in; and
    how far it moved on plain text, in nats a token."""
    kinds = sorted({kind for check in checks for kind in check.kinds})
    yield "\n## Held-out lessons, while it learned\n"
    told = "".join(f"{kind} | " for kind in kinds)
    yield f"| step | tokens of text | right | {told}nats from certain | moved on plain text |"
    yield f"|{'---|' * (5 + len(kinds))}"
    for check in checks:
        shares = "".join(f"{check.kinds[kind]:.0%} | " if kind in check.kinds else "- | " for kind in kinds)
        told = f"| {check.step:,} | {check.spelled:,} | {check.right:.0%} | "
        yield f"{told}{shares}{check.nats:.2f} | {check.drift:.3f} |"


def _trusted(trust: Trust | None) -> Iterator[str]:
    """What the adapter is believed beside evidence, where that is other than what ships."""
    yield "\n## What it is believed beside evidence\n"
    if trust is None:
        yield "As the weights that ship with Linnet say: none that were found on held-out requests did better."
        return
    yield f"Its own weights, found on {trust.requests} requests that nothing else was found by. Held out in parts, of"
    yield f"{trust.decisions} decisions {trust.right} come out right with them, {trust.shipped} with those that ship."
    yield "\n| | as shipped | its own |\n|---|---|---|"
    for name, (shipped, own) in trust.changes(fitted()).items():
        yield f"| {name} | {_number(shipped)} | {_number(own)} |"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return ", ".join(f"{each:g}" for each in value) if isinstance(value, list) else f"{value:g}"


def _worth(found: Comparison) -> Iterator[str]:
    before, after = found.before[0], found.after[0]
    yield "\n## Held-out requests through the engine, evidence included\n"
    yield f"Asked {before.way} without the adapter and {after.way} with it; right of all, with the 95 % interval.\n"
    yield "| requests | without | with |\n|---|---|---|"
    yield f"| all | {_share(before.outcomes)} | {_share(after.outcomes)} |"
    kinds = sorted({outcome.case.category for outcome in before.outcomes})
    for kind in kinds:
        yield f"| {kind} | {_share(_of(before, kind))} | {_share(_of(after, kind))} |"
    yield f"\nMcNemar's p of both being equally good: {found.p:.2g}."
    worse = [kind for kind in kinds if _right(_of(after, kind)) < _right(_of(before, kind))]
    yield f"Where it got worse: {', '.join(worse) or 'in none of these kinds'}."


def _of(side: Side, kind: str) -> list[Outcome]:
    return [outcome for outcome in side.outcomes if outcome.case.category == kind]


def _right(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.right for outcome in outcomes)


def _share(outcomes: Sequence[Outcome]) -> str:
    low, high = wilson(_right(outcomes), len(outcomes))
    return f"{_right(outcomes)} of {len(outcomes)} ({low:.0%} to {high:.0%})"
