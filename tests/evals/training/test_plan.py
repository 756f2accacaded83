"""Numbers of a training, its recipe in a file, and when an adapter is better: no model."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from linnet.calling.profile import Way
from linnet.calling.ranking.ranker import Belief, fitted
from linnet.calling.trust import Trust
from linnet.errors import InputInvalid, OutOfMemory
from linnet.evals.harness import Case, Outcome
from linnet.evals.training import card, checkpoint, train
from linnet.evals.training.course import SETS, Course, split
from linnet.evals.training.example import Example
from linnet.evals.training.held_out import Comparison, Side, case_of
from linnet.evals.training.lesson import Lesson
from linnet.evals.training.plan import Pace, Recipe, check_memory, estimate, needed_bytes
from linnet.evals.training.recipe import making_of
from linnet.evals.training.tokens import Spelled
from linnet.evals.training.weights import Shape
from linnet.limits import LIMITS
from linnet.messages import ToolCall, ToolSpec

SMOLLM = Shape(30, 576, 1536, 9, 3, 49152, 8192, 1e5, 1e-5, True)


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    recipe = Recipe(rate=1.0, warm=0.1)
    rates = [recipe.rate_at(share / 100) for share in range(101)]
    assert rates[0] == 0.0 and rates[5] == 0.5 and rates[10] == max(rates) == 1.0 and rates[-1] == 0.0
    assert rates[55] == pytest.approx(0.5)
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert Recipe(rate=1.0, warm=0.0).rate_at(0.0) == 1.0


def test_a_step_measured_in_a_noisy_moment_plans_nothing_wrong() -> None:
    """Ten times too slow or too quick at the start: rates, looks and the end follow the clock all the same."""
    for measured in (0.4, 4.0, 40.0):
        pace = Pace(Recipe(minutes=10), estimate(Recipe(minutes=10), measured, 9.0, 700.0, 1400.0, 1))
        assert pace.share(75, 300.0) == pytest.approx(0.5, abs=0.04)
        assert not pace.over(10_000, 599.0) and pace.over(1, 600.0)
        assert not pace.looks(7, 189.0, 100.0, 10.0) and pace.looks(7, 190.0, 100.0, 10.0)


def test_given_steps_are_what_a_course_goes_by() -> None:
    recipe = Recipe(steps=40)
    pace = Pace(recipe, estimate(recipe, 4.0, 9.0, 700.0, 1400.0, 1))
    assert [pace.share(step, 1e9) for step in (0, 20, 39)] == [0.0125, 0.5125, 0.9875]
    assert pace.over(40, 0.0) and not pace.over(39, 1e9)
    every = pace.estimate.check_every
    assert pace.looks(every, 0.0, 0.0, 1e9) and not pace.looks(every + 1, 1e9, 0.0, 0.0)


def test_the_time_is_shared_between_steps_and_looks() -> None:
    found = estimate(Recipe(minutes=10), 2.0, 9.0, 700.0, 1400.0, 1)
    assert found.check_every * found.step_seconds >= 9 * found.check_seconds
    assert 570 < found.seconds <= 600
    assert found.describe()["spelled_per_second"] == 700.0
    assert estimate(Recipe(steps=7), 2.0, 9.0, 700.0, 1400.0, 1).steps == 7
    assert estimate(Recipe(minutes=0.01), 60.0, 600.0, 7.0, 7.0, 1).steps == 1


def test_memory_is_refused_before_anything_is_loaded() -> None:
    needed = needed_bytes(SMOLLM, Recipe())
    assert 1.2e9 < needed < 3e9, "about what was measured: docs/training.md"
    check_memory(needed, needed)
    check_memory(needed, None)
    with pytest.raises(OutOfMemory):
        check_memory(needed, needed - 1)


# --- recipes -------------------------------------------------------------------------------------


def test_options_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('name = "home"\nmade = 9\n[recipe]\nseed = 3\nminutes = 5\n')
    found = making_of(file, {"minutes": 7.0, "base": "default"})
    assert (found.name, found.base, found.made) == ("home", "default", 9)
    assert (found.recipe.seed, found.recipe.minutes, found.recipe.rank) == (3, 7.0, Recipe().rank)
    assert making_of(None, {}).named(["my tools.py"], None) == "my-tools"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nmae = 'x'", "nmae"),
        ("[recipe]\nminuets = 3", "minuets"),
        ("[recipe]\nkinds = ['guess']", "kinds"),
        ("recipe = 3", "not a table"),
        ("a = ", "no TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "r.toml"
    file.write_text(text)
    with pytest.raises(InputInvalid, match=told):
        making_of(file, {})


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("rank", LIMITS.training_rank),
        ("minutes", LIMITS.training_minutes),
        ("tokens", LIMITS.training_step_tokens),
    ],
)
def test_a_recipe_at_its_limits_and_one_past(name: str, most: int) -> None:
    assert getattr(making_of(None, {name: most}).recipe, name) == most
    for wrong in (most + 1, 0):
        with pytest.raises(InputInvalid, match=name):
            making_of(None, {name: wrong})


def test_one_example_less_than_can_be_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra there or not: what is missing of it is another error."""
    monkeypatch.setattr(train, "NEEDED", ())
    wish = train.Wish("a-name-that-nobody-has")
    train._check_wish(wish, LIMITS.training_fewest_examples)
    with pytest.raises(InputInvalid, match="too few"):
        train._check_wish(wish, LIMITS.training_fewest_examples - 1)


class _Long:
    """In place of a vocabulary: every text has this many tokens."""

    def __init__(self, length: int) -> None:
        self._length = length

    def spelled(self, lesson: Lesson) -> list[Spelled]:
        ids = tuple(range(self._length))
        return [Spelled(ids, (self._length - 1,), (True,)) for _ in lesson.prompts]


@pytest.mark.parametrize("over", [0, 1])
def test_a_lesson_of_the_longest_text_and_one_token_more(over: int) -> None:
    length = LIMITS.training_lesson_tokens + over
    doubtful = Example((PAINT,), "Who set the wall red, 7 times?")
    course = Course([doubtful], _Long(length), None, ("choose",), 0, 1_024)  # type: ignore[arg-type]
    assert len(course.all()) == 1 - over
    assert course.passed_over == over


def test_the_general_recipe_can_be_read() -> None:
    import linnet.evals.training

    path = Path(linnet.evals.training.__file__).with_name("data") / "general.toml"
    found = making_of(path, {})
    assert found.name == "general" and found.made > 2_000 and found.examples >= 5_000


# --- parts and judgement -------------------------------------------------------------------------

PAINT = ToolSpec(
    "paint",
    "Paint a wall.",
    {
        "type": "object",
        "properties": {"colour": {"type": "string"}, "coats": {"type": "integer", "default": 2}},
        "required": ["colour"],
    },
)


def test_no_request_is_in_two_parts() -> None:
    examples = [Example((PAINT,), f"paint it {n % 70}") for n in range(140)]
    parts = split(examples, 1)
    assert not parts.weigh
    weighed = split(examples, 1, weigh=5)
    assert len(weighed.weigh) == 10 and (weighed.look, weighed.judge) == (parts.look, parts.judge)
    for cut in (parts, weighed):
        sides = [{e.request for e in part} for part in vars(cut).values()]
        assert sum(map(len, sides)) == len(set().union(*sides)) == 70
        assert sum(len(part) for part in vars(cut).values()) == 140
    assert split(examples, 1) == parts != split(examples, 2)
    assert len(split(examples, 1, judge=3).judge) == 6, "a request that is there twice is held out twice"


def test_of_many_sets_of_tools_some_are_held_out_whole() -> None:
    tools = [ToolSpec(f"paint_{n}", "Paint.", PAINT.parameters) for n in range(SETS)]
    examples = [Example((tool,), f"paint {n} please, {tool.name}") for tool in tools for n in range(6)]
    examples += [Example((tools[n],), "paint it") for n in (0, 50, 99)]
    parts = vars(split(examples, 1, look=20, judge=20, weigh=20))
    sides = [{e.tools[0].name for e in part} for part in parts.values()]
    assert sum(map(len, sides)) == len(set().union(*sides)) == SETS
    asked = [{e.request for e in part} for part in parts.values()]
    assert sum(map(len, asked)) == len(set().union(*asked)) == 6 * SETS + 1
    assert all(20 <= len(parts[name]) <= 26 for name in ("look", "judge", "weigh"))


def test_a_set_that_most_is_about_is_learned_of_all_the_same() -> None:
    """One's own tools beside many others': what is held out of them is held out by request."""
    others = [ToolSpec(f"paint_{n}", "Paint.", PAINT.parameters) for n in range(120)]
    examples = [Example((tool,), f"paint {n} please, {tool.name}") for tool in others for n in range(3)]
    examples += [Example((PAINT,), f"mine {n}") for n in range(4_000)]
    for seed in range(4):
        parts = split(examples, seed, look=48, judge=60, weigh=160)
        assert len(parts.learn) > 4_000 and all(len(part) < 170 for part in (parts.look, parts.judge, parts.weigh))


def test_a_default_that_is_said_is_right_as_well() -> None:
    case = case_of(0, Example((PAINT,), "paint it red", (ToolCall("paint", {"colour": "red"}),)))
    assert case.expected == ({"name": "paint", "arguments": {"colour": ["red"], "coats": [2, ""]}},)
    assert case_of(0, Example((PAINT,), "hello")).want == "none"


def side(calls: str, none: str = "") -> Side:
    """`1` for a request that came out right, `0` for one that did not."""
    marks = [("calls", mark) for mark in calls] + [("none", mark) for mark in none]
    cases = [(Case(str(n), want, want=want), mark) for n, (want, mark) in enumerate(marks)]  # type: ignore[arg-type]
    return Side(Way(), tuple(Outcome(case, (), "" if mark == "1" else "wrong", 0.1) for case, mark in cases))


def test_an_adapter_must_be_better_and_keep_from_calling() -> None:
    assert Comparison((side("1100"),), (side("1110"),)).why_not == ""
    assert "right on 2 of 4" in Comparison((side("1100"),), (side("0011"),)).why_not
    lost = Comparison((side("0000", "11"),), (side("1111", "10"),))
    assert "keeps from calling on 1 of 2" in lost.why_not
    assert 0 < lost.p < 1 and lost.describe()["after"][0]["right"] == 5


def test_a_card_says_where_it_got_worse() -> None:
    recipe = Recipe(minutes=3, seed=7, kinds=("choose", "fill"))
    making = card.Making("home", "smollm2-135m", "ab" * 32, recipe, (900, 48, 70, 6), "time", "2026-11-28")
    first = checkpoint.Check(0, 0.5, 2.0, {"choose": 0.5, "fill": 0.5}, 0, 0.0)
    last = checkpoint.Check(40, 0.75, 0.5, {"choose": 0.7, "fill": 0.8}, 50_000, 170.0)
    progress = checkpoint.Progress(40, 300, 180.0, 51_234, (1.0,) * 40, (first, last), 1)
    page = card.card(making, progress, Comparison((side("1100", "11"),), (side("1111", "10"),)))
    assert "| 40 | 50,000 | 75% | 70% | 80% | 0.50 |" in page
    assert "| calls | 2 of 4 (15% to 85%) | 4 of 4 (51% to 100%) |" in page
    assert "Where it got worse: none." in page, "the requests that want no call"
    assert "51,234" in page and "seed | 7" in page and "ended for: time" in page and "ab" * 32 in page
    better = card.card(making, progress, Comparison((side("10"),), (side("11"),)))
    assert "in none of these kinds" in better and "As the weights that ship" in better


def test_a_card_says_what_its_own_weights_change() -> None:
    making = card.Making("home", "smollm2-135m", "ab" * 32, Recipe(), (900, 48, 70, 6), "time", "2026-11-28")
    model = {**fitted().model, "options": Belief(1.0, 0.4)}
    trust = replace(Trust.of(replace(fitted(), model=model)), requests=70, decisions=200, right=150, shipped=130)
    page = card.card(making, checkpoint.Progress(), Comparison((side("10"),), (side("11"),), trust))
    assert "found on 70 requests" in page and "200 decisions 150 come out right with them, 130 with" in page
    assert "| options: evidence, model, absent | - | 1, 0.4, 0 |" in page and "string: evidence" not in page
