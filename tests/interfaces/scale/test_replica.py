"""What a replica says of its model, and the adapters that it is given, in this process and without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from linnet.calling import profile as profiles
from linnet.calling.native import Native
from linnet.calling.profile import Profile, Way
from linnet.calling.way import guide_for, stored_profile
from linnet.errors import ModelNotFound
from linnet.interfaces.scale.model import ClusterModel
from linnet.interfaces.scale.replica import Replica
from linnet.interfaces.scale.wire import Facts, read_facts
from linnet.models.families import Advice
from linnet.models.family import Family
from linnet.models.template import Thinking
from linnet.requests import Capabilities
from linnet.runtime.local import open_local
from linnet.tools import tool

HERMES = Family(
    name="played", title="Played", detected=("settings: played",), template="{{ tools }}", bos="", eos="<|im_end|>",
    stops=("<|im_end|>",), takes_system=True, joint="\n", thinking=Thinking("<think>", "</think>", "thinks", "on"),
    tools="tools", dialect="hermes", context=4_096, advice=Advice(), thoughtful=None, origins={"tools": "settings"},
)  # fmt: skip


class Played:
    """As much of a Model as facts are made of."""

    capabilities = Capabilities("played", 4_096)

    def __init__(self, family: Family | None = None) -> None:
        self.family = family
        self.opened: list[str] = []

    def original(self) -> str:
        return "ab" * 32

    def with_adapter(self, text: str) -> Any:
        if text == "none":
            raise ModelNotFound("no such adapter")
        self.opened.append(text)
        return Played()

    def stream(self, *request: Any) -> Iterator[Any]:
        raise AssertionError("nobody asks")

    def close(self) -> None: ...


class Told:
    """Replicas that say these facts."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def facts(self) -> Facts:
        return self._facts

    def call(self, *call: Any) -> Any:
        raise AssertionError("nobody asks")


@pytest.fixture
def seen() -> Callable[[Any], ClusterModel]:
    """`seen(model)`: as an ingress sees a model that a replica has, by what goes between the two."""
    return lambda model: ClusterModel(Told(read_facts(asyncio.run(Replica(lambda: model, lambda: "r0").facts()))))


@tool
def weather(city: str) -> str:
    """Get the weather of a city."""
    return city


def test_the_family_of_the_real_model_arrives_whole(seen: Callable[[Any], ClusterModel]) -> None:
    with closing(open_local("default")) as model:
        played = Played(model.family)
        assert model.family.template and seen(played).family == model.family
    assert seen(Played(HERMES)).family == HERMES and seen(Played()).family is None


def test_a_profile_is_followed_as_on_one_machine(
    seen: Callable[[Any], ClusterModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    profiles.save("ab" * 32, Profile(Way("native", "hermes"), "native free"))
    there, unknown = seen(Played(HERMES)), seen(Played())
    assert isinstance(guide_for(there, [weather], *stored_profile(there)), Native)
    assert not isinstance(guide_for(unknown, [weather], *stored_profile(unknown)), Native), (
        "its notation is not known"
    )


def test_an_adapter_is_opened_anew_where_its_file_is_another() -> None:
    played = Played()
    replica = Replica(lambda: played, lambda: "r0")
    replica.reconfigure({"adapters": {"home": "1", "work": "1"}})
    replica.reconfigure({"adapters": {"home": "1", "work": "2"}})
    assert played.opened == ["home", "work", "work"]
    replica.reconfigure({"adapters": {"work": "2"}})
    with pytest.raises(ModelNotFound):
        replica.reconfigure({"adapters": {"work": "3", "none": "1"}})
    replica.reconfigure({"adapters": {"work": "2"}})
    assert played.opened == ["home", "work", "work", "work"], "one that failed changes nothing"
    assert set(replica._models) == {"", "work"}
