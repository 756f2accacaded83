"""A model's own trust: in the place of what ships, kept in its profile, passed over beside other weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.calling import guided, trust
from linnet.calling import profile as profiles
from linnet.calling.guided import Guide
from linnet.calling.profile import Profile, Way
from linnet.calling.ranking.ranker import Belief, Doubt, fitted
from linnet.calling.trust import Trust
from linnet.calling.way import guide_for, own_trust, trust_of
from linnet.evals.training.asking import Listener
from linnet.tools import tool

SHA = "cd" * 32


@tool
def open_door(name: str) -> str:
    """Opens a door."""
    return name


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def made() -> Trust:
    return replace(
        Trust.of(fitted()), model={"tool": Belief(0.5, 0.5), "options": Belief(1.0, 0.3, 0.1)}, sure={"options": 0.95}
    )


class Filed(Listener):
    def original(self) -> str:
        return SHA


def test_what_ships_is_what_it_is_found_from() -> None:
    assert Trust.of(fitted()).over(fitted()) == fitted() and not Trust.of(fitted()).changes(fitted())


def test_it_stands_in_the_place_of_what_ships_and_leaves_evidence_alone() -> None:
    own, shipped = made().over(fitted()), fitted()
    assert (
        own.model == {"tool": Belief(0.5, 0.5), "options": Belief(1.0, 0.3, 0.1)}
        and own.relevance == shipped.relevance
    )
    assert own.doubt == replace(shipped.doubt, sure={"options": 0.95})
    assert (own.features, own.choice, own.evident) == (shipped.features, shipped.choice, shipped.evident)
    changed = made().changes(shipped)
    assert changed["options: evidence, model, absent"] == (None, [1.0, 0.3, 0.1])
    assert changed["string: evidence, model, absent"][1] is None
    assert (
        changed["options: asked below a probability of"] == (None, 0.95)
        and "asked ahead of the second" not in changed
    )


def test_weights_that_ask_everything_are_no_trust() -> None:
    with pytest.raises(ValueError, match="finite"):
        Trust.of(replace(fitted(), doubt=Doubt()))


def test_the_profile_keeps_it() -> None:
    profiles.save(SHA, Profile(Way(), "guided", trust=made()))
    assert profiles.load(SHA)[0] == Profile(Way(), "guided", trust=made())
    assert own_trust(Filed()) == made() and own_trust(Listener()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        '"below": NaN',
        '"below": -1',
        '"model": {"tool": [1]}',
        '"model": {"tool": [1, NaN]}',
        '"sure": {"string": 1.5}',
    ],
)
def test_a_damaged_one_spoils_the_profile_with_a_note(wrong: str) -> None:
    profiles.save(SHA, Profile(Way(), "guided", trust=made()))
    path = profiles.path_of(SHA)
    name = wrong.split(":")[0]
    body = path.read_text().replace(name, f'{wrong}, "was {name[1:]}', 1)
    path.write_text(body)
    found, note = profiles.load(SHA)
    assert found is None and "damaged" in note


def test_one_of_before_says_nothing_of_absence() -> None:
    profiles.save(SHA, Profile(Way(), "guided", trust=made()))
    path = profiles.path_of(SHA)
    told = json.loads(path.read_text())
    told["trust"]["model"] = {"tool": [0.5, 0.5]}
    path.write_text(json.dumps(told))
    found, note = profiles.load(SHA)
    assert not note and found and found.trust and found.trust.model == {"tool": Belief(0.5, 0.5, 0.0)}


def test_a_guide_goes_by_it_while_it_calls_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    chooser = guided.Chooser.choose
    monkeypatch.setattr(guided.Chooser, "choose", lambda *a: seen.append(fitted()) or chooser(*a))  # type: ignore[func-returns-value]
    profile = Profile(Way(), "guided", trust=made())
    for trusted in (
        guide_for(Listener(), [open_door], profile),
        guide_for(Listener(), [open_door], profile).over(Filed()),
    ):
        trusted.call("open the door")
    Guide(Listener(), [open_door]).call("open the door")
    assert seen == [made().over(fitted())] * 2 + [fitted()] and fitted().model != made().model


def test_one_found_beside_other_weights_is_passed_over_with_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(Way(), "guided", trust=made())
    assert trust_of(profile) == (made(), "") and not made().stale
    monkeypatch.setattr(trust, "mark", lambda: "another")
    assert profile.trust and profile.trust.stale and trust_of(profile)[0] is None
    found = guide_for(Listener(), [open_door], profile).call("open the door")
    assert found.steps[0].kind == "way" and "passed over" in found.steps[0].detail
