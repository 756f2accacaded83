"""Which way calls are made: the profile's, where it can be gone, and a step that says so."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.agent import Agent
from linnet.calling import profile as profiles
from linnet.calling.guided import Guide
from linnet.calling.native import Native
from linnet.calling.profile import Profile, Way
from linnet.calling.way import caller_for, guide_for, stored_profile
from linnet.tools import tool


def speakers() -> Any:
    """The doubles of test_native, which stands beside this file."""
    if "test_native" not in sys.modules:
        spec = importlib.util.spec_from_file_location("test_native", Path(__file__).with_name("test_native.py"))
        assert spec and spec.loader
        sys.modules["test_native"] = made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    return sys.modules["test_native"]


S = speakers()
SHA = "ab" * 32
NATIVE = Profile(Way("native", "hermes"), "native free")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "linnet" / "profiles"


class Filed(S.Speaker):  # type: ignore[misc,name-defined]
    """A Speaker that has a file."""

    hashed = 0

    def original(self) -> str:
        self.hashed += 1
        return SHA


def test_without_a_profile_it_is_guided() -> None:
    assert isinstance(guide_for(S.Speaker(), [S.WEATHER], None), Guide)
    assert isinstance(guide_for(S.Speaker(), [S.WEATHER], Profile(Way(), "guided")), Guide)


def test_the_profile_is_followed() -> None:
    guide = guide_for(S.Speaker(S.written("hermes", S.ROME)), [S.WEATHER], NATIVE)
    found = guide.call("weather in Rome")
    assert isinstance(guide, Native) and found.calls and found.steps[0].data["way"] == str(NATIVE.way)


@pytest.mark.parametrize(
    ("given", "margin", "reason"),
    [({"dialect": "llama3"}, None, "no tools in the notation"), ({}, 0.0, "a margin is set")],
)
def test_a_way_that_cannot_be_gone_is_told(given: dict[str, Any], margin: float | None, reason: str) -> None:
    guide = guide_for(S.Speaker(**given), [], NATIVE, margin=margin)
    for one in (guide, guide.over(S.Speaker())):
        found = one.call("weather in Rome")
        assert [step.kind for step in found.steps] == ["way", "choose"] and reason in found.steps[0].detail


def test_a_file_is_hashed_only_where_there_are_profiles() -> None:
    model = Filed()
    assert stored_profile(model) == (None, "") and model.hashed == 0
    assert stored_profile(S.Speaker()) == (None, "")
    profiles.save(SHA, NATIVE)
    assert stored_profile(model) == (NATIVE, "") and model.hashed == 1


def test_any_way_on_order() -> None:
    assert isinstance(caller_for(S.Speaker(), [], Way()), Guide)
    assert isinstance(caller_for(S.Speaker(), [], NATIVE.way), Native)


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"sun in {city}"


def test_an_agent_goes_the_stored_way() -> None:
    profiles.save(SHA, NATIVE)
    result = Agent([get_weather], Filed(S.written("hermes", S.ROME))).run("weather in Rome")
    assert result.answer == "sun in Rome" and result.how == "model"
    assert [step.kind for step in result.steps] == ["route", "native", "tool"]


def test_an_agent_tells_of_a_damaged_profile(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f"{SHA}.json").write_text("{")
    with Agent([get_weather], "default", context=1024) as agent:
        own = profiles.path_of(agent.model.original())  # type: ignore[attr-defined]
    own.write_text("{")
    with Agent([get_weather], "default", context=1024) as agent:
        result = agent.run("What is the weather in Rome?")
    assert result.answer == "sun in Rome"
    (step,) = [step for step in result.steps if step.kind == "way"]
    assert "passed over" in step.detail
