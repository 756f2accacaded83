"""Words around values: frames, clauses, slips; the values stay what they are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.evals.training.synthesis import marked, several
from linnet.evals.training.synthesis.catalogue import acts, slots
from linnet.evals.training.synthesis.phrasings import Wish, clause, framed, frames, gerund, worded
from linnet.evals.training.synthesis.pools import Said
from linnet.evals.training.synthesis.surroundings import filled, surrounded
from linnet.evals.training.synthesis.toolmaking import Skill, make
from linnet.evals.training.synthesis.typos import slipped
from linnet.evals.training.synthesis.wishing import varied, wish

SEEDS = st.integers(0, 10**9)


def skill(name: str, seed: int = 1) -> Skill:
    return make(next(act for act in acts() if act.name == name), random.Random(seed))


@given(SEEDS, st.sampled_from(acts()))
@settings(deadline=None, max_examples=150)
def test_every_value_of_a_wish_is_said_once_it_is_worded(seed: int, act: object) -> None:
    draw = random.Random(seed)
    one = wish(make(act, draw), draw)  # type: ignore[arg-type]
    words = worded(one, draw)
    text = marked.bare(words.whole())
    implied = {key for key, by in one.skill.act.given_by.items() if by in one.said}
    for key, said in one.said.items():
        bare = str(said.value) if one.skill.act.slot(key).kind in ("day", "moment") else said.text
        assert bare in text or key in implied, (key, bare, text)
    assert set(one.said) >= {place.slot.key for place in one.skill.places if place.required}


@given(SEEDS)
@settings(deadline=None, max_examples=100)
def test_slips_and_capitals_leave_values_alone(seed: int) -> None:
    draw = random.Random(seed)
    text = f"please remember the {marked.value('Quiet Harbour')} tomorrow, thanks for {marked.value('B-117')}"
    assert "Quiet Harbour" in marked.bare(slipped(text, draw)) and "B-117" in marked.bare(slipped(text, draw))
    typed = surrounded(text, draw, lower=draw.random() < 0.5)
    assert "Quiet Harbour" in typed and "B-117" in typed


def test_slips_change_something_mostly() -> None:
    text = "please remember the milk tomorrow"
    assert sum(slipped(text, random.Random(seed)) != text for seed in range(50)) > 40
    assert slipped(marked.value("a b"), random.Random(1)) == marked.value("a b")


def test_skeletons_differ_by_words_only() -> None:
    one, two = (f"go to {marked.value(city)} please" for city in ("Rome", "Salt Lake City"))
    assert marked.skeleton(one) == marked.skeleton(two) == "go to _ please"


@pytest.mark.parametrize(
    ("slot", "said", "ways"),
    [
        ("breakfast", Said("", False), {"without breakfast", "no breakfast", "breakfast not needed"}),
        ("day", Said("on Friday", "Friday"), {"on Friday", "for Friday"}),
        ("moment", Said("in 5 minutes", "5 minutes"), {"in 5 minutes"}),
        ("moment", Said("at 6 pm", "6 pm"), {"at 6 pm", "for 6 pm"}),
        ("restaurant", Said("the Old Fox", "Old Fox"), {"at the Old Fox", "in the restaurant the Old Fox"}),
        ("tip", Said("10%", 10), {"with a 10% tip", "plus 10% tip", "tipping 10%", "and 10% for the waiter"}),
    ],
)
def test_clauses(slot: str, said: Said, ways: set[str]) -> None:
    assert {marked.bare(clause(slots()[slot], said, random.Random(seed))) for seed in range(80)} == ways


@pytest.mark.parametrize(
    ("order", "said"),
    [("book a table", "booking a table"), ("set it", "setting it"), ("make tea", "making tea"), ("see", "seeing")],
)
def test_gerunds(order: str, said: str) -> None:
    assert gerund(order) == said


def test_frames_are_many_and_have_their_places() -> None:
    assert len(frames("order")) > 40 and len(set(frames("order"))) > 40
    assert all("{x}" in frame or "{ing}" in frame for frame in frames("order"))
    assert all("{n}" in frame for frame in (*frames("noun"), *frames("definite")))
    assert all("{a}" in frame and ("{b}" in frame or "{B}" in frame) for frame in frames("then"))
    assert all("{c}" in frame for frame in (*frames("again"), *frames("rest")))
    asides = (*frames("idle"), *frames("before"), *frames("after"))
    assert all("{" not in filled(frame, random.Random(1)) for frame in asides)


def test_what_begins_comes_before_what_ends() -> None:
    for seed in range(60):
        said = wish(skill("auto reply", seed), random.Random(seed)).said
        places = {place.slot.key: place for place in skill("auto reply", seed).places}
        if places["from_date"].form == places["to_date"].form == "%Y-%m-%d":
            assert said["from_date"].value <= said["to_date"].value


def test_a_brightness_says_that_the_light_is_on() -> None:
    for seed in range(40):
        one = wish(skill("set lights", seed), random.Random(seed))
        assert "level" not in one.said or one.said["on"].value is True


def test_what_comes_back_says_when_once() -> None:
    made = [wish(skill("create reminder", seed), random.Random(seed)) for seed in range(120)]
    weekly = [one for one in made if "repeat" in one.said and not one.said["repeat"].text]
    assert weekly
    for one in weekly:
        assert "every" not in str(one.said["moment"].value) and "daily" not in str(one.said["moment"].value)


def test_several_calls_of_one_tool() -> None:
    for seed in range(40):
        draw = random.Random(seed)
        text, wishes = several.enumerated(skill("moon phase" if seed < 0 else "get forecast"), 3, draw, False) or (
            "",
            [],
        )
        assert len({str(one.said) for one in wishes}) == len(wishes) != 1
        for one in wishes:
            assert all(said.text in marked.bare(text) or not said.text for said in one.said.values())


def test_an_enumeration_needs_an_argument_that_can_be_enumerated() -> None:
    assert several.enumerated(skill("moon phase"), 3, random.Random(1), False) is None


def test_another_value_is_another_one() -> None:
    first = wish(skill("get forecast"), random.Random(1))
    for seed in range(30):
        other = varied(first, "city", random.Random(seed))
        assert other.said["city"].text != first.said["city"].text
        assert {k: v for k, v in other.said.items() if k != "city"} == {
            k: v for k, v in first.said.items() if k != "city"
        }


def test_sequences_say_every_wish() -> None:
    for seed in range(60):
        draw = random.Random(seed)
        wishes = [wish(skill(name), draw) for name in ("track parcel", "moon phase", "factorial")]
        text = marked.bare(several.sequence(wishes, draw))
        for one in wishes:
            assert all(said.text in text for said in one.said.values()), text


def test_a_wish_has_more_than_a_hundred_skeletons() -> None:
    found = set()
    for seed in range(200):
        draw = random.Random(seed)
        found.add(marked.skeleton(framed(worded(wish(skill("get forecast"), draw), draw), draw)))
    assert len(found) > 100
    assert isinstance(Wish(skill("factorial"), {}), Wish)
