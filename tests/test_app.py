"""Settings become a wired Agent: each setting reaches the part that it is about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linnet.agent.agent import Agent
from linnet.agent.escalate import Escalation
from linnet.app import (
    check_engine,
    look_at_servers,
    open_agent,
    open_pool,
    open_remote,
    open_served,
    open_servers,
)
from linnet.errors import (
    DeadlineExceeded,
    EscalationDenied,
    ModelNotFound,
    OutOfMemory,
    SettingsInvalid,
    ToolInvalid,
)
from linnet.messages import Message
from linnet.requests import Generate
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.local import LocalModel
from linnet.runtime.remote import RemoteModel
from linnet.settings import Settings
from linnet.tools import tool


@tool
def shout(text: str) -> str:
    """Shouts a text."""
    return text.upper()


def names(agent: Agent) -> list[str]:
    return [tool.name for tool in agent.tools]


def test_without_settings_the_defaults() -> None:
    with open_agent() as agent:
        assert names(agent) == ["calculator"]
        assert agent.model.capabilities.name == "smollm2-135m"
        assert agent.model.capabilities.context == 4096
        assert agent.run("What is 2 + 2?").answer == "2 + 2 = 4"


def test_root_tools_and_context(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    settings = Settings(root=tmp_path, context=512, tools=("shout", "read_file"))
    with open_agent(settings, [shout]) as agent:
        assert names(agent) == ["shout", "read_file"]
        assert agent.model.capabilities.context == 512
        result = agent.run("read a.txt")
        assert (result.how, result.error) == ("rule", None)
        assert "hello" in result.answer


def test_the_model_by_path(model_path: Path) -> None:
    with open_agent(Settings(model=str(model_path))) as agent:
        assert isinstance(agent.model, LocalModel)
        assert agent.model.capabilities.name == model_path.stem


def test_the_deadline_and_the_margin() -> None:
    settings = Settings(context=512, request_seconds=0.01, tools=("shout",))
    with open_agent(settings, [shout]) as agent, pytest.raises(DeadlineExceeded):
        agent.run("Shout hello")


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (Settings(model="no-such-model"), ModelNotFound),
        (Settings(model="/nowhere/model.gguf"), ModelNotFound),
        (Settings(tools=("no_such_tool",)), ToolInvalid),
        (Settings(root=Path("/nowhere")), ToolInvalid),
    ],
)
def test_what_cannot_be_used(settings: Settings, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"no-such-model|nowhere|no_such_tool"):
        open_agent(settings)


def test_a_pool_as_the_settings_say() -> None:
    settings = Settings(context=512, threads=1, memory_mib=600, idle_seconds=30, preload=("default",))
    with open_pool(settings) as pool:
        (resident,) = pool.residents()
        assert (resident.name, resident.context, resident.in_use) == ("smollm2-135m", 512, 0)
        assert pool.model("smollm2-135m").capabilities.context == 512
        assert len(pool.residents()) == 1
    with pytest.raises(OutOfMemory):
        open_pool(Settings(memory_mib=16, preload=("default",)))


def test_a_look_at_the_engine() -> None:
    told = check_engine(Settings(context=512, threads=2))
    json.dumps(told)
    assert (told["family"], told["detected"] != []) == ("smollm2", True)
    assert told["start_seconds"] > 0
    assert told["tokens_per_second"] > 0
    assert told["ready"] is not None


def test_memory_and_cache_as_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    with open_agent(Settings(memory=True, response_cache_mib=1)) as agent:
        assert names(agent) == ["calculator", "remember"]
        assert agent.run("Remember that I am Bo.").answer == "I will remember: I am Bo."
    assert (tmp_path / "data" / "linnet" / "memory.db").exists()
    assert (tmp_path / "cache" / "responses.db").exists()


# --- another machine -----------------------------------------------------------------------------

REMOTE = {"remote_url": "http://127.0.0.1:9/v1", "remote_model": "big"}


def test_a_remote_server_is_behind_a_gate_that_is_closed() -> None:
    gate = open_remote(Settings(**REMOTE), {"LINNET_REMOTE_KEY": "sk-12345678"})
    assert isinstance(gate, Escalation)
    assert gate.capabilities.name == "big@127.0.0.1:9"
    with pytest.raises(EscalationDenied, match="may not be sent"):
        gate.stream(Generate((Message("user", "hi"),)))


@pytest.mark.parametrize("given", [{}, {"remote_url": "http://127.0.0.1:9"}, {"remote_model": "big"}])
def test_half_a_server_is_none(given: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match="no remote server"):
        open_remote(Settings(**given))
    with pytest.raises(SettingsInvalid):
        open_agent(Settings(allow_remote=True, **given))


def test_an_allowance_of_nothing_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    gate = open_remote(Settings(**REMOTE, allow_remote=True, remote_requests=0))
    with pytest.raises(EscalationDenied, match="today"):
        gate.stream(Generate((Message("user", "hi"),)))


def test_an_agent_falls_back_on_it_only_if_allowed() -> None:
    with open_agent(Settings(**REMOTE)) as agent:
        assert isinstance(agent.model, LocalModel)
    with open_agent(Settings(**REMOTE, allow_remote=True)) as agent:
        assert type(agent.model).__name__ == "Cascade"
        assert agent.model.capabilities.name == "smollm2-135m"


def test_several_servers_are_a_fleet_and_one_is_itself() -> None:
    several = {**REMOTE, "remote_url": "http://127.0.0.1:9/v1, http://127.0.0.1:10/v1", "remote_hedge_seconds": 2.0}
    fleet = open_servers(Settings(**several))
    assert isinstance(fleet, FleetModel)
    assert [one["server"] for one in fleet.servers()] == ["127.0.0.1:9", "127.0.0.1:10"]
    assert isinstance(open_servers(Settings(**REMOTE)), RemoteModel)
    for wrong in ("http://127.0.0.1:9/v1,http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1,", ","):
        with pytest.raises(SettingsInvalid):
            open_servers(Settings(**{**REMOTE, "remote_url": wrong}))


def test_an_agent_over_servers_starts_no_worker() -> None:
    with open_agent(Settings(model="remote", **REMOTE)) as agent:
        assert agent.model.capabilities.name == "big@127.0.0.1:9"
        assert agent.run("2 + 2").answer == "2 + 2 = 4"
    with pytest.raises(SettingsInvalid, match="no remote server"):
        open_agent(Settings(model="remote"))


def test_what_is_served_tells_of_the_servers() -> None:
    several = {**REMOTE, "remote_url": "http://127.0.0.1:9/v1,http://127.0.0.1:10/v1"}
    with open_served(Settings(model="remote", **several)) as served:
        assert list(served.models) == ["default", "big@127.0.0.1:9+1"]
        assert [one["state"] for one in served.servers()] == ["closed", "closed"]
    looked = look_at_servers(Settings(**REMOTE))
    assert [one["well"] for one in looked] == [False]
