"""What is opened and closed before anything is deployed: here for a cluster of this machine, there for another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from linnet import app
from linnet.app import MODEL_SETTINGS, open_model
from linnet.errors import EngineError, InputInvalid, LinnetError, ModelNotFound, SettingsInvalid, ToolInvalid
from linnet.interfaces.http.guard import Door
from linnet.interfaces.scale import deployment, ingress
from linnet.interfaces.scale import serve as module
from linnet.interfaces.scale.deployment import Plan
from linnet.interfaces.scale.ingress import Front
from linnet.interfaces.scale.serve import Known, Wanted, serve
from linnet.limits import LIMITS
from linnet.settings import ModelSettings, Settings

sys.path.append(str(Path(__file__).parents[2] / "models"))

from gguf_writer import adapter, small

WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...], type[LinnetError]]] = {
    "model": ({"model": "no-such-model"}, (), ModelNotFound),
    "router": ({"router": "/no/such/router.toml"}, (), InputInvalid),
    "journal": ({"journal": "mysql://nobody@nowhere/none"}, (), SettingsInvalid),
    "permission": ({"allow": ("no_such_tool",)}, (), SettingsInvalid),
    "tools": ({}, ("no_such_tool",), ToolInvalid),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_before_ray_is_started(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cluster", lambda address: pytest.fail("Ray is started"))
    given, tools, kind = WRONG[what]
    with pytest.raises(kind):
        serve(Wanted(Door(), 0, tools), lambda: Settings(**given), lambda url, models: None)


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Plan], list[str]]]:
    """`renewed(settings, tools=())`: the plans that are deployed on a SIGHUP, and what is told."""

    def renew(settings: Settings, tools: tuple[str, ...] = ()) -> tuple[list[Plan], list[str]]:
        deployed: list[Plan] = []
        told: list[str] = []
        monkeypatch.setattr(deployment, "deploy", deployed.append)
        wanted = Wanted(Door(), 0, tools)
        plan = partial(module._plan, wanted, settings, (1, 1))
        module._renew(lambda: module._checked(wanted, plan(), known), known, told.append)
        return deployed, told

    known = Known()

    return renew


@pytest.mark.parametrize("what", WRONG)
def test_nothing_is_deployed_where_the_new_settings_are_wrong(what: str, renewed: Callable[..., Any]) -> None:
    given, tools, _ = WRONG[what]
    deployed, told = renewed(Settings(**given), tools)
    assert not deployed and told[0].startswith("Not deployed: ")


def test_only_what_has_changed_is_another_one(renewed: Callable[..., Any], tmp_path: Path) -> None:
    model, lora = tmp_path / "small.gguf", tmp_path / "lora.gguf"
    model.write_bytes(small().write()), lora.write_bytes(adapter(small()).write())
    default, other, adapted = ("default", ""), (str(model), ""), (str(model), str(lora))

    def known(**given: Any) -> dict[tuple[str, str], str]:
        deployed, told = renewed(Settings(preload=(str(model), f"{model}+{lora}"), **given))
        assert told == ["Deployed what the settings say now."]
        return dict(deployed[0].known)

    before = known()
    assert set(before) == {default, other, adapted} and len(set(before.values())) == 3

    def changed(**given: Any) -> list[tuple[str, str]]:
        now = known(**given)
        return [key for key in before if now[key] != before[key]]

    assert changed(answer_tokens=7, request_seconds=9.0) == [], "no model knows of these"
    lora.write_bytes(adapter(small(), alpha=3.0).write())
    assert changed() == [adapted]
    assert changed(models={"default": ModelSettings(temperature=0.5)}) == [default, adapted]
    assert changed(threads=1) == [default, other, adapted]
    model.write_bytes(model.read_bytes()[:-1] + b"\1")
    assert other in changed() and adapted in changed()


def test_one_adapter_more_than_a_replica_holds_counts_as_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, adapters=2))
    model, lora = tmp_path / "small.gguf", tmp_path / "lora.gguf"
    model.write_bytes(small().write())
    known, versions = Known(), []
    for alpha in (1.0, 2.0, 1.0, 3.0, 2.0):
        lora.write_bytes(adapter(small(), alpha=alpha).write())
        found = known.now(open_model, Settings(model=f"{model}+{lora}"))
        assert (str(model), str(lora)) in found
        known.deployed()
        versions.append(found[str(model), ""])
    assert len(set(versions[:3])) == 1 and versions[3] == versions[4] != versions[0]


def test_what_was_not_deployed_is_another_one_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray never tries a version again that failed; what it ran before it runs still."""
    model, known, told = tmp_path / "small.gguf", Known(), list[str]()

    def version(extra: int, fails: bool = False) -> str:
        def deploy(plan: Plan) -> None:
            plans.append(plan)
            if fails:
                raise EngineError("Ray could not deploy it")

        plans: list[Plan] = []
        model.write_bytes(small().write() + bytes(extra))
        monkeypatch.setattr(deployment, "deploy", deploy)
        wanted = Wanted(Door(), 0)
        plan = module._plan(wanted, Settings(model=str(model)), (1, 1))
        module._renew(lambda: module._checked(wanted, plan, known), known, told.append)
        return plans[0].known[str(model), ""]

    first = version(0)
    failed = [version(32, fails=True), version(32, fails=True)]
    assert len({first, *failed}) == 3 and told[1].startswith("Not deployed")
    assert version(0) == first
    then = version(32)
    assert then not in (first, *failed) and version(32) == then


def test_a_model_is_opened_by_these_settings_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()

    class Watched(Settings):
        def __getattribute__(self, name: str) -> Any:
            if name in Settings.model_fields:
                read.add(name)
            return super().__getattribute__(name)

    settings = Watched()
    read.clear()
    with closing(open_model(settings, "default")):
        assert read == set(MODEL_SETTINGS)


def test_on_another_cluster_it_is_looked_at_where_the_ingress_will_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    ray = ModuleType("ray")

    def remote(**named: Any) -> Any:
        asked.append(named["resources"])
        return lambda work: type("Task", (), {"remote": staticmethod(work)})

    ray.remote, ray.get = remote, lambda answer, timeout: answer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(module, "open_model", lambda *_: pytest.fail("its models are not here"))
    plan = Plan(Front(Settings(router=Path("/no/such/router.toml")), Door(), 1, 1), open_model)
    with pytest.raises(InputInvalid, match="router"):
        module._checked(Wanted(Door(), 0, address="there:6379"), plan, Known())
    right = Plan(Front(Settings(), Door(), 1, 1), open_model)
    assert module._checked(Wanted(Door(), 0, address="there:6379"), right, Known()) == right
    assert asked == [deployment._HEAD] * 2


def test_what_is_looked_at_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []
    opened = app.open_toolbox

    def open_toolbox(*given: Any) -> Any:
        toolbox = opened(*given)
        close = toolbox.close
        monkeypatch.setattr(toolbox, "close", lambda: (closed.append(toolbox), close()))
        return toolbox

    monkeypatch.setattr(app, "open_toolbox", open_toolbox)
    ingress.check(Front(Settings(), Door(), 1, 1))
    assert len(closed) == 1
