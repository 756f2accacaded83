"""What a model is believed: found on what it says, kept only where that is better, asked further if it pays."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from linnet.calling.choose import MARGIN
from linnet.calling.ranking.ranker import EVIDENCE, Doubt, fitted
from linnet.calling.ranking.relevance import Suit
from linnet.errors import WorkerCrashed
from linnet.evals.fitting.asking import Judged
from linnet.evals.fitting.heard import Heard, hear
from linnet.evals.fitting.logit import Decision, Row, binary
from linnet.evals.fitting.trusting import found, learned, trust
from linnet.evals.fitting.wide import SURE, widened
from linnet.evals.harness import Case
from linnet.evals.training.asking import Listener
from linnet.requests import Event, Request
from linnet.tools import Tool, tool

BEFORE = replace(fitted(), doubt=Doubt(1.0, 0.6, 2.0))


@tool
def open_door(name: str) -> str:
    """Opens a door."""
    return name


@tool
def paint_wall(name: str) -> str:
    """Paints a wall."""
    return name


TOOLS: tuple[Tool, ...] = (open_door, paint_wall)


def case(number: int, wanted: Tool | None) -> Case:
    expected = ({"name": wanted.name, "arguments": {"name": ["x"]}},) if wanted else ()
    return Case(str(number), "any", "please do what has to be done", TOOLS, "calls" if wanted else "none", expected)


def heard(
    count: int, *, knows: float, tools: float | None = None, kind: str = "string", sure: float = 0.6, seed: int = 0
) -> list[Heard]:
    """Cases in which evidence has no idea of the tool, and is right about an argument half of the time, being `sure`
    of it. The model is right about arguments in the share `knows` of them, and about `tools`."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        wanted = draw.choice((*TOOLS, None))
        told = (
            wanted
            if draw.random() < (knows if tools is None else tools)
            else draw.choice([t for t in (*TOOLS, None) if t is not wanted])
        )
        suits = {each.name: Suit(draw.gauss(0, 0.5), draw.gauss(MARGIN, 0.4)) for each in TOOLS}
        gains = {each.name: (6.0 if each is told else -6.0) + draw.gauss(0, 1) for each in TOOLS}
        judged = Judged(kind, argument(number, sure, draw.random() < 0.5, draw.random() < knows))
        made.append(Heard(number, case(number, wanted), suits, gains, False, (judged,) if wanted else ()))
    return made


def argument(number: int, sure: float, evidence: bool, model: bool) -> Decision:
    """Two candidates, the first of which evidence takes."""
    right = [evidence, not evidence]
    says = [3.0 if mark is model else -3.0 for mark in right]
    own = (math.log(sure), math.log(1 - sure))
    return Decision(number, [{"own": o, "model": m} for o, m in zip(own, says, strict=True)], right)


def test_a_model_that_knows_is_believed_and_one_that_guesses_is_not() -> None:
    knowing = trust(heard(120, knows=0.95), BEFORE)
    assert knowing is not None
    assert knowing.right > knowing.shipped and knowing.requests == 120
    assert knowing.relevance["gain"] > BEFORE.relevance["gain"]
    guessing = trust(heard(120, knows=0.33), BEFORE)
    assert guessing is None or guessing.model["string"][1] < BEFORE.model["string"][1]


def test_what_is_no_better_held_out_stays_as_it_ships() -> None:
    """A model that knows arguments and guesses tools is believed about the former alone."""
    told = trust(heard(120, knows=0.95, tools=0.33, sure=0.9), BEFORE)
    assert told is not None and told.sure["string"] > 0.9
    assert told.model["tool"] == BEFORE.model["tool"] and told.relevance == BEFORE.relevance
    assert (told.below, told.above, told.ahead) == (1.0, 0.6, 2.0) and told.right > told.shipped


def test_few_requests_change_little() -> None:
    some = heard(16, knows=0.9)
    few, many = (found(some * times, BEFORE) for times in (1, 10))
    for kind in ("string", "tool"):
        moved = [math.dist(w.model[kind], BEFORE.model[kind]) for w in (few, many)]
        assert 0 < moved[0] < moved[1], kind
    assert found(heard(6, knows=0.95), BEFORE).model == dict(BEFORE.model), "under the fewest nothing is changed"


def test_asking_goes_further_where_that_pays_and_no_further_where_not() -> None:
    """What evidence is 0.85 sure of, and is wrong about as often as not, is asked of a model that knows."""
    further = found(heard(120, knows=0.97, sure=0.85), BEFORE)
    assert further.doubt.sure["string"] >= 0.9
    near = found(heard(120, knows=0.5, sure=0.85), BEFORE)
    assert near.doubt.sure.get("string", 0.8) == 0.8
    options = found(heard(120, knows=0.97, kind="options"), BEFORE)
    assert (
        options.model["options"][1] > 0
        and "options" not in found(heard(120, knows=0.5, kind="options"), BEFORE).model
    )


@pytest.mark.parametrize("knows", [True, False])
def test_a_model_that_knows_when_there_is_no_value_is_believed_about_that_too(knows: bool) -> None:
    draw = random.Random(3)
    made = []
    for each in heard(120, knows=0.9):
        gone = draw.random() < 0.5
        says = (4.0 if gone else -4.0) if knows else draw.gauss(0, 4)
        out = {"own": math.log(0.3), "absent": says}
        judged = [
            Judged(
                one.type,
                replace(
                    one.decision,
                    options=[*one.decision.options, out],
                    right=[*(right and not gone for right in one.decision.right), gone],
                ),
            )
            for one in each.judged
        ]
        made.append(replace(each, judged=tuple(judged)))
    assert (found(made, BEFORE).model["string"].absent > 0.15) == knows


def test_the_reach_about_tools_is_bounded() -> None:
    far = [
        replace(h, suits={n: Suit(8 * s.fit, s.odds + 1.0) for n, s in h.suits.items()})
        for h in heard(90, knows=0.95)
    ]
    doubt, wide = found(far, BEFORE).doubt, widened(BEFORE).doubt
    assert doubt.above > BEFORE.doubt.above or doubt.ahead > BEFORE.doubt.ahead
    assert (doubt.below, doubt.above, doubt.ahead) <= (wide.below, wide.above, wide.ahead)


def test_log_odds_are_pulled_to_those_given() -> None:
    rows = [Row(n, {"gain": float(n % 2)}, bool(n % 2)) for n in range(40)]
    start = {"gain": 0.5, "bias": -1.0, "kept": 0.25}
    weak, strong = (binary(rows, ridge, start=start) for ridge in (1e-3, 1e3))
    assert weak["gain"] > 3 and strong["gain"] == pytest.approx(0.5, abs=0.01)
    assert weak["kept"] == strong["kept"] == 0.25, "what no row has is kept"
    assert binary([], 1.0, start=start) == start


def test_widened_asks_about_every_type_and_believes_no_more() -> None:
    wide = widened(BEFORE)
    assert wide.model["options"] == EVIDENCE and wide.model["string"] == BEFORE.model["string"]
    assert set(wide.doubt.sure.values()) == {SURE} and wide.doubt.below == 2 * BEFORE.doubt.below


def test_cases_are_heard_with_the_prompts_of_use() -> None:
    listener = Listener()
    told = hear(listener, 0, case(0, open_door), BEFORE)
    assert told is not None and set(told.suits) == {"open_door", "paint_wall"} and listener.asked
    assert hear(listener, 0, Case("1", "any", "hi", ()), BEFORE) is None, "without tools there is nothing to be asked"


def test_a_model_that_says_nothing_gets_no_trust() -> None:
    said: list[str] = []
    cases: Sequence[Case] = [case(n, (open_door, paint_wall, None)[n % 3]) for n in range(12)]
    assert learned(Listener(), cases, BEFORE, lambda what, share: said.append(what)) is None
    assert len(said) == 12


class Broken(Listener):
    def stream(self, request: Request) -> Iterator[Event]:
        raise WorkerCrashed("it is gone")


def test_a_request_that_fails_is_left_out() -> None:
    assert learned(Broken(), [case(0, open_door), case(1, None)], BEFORE, lambda what, share: None) is None
