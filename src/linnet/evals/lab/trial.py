"""A run of the lab: every case by every variant, what is in the journal already left out.

Hides the order: model after model, each opened once and only if it is asked anything; within a model case by case and
there all its variants in turns, the first one another each time, so that what disturbs the machine, and what is kept
of a prompt, falls on all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from linnet.evals.lab.answer import Outcome, ask, judged
from linnet.evals.lab.journal import Journal, key_of
from linnet.evals.lab.plan import Case, Plan, Variant
from linnet.models import naming, store
from linnet.requests import Model

Open = Callable[[str], AbstractContextManager[Model]]


@dataclass(frozen=True)
class _Trial:
    variant: Variant
    case: Case
    key: str


def trials(plan: Plan, journal: Journal, opened: Open, loaded: str = "") -> Iterator[Outcome]:
    """Outcomes as they come about: first those of the journal, then those that are asked. `loaded` says how models
    are opened, as far as their answers depend on it. Raises what opening a model raises, and StorageFull; a Ctrl-C
    leaves the journal as far as it came."""
    for model in plan.models:
        todo: list[_Trial] = []
        for trial in _in_turns(plan, model, loaded):
            if (answer := journal.get(trial.key)) is not None:
                yield judged(trial.variant, trial.case, answer, plan.tools, kept=True)
            else:
                todo.append(trial)
        if todo:
            with opened(model) as asked:
                for trial in todo:
                    yield _tried(asked, trial, plan, journal)


def _tried(model: Model, trial: _Trial, plan: Plan, journal: Journal) -> Outcome:
    answer = ask(model, trial.variant, trial.case, plan.tools)
    outcome = judged(trial.variant, trial.case, answer, plan.tools)
    journal.add(trial.key, outcome)
    return outcome


def _in_turns(plan: Plan, model: str, loaded: str) -> Iterator[_Trial]:
    variants, file = plan.of(model), f"{identity(model)} {loaded}"
    for place, case in enumerate(plan.cases):
        first = place % len(variants)
        for variant in (*variants[first:], *variants[:first]):
            yield _Trial(variant, case, key_of(variant, case, plan.tools, file))


def identity(model: str) -> str:
    """What stands for the file of a model: the hash that it is known by, else its size and its time. Raises as
    `store.locate` does."""
    name, adapter = naming.split_adapter(model)
    found = store.locate(name)
    parts = [found.sha256 or _stamp(found)]
    if adapter:
        beside = store.locate_adapter(adapter)
        parts.append(beside.sha256 or _stamp(beside))
    return "+".join(parts)


def _stamp(located: store.Located) -> str:
    try:
        seen = located.path.stat()
    except OSError:
        return "absent"  # opening it says what is wrong
    return f"{seen.st_size}.{seen.st_mtime_ns}"
