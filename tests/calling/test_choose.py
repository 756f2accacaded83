"""Choosing by likelihoods that the test makes up, and by evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet import Tool
from linnet.calling import choose
from linnet.calling.choose import CANDIDATES, MARGIN, NO_TOOL, Candidate, Chooser, Chosen, gains_of, settled
from linnet.calling.ranking.ranker import Doubt, Weights, fitted
from linnet.calling.retrieve import introduce
from linnet.requests import Capabilities, Done, Event, Request, Score, Usage


class Judge:
    """Scores a request by a function of the prompt's text."""

    capabilities = Capabilities("judge", 2048)

    def __init__(self, likelihood: Callable[[str], float]) -> None:
        self.likelihood, self.asked = likelihood, list[Score]()

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Score)
        self.asked.append(request)
        text = "".join(segment.text for segment in request.prompt)  # type: ignore[union-attr]  # never messages
        scores = tuple((self.likelihood(text), 1) for _ in request.continuations)
        return iter([Done(usage=Usage(prompt_tokens=3), scores=scores)])


def indifferent() -> Judge:
    return Judge(lambda text: 0.0)


def tool(name: str, description: str = "", **required: dict[str, Any]) -> Tool:
    return Tool.from_schema(name, description, {"properties": required, "required": list(required)})


def names(chosen: Chosen) -> list[str]:
    return [made.name for made, _ in chosen.picked]


@pytest.fixture
def doubting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence never settles anything: the model is always asked."""
    weights = replace(fitted(), doubt=Doubt())
    monkeypatch.setattr(choose, "fitted", lambda: weights)


NUMBER, UNITS = {"type": "number"}, {"enum": ["miles", "feet"]}


@pytest.mark.usefixtures("doubting")
def test_the_likelier_tool_is_chosen() -> None:
    tools = [tool("first"), tool("second")]
    judge = Judge(lambda text: 30.0 if "second" in text else 0.0)
    chosen = Chooser(tools).choose(judge, "zzz")
    assert chosen.picked == ((tools[1], "zzz"),)
    assert [c.tool.name for c in chosen.ranked] == ["second", "first"]
    assert chosen.ranked[0].gain == 30 and chosen.usage == Usage(prompt_tokens=9) and chosen.asked


@pytest.mark.usefixtures("doubting")
def test_none_is_chosen_when_no_tool_explains_the_request_better() -> None:
    assert Chooser([tool("first")]).choose(Judge(lambda t: 30.0 if t == NO_TOOL else 0.0), "zzz").picked == ()
    nothing = Chooser([]).choose(indifferent(), "zzz")
    assert (nothing.picked, nothing.ranked) == ((), ())


@pytest.mark.usefixtures("doubting")
def test_the_margin_decides() -> None:
    judge, tools = indifferent(), [tool("first")]
    score = Chooser(tools).choose(judge, "zzz").ranked[0].score
    assert Chooser(tools, margin=score).choose(judge, "zzz").picked == ()
    assert names(Chooser(tools, margin=score - 1e-9).choose(judge, "zzz")) == ["first"]


def test_the_request_is_heard_untrusted_and_cut() -> None:
    judge = indifferent()
    gains_of(judge, [tool("first")], "a \n b " * 1_000)
    assert {score.continuations[0][:8] for score in judge.asked} == {" a b a b"}
    assert all(len(score.continuations[0]) <= 601 for score in judge.asked)
    assert not any(getattr(part, "trusted", True) for score in judge.asked for part in score.prompt)


@pytest.mark.parametrize("request_text", ["", "   ", "?!.", "\\ \" ' {", "明日の天気"])
def test_odd_requests_do_no_harm(request_text: str) -> None:
    assert len(Chooser([tool("first", n=NUMBER)]).choose(indifferent(), request_text).ranked) == 1


@pytest.mark.parametrize("count", [CANDIDATES + 1, 2 * CANDIDATES, 3 * CANDIDATES])
def test_the_last_of_many_tools_is_judged_when_its_words_match(count: int) -> None:
    tools = [*(tool(f"noise{i}", "Does a thing.") for i in range(count - 1)), tool("dice", "Rolls dice.")]
    chosen = Chooser(tools).choose(indifferent(), "roll the dice")
    assert len(chosen.ranked) == CANDIDATES and chosen.ranked[0].tool is tools[-1]


@pytest.mark.usefixtures("doubting")
def test_what_the_model_finds_likelier_ranks_higher() -> None:
    """A judge of no opinion leaves the words to decide, and one with a strong opinion is heard."""
    tools = [tool("dice", "Rolls dice."), tool("weather", "Gets the weather.")]
    ranked = Chooser(tools).choose(indifferent(), "roll the dice").ranked
    assert [c.tool.name for c in ranked] == ["dice", "weather"] and [c.gain for c in ranked] == [0, 0]
    strong = Judge(lambda text: 60.0 if "weather" in text else 0.0)
    assert [c.tool.name for c in Chooser(tools).choose(strong, "roll the dice").ranked] == ["weather", "dice"]


# --- what evidence settles -----------------------------------------------------------------------

NEAR = Doubt(below=1.0, above=2.0, ahead=3.0)


def odds(*far: float) -> list[Candidate]:
    """Candidates so far from the margin, and as far from each other."""
    return [Candidate(tool(f"t{number}"), MARGIN + each, each) for number, each in enumerate(far)]


@pytest.mark.parametrize(
    ("far", "several", "done"),
    [
        ((), False, True),
        ((-1.1,), False, True),
        ((-0.9,), False, False),
        ((0.0,), True, False),
        ((1.9,), False, False),
        ((2.1,), False, True),
        ((2.1, -0.9), False, True),
        ((2.1, -0.8), False, False),
        ((2.1, -0.8), True, True),
        ((-1.1, -1.2), False, True),
    ],
)
def test_what_is_settled(far: tuple[float, ...], several: bool, done: bool) -> None:
    assert settled(odds(*far), MARGIN, NEAR, several) is done
    assert settled(odds(*far), MARGIN, Doubt(), several) is (not far), "nothing, without fitted numbers"


@pytest.mark.parametrize(("words", "picked"), [("weather", ["weather"]), ("poem", [])])
def test_what_is_settled_is_not_asked(words: str, picked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Weights({}, {}, {}, {}, {}, {"names it": 9.0}, {"names it": 9.0, "bias": -4.0}, NEAR)
    monkeypatch.setattr(choose, "fitted", lambda: weights)
    judge = indifferent()
    chosen = Chooser([tool("weather"), tool("dice")]).choose(judge, f"a {words} for Rome")
    assert judge.asked == [] and not chosen.asked and chosen.usage == Usage()
    assert names(chosen) == picked and [c.gain for c in chosen.ranked] == [None, None]


def test_a_margin_moves_the_doubt_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Weights({}, {}, {}, {}, {"bias": 0.25}, {}, {"bias": 5.0}, NEAR)
    monkeypatch.setattr(choose, "fitted", lambda: weights)
    judge = indifferent()
    assert Chooser([tool("weather")]).choose(judge, "zzz").picked and not judge.asked
    assert not Chooser([tool("weather")], margin=4.0).choose(judge, "zzz").picked and len(judge.asked) == 2


# --- several tools -------------------------------------------------------------------------------

CITY = {"type": "string", "description": "The name of the city."}
SIDES = {"base": {**NUMBER, "description": "The base."}, "height": {**NUMBER, "description": "The height."}}
WEATHER = tool("get_weather", "Gets the weather forecast of a city.", city=CITY)
TRIANGLE = tool("calculate_triangle_area", "Calculates the area of a triangle.", **SIDES)
EMAIL = tool("send_email", "Sends an email.", recipient={"type": "string"})


def test_two_tools_get_their_portions_of_one_request() -> None:
    request = "Get the weather in Oslo. Then calculate the area of a triangle with a base of 3 and a height of 4."
    chosen = Chooser([EMAIL, TRIANGLE, WEATHER], margin=-99.0).choose(indifferent(), request)
    weather, triangle = request[:24], request[25:]
    assert chosen.picked == ((WEATHER, weather), (TRIANGLE, triangle)), "in the order of the request"


def test_one_tool_gets_the_whole_request() -> None:
    request = "Calculate the area of a triangle whose base is 10 and whose height is 5."
    chosen = Chooser([EMAIL, TRIANGLE, WEATHER], margin=-99.0).choose(indifferent(), request)
    assert chosen.picked == ((TRIANGLE, request),)


def test_where_the_best_is_not_good_enough_no_other_is_called() -> None:
    request = "Get the weather in Oslo. Then calculate the area of a triangle with a base of 3 and a height of 4."
    assert Chooser([TRIANGLE, WEATHER], margin=1e9).choose(indifferent(), request).picked == ()


# --- odd requests and schemas --------------------------------------------------------------------

LONG = 100_000


@pytest.mark.parametrize("piece", ["a", "7", "5 ", "Get the weather in Oslo, then ", "[", "{'a': ", "'", "\n", "1+"])
def test_a_long_request_is_chosen_for(piece: str) -> None:
    """Whoever takes quadratic time here takes minutes, and the runner's own deadline ends it."""
    request = (piece * LONG)[:LONG]
    chosen = Chooser([TRIANGLE, WEATHER], margin=-1e9).choose(indifferent(), request)
    assert len(chosen.ranked) == 2 and chosen.picked
    assert sum(len(text) for _, text in chosen.picked) >= 0.9 * len(request.strip())


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"enum": [1, 2.5, None]},
        {"enum": []},
        {"const": [1]},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}},
        {"type": "array", "items": {"type": "object", "properties": {"a": True}}},
        {"type": "array", "items": True},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": ["integer", "null"], "default": "x"},
        {"type": "null"},
    ],
    ids=str,
)
@pytest.mark.parametrize("request_text", ["", "do it 5 times, and in Oslo", '[1, {"a": 2}] 明日'])
def test_odd_schemas_do_no_harm(schema: Any, request_text: str) -> None:
    tools = [tool("do_it", "", p=schema, q=schema), Tool.from_schema("other", "", {"properties": {"p": schema}})]
    chosen = Chooser(tools, margin=-1e9).choose(indifferent(), request_text)
    assert len(chosen.ranked) == 2 and names(chosen)


def test_an_introduction_has_names_and_description() -> None:
    text = introduce(tool("mail.send_now", "Sends it.", to={"type": "string"}, copies=NUMBER))
    assert text == "Function: mail send now(to, copies)\nSends it.\nUser request:"
