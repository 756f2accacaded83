"""Files are written whole and deleted below one folder; neither links nor races lead outside, nor to Linnet."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet import Agent
from linnet.agent.tools import own, standard
from linnet.agent.tools import root as confinement
from linnet.agent.tools import writing as module
from linnet.agent.tools.writing import writing
from linnet.errors import ToolDenied, ToolError, ToolFailed
from linnet.limits import LIMITS
from linnet.requests import Capabilities
from linnet.tools import Permission, Tool

_spec = importlib.util.spec_from_file_location(
    "torture_files", Path(__file__).parents[2] / "torture" / "tools_files.py"
)
assert _spec is not None and _spec.loader is not None
torture = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(torture)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("canary")
    folder = tmp_path / "home"
    (folder / "docs").mkdir(parents=True)
    (folder / "notes.txt").write_text("milk\n")
    return folder


@pytest.fixture(params=["openat2", "walk"])
def tools(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tool]:
    if request.param == "walk":
        monkeypatch.setattr(confinement, "_has_openat2", lambda folder: False)
    return {tool.name: tool for tool in writing(home)}


def write(tools: dict[str, Tool], path: str, text: str = "x", **more: Any) -> Any:
    return tools["write_file"].run({"path": path, "text": text, **more})


def test_a_file_is_written_replaced_and_added_to(tools: dict[str, Tool], home: Path) -> None:
    assert write(tools, "new.txt", "käse") == {
        "path": "new.txt", "bytes": 5, "created": True, "replaced": 0, "note": "",
    }  # fmt: skip
    assert (home / "new.txt").read_text() == "käse"
    told = write(tools, "notes.txt", "eggs")
    assert (told["created"], told["replaced"]) == (False, 5) and "5 bytes" in told["note"]
    assert write(tools, "notes.txt", "bread", append=True)["note"] == ""
    assert (home / "notes.txt").read_text() == "eggs\nbread"
    assert write(tools, "docs/added.txt", "first", append=True)["created"]
    assert write(tools, "empty.txt", "")["bytes"] == 0
    assert sorted(path.name for path in home.rglob("*")) == ["added.txt", "docs", "empty.txt", "new.txt", "notes.txt"]


def test_the_mode_of_a_file_stays(tools: dict[str, Tool], home: Path) -> None:
    (home / "notes.txt").chmod(0o4750)
    write(tools, "notes.txt", "x")
    assert stat.S_IMODE((home / "notes.txt").stat().st_mode) == 0o750, "but for what makes it run as another"


def test_a_file_is_deleted(tools: dict[str, Tool], home: Path) -> None:
    assert tools["delete_file"].run({"path": "notes.txt"}) == {"path": "notes.txt", "bytes": 5}
    assert not (home / "notes.txt").exists()
    with pytest.raises(ToolFailed, match=r"notes\.txt does not exist"):
        tools["delete_file"].run({"path": "notes.txt"})


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/", "docs", "docs/", "docs/.", "docs/..", "away/x", "notes.txt/x", "a\0b", "\ud800", "x" * 300],
)
def test_what_is_no_file_of_the_root(tools: dict[str, Tool], home: Path, path: str) -> None:
    for name, more in (("write_file", {"text": "x"}), ("delete_file", {})):
        with pytest.raises(ToolError):
            tools[name].run({"path": path, **more})
    assert sorted(entry.name for entry in home.iterdir()) == ["docs", "notes.txt"]


@pytest.mark.parametrize("path", torture.escapes())
def test_nothing_leads_outside(tools: dict[str, Tool], home: Path, path: str) -> None:
    torture.links(home)
    before = torture.outside(home)
    for name, more in (("write_file", {"text": "pwned"}), ("delete_file", {})):
        with suppress(ToolError):
            tools[name].run({"path": path.format(home=home), **more})
    assert torture.outside(home) == before


def test_a_hard_link_is_replaced_and_not_written_through(tools: dict[str, Tool], home: Path) -> None:
    os.link(home.parent / "outside" / "secret.txt", home / "linked.txt")
    write(tools, "linked.txt", "pwned")
    assert (home.parent / "outside" / "secret.txt").read_text() == "canary"


def test_what_is_no_regular_file_is_left_alone(tools: dict[str, Tool], home: Path) -> None:
    os.mkfifo(home / "pipe")
    with pytest.raises(ToolFailed, match="not a regular file"):
        write(tools, "pipe")
    with pytest.raises(ToolFailed, match="not a regular file"):
        tools["delete_file"].run({"path": "pipe"})


def test_the_limit_of_bytes(tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, file_write_bytes=10))
    assert write(tools, "a.txt", "x" * 10)["bytes"] == 10
    for path, text, append in (("a.txt", "x" * 11, False), ("notes.txt", "123456", True), ("a.txt", "", True)):
        with pytest.raises(ToolFailed, match="over 10"):
            write(tools, path, text, append=append)
    assert (home / "a.txt").read_text() == "x" * 10 and (home / "notes.txt").read_text() == "milk\n"


def test_a_disk_that_is_full_leaves_the_old_file(
    tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(ToolFailed, match="no room"):
        write(tools, "notes.txt", "eggs")
    assert (home / "notes.txt").read_text() == "milk\n" and len(list(home.iterdir())) == 2


# --- Linnet's own --------------------------------------------------------------------------------


def test_its_own_places_stay_as_they_are(home: Path, tmp_path: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "linnet.toml").write_text("")
    (home / "tools.py").write_text("")
    (home / "way").symlink_to("config")
    places = [home / "config", home / "tools.py", home / "docs" / "absent.toml"]
    write_file, delete_file = writing(home, places)
    for path in ("config/linnet.toml", "config/new.toml", "way/linnet.toml", "tools.py", "docs/absent.toml"):
        with pytest.raises(ToolDenied, match="Linnet's own"):
            write_file.run({"path": path, "text": "evil"})
        with pytest.raises(ToolDenied, match="Linnet's own"):
            delete_file.run({"path": path})
    os.link(home / "tools.py", home / "other.py")
    with pytest.raises(ToolDenied, match="Linnet's own"):
        write_file.run({"path": "other.py", "text": "evil"})
    assert write_file.run({"path": "docs/other.toml", "text": "fine"})["created"]


def test_places(home: Path) -> None:
    def mine(n: int) -> int:
        return n

    found = own.places(
        [Tool.from_schema("mine", "x", function=mine)], {"HOME": str(home), "LINNET_SETTINGS": "/x/y.toml"}
    )
    assert {Path("/x/y.toml"), home / ".config" / "linnet", Path(sys.prefix), Path(__file__)} <= set(found)


def test_an_agent_writes_where_it_may(home: Path) -> None:
    class Silent:
        capabilities = Capabilities("silent", 4_096)

        def stream(self, request: Any) -> Any:
            raise AssertionError("a rule needs no model")

    def agent(**more: Any) -> Agent:
        return Agent(standard.tools(["write_file", "delete_file"]), Silent(), root=home, **more)  # type: ignore[arg-type]

    asked = 'Write "buy milk" into todo.txt'
    assert agent().run(asked).error["code"] == "tool_denied"  # type: ignore[index]
    done = agent(allow=["files.write"]).run(asked)
    assert (done.answer, done.how) == ("Written to todo.txt.", "rule") and (
        home / "todo.txt"
    ).read_text() == "buy milk"
    agent(allow=["write_file"]).run('add "and eggs" to todo.txt')
    assert (home / "todo.txt").read_text() == "buy milk\nand eggs"
    assert agent(allow=["write_file"]).run("delete the file todo.txt").error is not None
    assert agent(allow=["files.write"], deny=["delete_file"]).run("delete the file todo.txt").error is not None
    assert agent(allow=["files.write"]).run("delete the file todo.txt").answer == "todo.txt is deleted."


def test_permissions_and_words() -> None:
    for tool in module.definitions():
        assert tool.permissions == {Permission.WRITE_FILES} and len(tool.description) < 80


# --- races ---------------------------------------------------------------------------------------


def test_races_lead_nowhere() -> None:
    tries, passed, _ = torture.race_case(races=120, seed=3)
    assert passed == tries > 0


def test_what_an_agent_has_open_or_will_stays_as_it_is(tmp_path: Path) -> None:
    """Its memory and cache, and its journal before it is opened and after, with the files beside them."""

    class Nobody:
        capabilities = Capabilities("nobody", 100)

        def answers_as(self) -> str:
            return "nobody"

        def stream(self, request: Any) -> Any:
            raise AssertionError("nothing is asked of it")

    def denied(tools: Sequence[Tool], path: str) -> bool:
        delete = next(tool for tool in tools if tool.name == "delete_file")
        try:
            delete.run({"path": path})
        except ToolDenied as error:
            return "Linnet's own" in error.message
        return False

    (tmp_path / "runs.db").touch()
    ends = ("", "-wal")
    mine = standard.tools(["delete_file"], tmp_path)
    places = {"memory": tmp_path / "memory.db", "cache": tmp_path / "cache.db", "runs": tmp_path / "runs.db"}
    with Agent([standard.tool("delete_file")], Nobody(), root=tmp_path, **places) as agent:  # type: ignore[arg-type]
        for name in ("memory.db", "cache.db"):
            assert all(denied(tools, name + end) for tools in (mine, agent.tools) for end in ends)
        assert all(denied(agent.tools, "runs.db" + end) for end in ends)
        agent.run("What is 1 plus 1?", run_id="r1")
        assert denied(mine, "runs.db")
    assert not denied(mine, "memory.db") and not (tmp_path / "memory.db").exists(), "it is open no more"
