"""How good fitted weights are on cases that they have not seen: cross-validation over whole cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from linnet.calling import choose
from linnet.calling.evidence.parameters import nested, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import OMITTED
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Weights, weigh, weighing
from linnet.calling.ranking.several import drafts
from linnet.calling.ranking.sheet import Sheet
from linnet.evals.fitting.choosing import asked, best, judged
from linnet.evals.fitting.decisions import looked_at
from linnet.evals.fitting.fit import Fitting, parts
from linnet.evals.fitting.logit import Mask, Score, auc
from linnet.evals.harness import Case, Outcome, by_category, fault_of, run
from linnet.messages import ToolCall
from linnet.requests import Model
from linnet.tools import Tool


@dataclass(frozen=True)
class Validation:
    """What came of each part when the others were fitted on. `tools`, `relevance` and `evident` are pairs of a score
    and whether it should be high, one for each tool that may be meant and for each case; `outcomes` are those of
    the whole way from request to calls."""

    arguments: list[Score] = field(default_factory=list)
    counts: list[Score] = field(default_factory=list)
    tools: list[tuple[float, bool]] = field(default_factory=list)
    relevance: list[tuple[float, bool]] = field(default_factory=list)
    evident: list[tuple[float, bool]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def validate(fitting: Fitting, folds: int, model: Model | None, tell: Callable[[str], None]) -> Validation:
    """Every case once, with weights fitted on the other folds. Without a model, calls are made from evidence
    alone, in the cases that expect some: whether one is wanted at all takes the model to tell."""
    part = parts(len(fitting.cases), folds)
    found = Validation()
    for own in range(folds):
        weights = fitting.weights(part != own)
        tell(f"fold {own + 1} of {folds} is fitted")
        _hold(fitting, part == own, weights, found)
        cases = [case for case, mine in zip(fitting.cases, part == own, strict=True) if mine]
        found.outcomes.extend(_answered(cases, model, weights))
        tell(f"fold {own + 1} of {folds} is judged")
    return found


def _hold(fitting: Fitting, out: Mask, weights: Weights, found: Validation) -> None:
    """Each section by itself against cases that were held out."""
    found.arguments.append(fitting.arguments.score(out, weights.features))
    found.counts.append(fitting.counts(out, weights).score(out, weights.counts))
    found.tools.extend((weigh(row.features, weights.tools), row.right) for row in fitting.tools if out[row.case])
    for number, tools in fitting.suits(out, weights).items():
        case, suits = fitting.cases[number], judged(tools, weights)
        found.evident.append((best(suits).odds, case.needs_call))
        if gains := fitting.gains.get(number):
            found.relevance.append((best(asked(case, suits, gains, weights)).odds, case.needs_call))


def _answered(cases: Sequence[Case], model: Model | None, weights: Weights) -> Iterator[Outcome]:
    if model is None:
        yield from (_from_evidence(case, weights) for case in cases if case.expected)
        return
    with weighing(weights):
        yield from (run(model, case) for case in cases)


# --- without the model ---------------------------------------------------------------------------


def _from_evidence(case: Case, weights: Weights) -> Outcome:
    calls = [{"name": c.name, "arguments": c.arguments} for c in evidence(case.tools, case.request, weights)]
    return Outcome(case, tuple(calls), fault_of(case, calls), 0.0, how="rule" if calls else "abstained")


def evidence(tools: Sequence[Tool], request: str, weights: Weights) -> Iterator[ToolCall]:
    """The calls that evidence alone makes of a request that wants some."""
    found = looked_at(tools, request)
    portions = Portions(found, Reading(request))
    odds = portions.meant(weights.tools)
    also = [number for number, log_odds in enumerate(odds) if log_odds > choose.ALSO]
    for number, text in portions.deal(also or [odds.index(max(odds))]).items() if found else ():
        yield from evidence_of(found[number], text, request, weights)


def evidence_of(tool: Tool, text: str, request: str, weights: Weights) -> Iterator[ToolCall]:
    """The calls of one tool that evidence makes of its portion of a request."""
    sheet = Sheet(tool, parameters(tool), Reading(text), weights, Reading(request))
    for draft in drafts(sheet):
        values = {p.path: c.value for p, c in draft.taken().items() if c.value is not OMITTED}
        yield ToolCall(tool.name, nested(values), how="rule")


# --- in words ------------------------------------------------------------------------------------


def report(found: Validation) -> Iterator[str]:
    """Lines of text."""
    yield _scored("arguments", found.arguments, "parameters have a right value as their best")
    yield _scored("counts", found.counts, "texts have the right number of calls as their best")
    for name, pairs in (("tools", found.tools), ("evident", found.evident), ("relevance", found.relevance)):
        if pairs:
            scores, right = zip(*pairs, strict=True)
            yield f"{name:10} AUC {auc(scores, right):.3f} on {len(pairs)}"
    yield f"\n{'category':20} {'right':>9} {'share':>6} {'95 %':>12} {'names':>6} {'refused':>8}"
    for category, numbers in by_category(sorted(found.outcomes, key=lambda o: o.case.category)).items():
        if numbers["of"]:
            low, high = numbers["interval"]
            whole = f"{numbers['right']}/{numbers['of']}"
            shares = f"{_percent(numbers['named']):>6} {_percent(numbers['refused']):>8}"
            yield f"{category:20} {whole:>9} {numbers['share']:6.1%} {f'{low:.1%}-{high:.1%}':>12} {shares}"


def _scored(name: str, scores: Sequence[Score], what: str) -> str:
    whole = sum(scores, Score())
    nats, share = whole.log_likelihood / max(1, whole.told), whole.best / max(1, whole.of)
    return f"{name:10} log-likelihood {nats:.3f} nats; {share:.1%} of {whole.of} {what}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
