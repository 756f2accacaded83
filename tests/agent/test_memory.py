"""Memory: what is told is kept until it is forgotten, found by its words, and never lost to a torn file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.agent.agent import Agent
from linnet.agent.memory import Memory, memory_file
from linnet.agent.record import Record
from linnet.errors import (
    InputInvalid,
    LinnetError,
    RequestTooLarge,
    StoreDamaged,
    StoreError,
    StoreOverfull,
    StoreUnavailable,
)
from linnet.limits import LIMITS
from linnet.messages import Step, ToolCall, ToolResult
from linnet.requests import Capabilities, Count, Done, Event, Generate, Request, Score
from linnet.tools import Rule, tool

FACTS = ("My sister's name is Ingrid.", "The wifi password is swordfish.", "I am allergic to peanuts.",
         "My dentist is Dr. Vance in Elm Street.")  # fmt: skip


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "memory.db")
    yield memory
    memory.close()


def texts(memory: Memory) -> list[str]:
    return [fact.text for fact in memory.facts()]


# --- facts -----------------------------------------------------------------------------------------


def test_a_fact_is_kept_with_source_and_time(memory: Memory) -> None:
    fact = memory.add("  I live \n in Oslo. ", source="request")
    assert (fact.id, fact.text, fact.source, fact.changed) == (1, "I live in Oslo.", "request", None)
    assert memory.facts() == [fact] == [memory.get(1)]
    assert memory.add("I live in Oslo.") == fact, "once"
    again = Memory(memory.path)
    assert again.facts() == [fact] and fact.made > 1e9
    again.close()


def test_a_fact_is_changed_and_forgotten(memory: Memory) -> None:
    for text in FACTS:
        memory.add(text)
    changed = memory.edit(1, "My sister's name is Sigrid.")
    assert changed.changed is not None and changed.made == memory.get(1).made
    assert [fact.id for fact in memory.recall("Who is Sigrid?")] == [1] and memory.recall("Who is Ingrid?") == []
    assert [fact.id for fact in memory.forget(2, 2, 3)] == [2, 3]
    assert [fact.id for fact in memory.facts()] == [1, 4]
    assert memory.recall("wifi password") == []
    assert memory.add("new").id == 5, "a number is never given twice"


def test_what_is_forgotten_is_in_no_file(memory: Memory, tmp_path: Path) -> None:
    memory.add("The secret is xylophone-4711.")
    memory.add("Other.")
    memory.forget(1)
    assert not any(b"xylophone" in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [lambda m: m.get(9), lambda m: m.edit(9, "a"), lambda m: m.forget(1, 9)])
def test_a_number_that_is_not_there(memory: Memory, wrong: Any) -> None:
    memory.add("a")
    with pytest.raises(InputInvalid, match="no fact 9"):
        wrong(memory)
    assert texts(memory) == ["a"]


def test_bounds(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(memory.add("a" * LIMITS.fact_chars).text) == LIMITS.fact_chars
    with pytest.raises(RequestTooLarge, match="1,001 characters"):
        memory.add("a" * (LIMITS.fact_chars + 1))
    with pytest.raises(InputInvalid, match="no text"):
        memory.add(" \n")
    monkeypatch.setattr("linnet.agent.memory.LIMITS", type(LIMITS)(memory_facts=2))
    memory.add("b")
    with pytest.raises(StoreOverfull, match="2 facts, its limit"):
        memory.add("c")
    assert memory.add("b").id == 2, "what is known takes no room"


def test_recall_is_by_words_and_the_best_first(memory: Memory) -> None:
    for text in FACTS:
        memory.add(text)
    assert next(f.id for f in memory.recall("What is my sister called? Is she named Ingrid?")) == 1
    assert [f.id for f in memory.recall("What was the password for the wifi?")] == [2]
    assert [f.id for f in memory.recall("Can I eat peanut butter?")] == [3], "in another form of the word"
    assert memory.recall("Why is the sky blue?") == [] and memory.recall("") == []
    assert len(memory.recall("sister password peanuts dentist", most=2)) == 2


@pytest.mark.parametrize(
    "text", ['"', "' OR 1=1; --", "a AND OR NOT NEAR(b", "x*", "facts:", "\0", "\ud800", "日本 ^col"]
)
def test_no_text_is_read_as_a_query(memory: Memory, text: str) -> None:
    memory.add(f"wifi {text}")
    assert [fact.id for fact in memory.recall(f"wifi {text}")] == [1]
    memory.recall(text)
    memory.edit(1, f"{text} router")
    assert len(memory.recall("router")) == 1


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("aef"), st.integers(1, 6), st.text(max_size=12))))
def test_whatever_is_done_facts_and_index_agree(tmp_path_factory: pytest.TempPathFactory, done: list[Any]) -> None:
    memory = Memory(tmp_path_factory.mktemp("memory") / "m.db")
    known: dict[int, str] = {}
    for what, number, text in done:
        text = f"word{len(known)} {text}"
        if what == "a":
            fact = memory.add(text)
            known[fact.id] = fact.text
        elif number in known and what == "e":
            known[number] = memory.edit(number, text).text
        elif number in known:
            memory.forget(number)
            del known[number]
    assert {fact.id: fact.text for fact in memory.facts()} == known
    for text in known.values():
        word = text.split()[0]
        assert {f.id for f in memory.recall(word, 99)} == {i for i, t in known.items() if t.split()[0] == word}
    memory.close()


def add_ten(path: Path, name: str) -> None:
    memory = Memory(path)
    for i in range(10):
        memory.add(f"{name} {i}")
    memory.close()


def elsewhere(path: Path, code: str) -> subprocess.Popen[bytes]:
    """Another process that runs `code` on `memory`."""
    imports = "import os\nfrom pathlib import Path\nfrom linnet.agent.memory import Memory"
    script = f"{imports}\nmemory = Memory(Path({str(path)!r}))\n"
    return subprocess.Popen([sys.executable, "-c", script + code])


def test_several_threads_and_processes(memory: Memory) -> None:
    process = elsewhere(memory.path, "for i in range(10): memory.add(f'process {i}')")
    threads = [threading.Thread(target=add_ten, args=(memory.path, f"thread {i}")) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert process.wait(60) == 0 and len(memory.facts()) == 40


# --- the journal -----------------------------------------------------------------------------------


def test_a_turn_is_journalled(memory: Memory) -> None:
    turn = memory.begin("add 1 and 2")
    call = ToolCall("add", {"a": 1, "b": 2}, "call-1")
    memory.intend(turn, call)
    (begun,) = memory.unfinished()
    assert begun.calls == ({"id": "call-1", "name": "add", "arguments": {"a": 1, "b": 2}, "outcome": None},)
    assert (begun.ended, begun.how) == (None, None)
    memory.outcome(turn, ToolResult(call, 3))
    assert memory.unfinished() == []
    memory.end(turn, "3", "rule", [Step("tool", "add", 0.1)])
    (told,) = memory.turns()
    assert (told.request, told.answer, told.how, told.calls[0]["outcome"]) == (
        "add 1 and 2",
        "3",
        "rule",
        {"result": 3},
    )
    assert told.steps == (asdict(Step("tool", "add", 0.1)),)
    assert memory.clear_journal() == 1 and memory.turns() == []


def test_the_journal_keeps_the_newest(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.agent.memory.LIMITS", type(LIMITS)(memory_turns=3, journal_chars=20))
    for i in range(5):
        memory.intend(memory.begin(f"{i} " + "x" * 99), ToolCall("t", {"text": "y" * 99}, "call-1"))
    turns = memory.turns(99)
    assert [turn.request[:2] for turn in turns] == ["4 ", "3 ", "2 "]
    assert all(len(turn.request) == 20 for turn in turns)
    assert turns[0].calls[0]["arguments"] == {"left_out": 110}
    with sqlite3.connect(memory.path) as raw:
        assert raw.execute("SELECT count(*) FROM calls").fetchone() == (3,)
    raw.close()


# --- files -----------------------------------------------------------------------------------------


def torn(path: Path) -> None:
    memory = Memory(path)
    for i in range(200):
        memory.add(f"fact number {i} of many")
    memory.close()
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 4] = os.urandom(4096 * 3)
    path.write_bytes(data)


def test_a_torn_file_is_set_aside_whole(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    torn(path)
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match=r"is torn.*set aside as memory\.db\.damaged-") as caught:
        Memory(path)
    aside = Path(caught.value.details["aside"])
    assert aside.read_bytes() == before and not path.exists()
    memory = Memory(path)
    assert memory.facts() == []
    memory.close()


@pytest.mark.parametrize("end", ["truncated", "garbage"])
def test_in_linnets_own_folder_whatever_is_no_database_is_set_aside(end: str) -> None:
    path = memory_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"SQLite f" if end == "truncated" else b"\0" * 5_000)
    with pytest.raises(StoreDamaged) as caught:
        Memory()
    assert Path(caught.value.details["aside"]).parent == path.parent and not path.exists()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    notes, other = tmp_path / "notes.txt", tmp_path / "other.db"
    notes.write_text("My notes. " * 100)
    with sqlite3.connect(other) as raw:
        raw.execute("CREATE TABLE facts (id, text)")
    raw.close()
    for path in (notes, other):
        before = path.read_bytes()
        with pytest.raises(StoreDamaged) as caught:
            Memory(path)
        assert caught.value.details["aside"] is None and path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.db"]


def test_a_later_version_is_left_alone(memory: Memory) -> None:
    memory.close()
    with sqlite3.connect(memory.path) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreUnavailable, match="later version"):
        Memory(memory.path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/null"), Path("/dev/null/x")):
        with pytest.raises(StoreUnavailable):
            Memory(path)


def test_it_is_its_owners_only(memory: Memory) -> None:
    assert memory.path.stat().st_mode & 0o777 == 0o600


def test_a_closed_memory_says_so(memory: Memory) -> None:
    memory.close()
    memory.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        memory.facts()


def test_a_killed_writer_loses_nothing_that_was_told(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    assert elsewhere(path, "memory.add('kept')\nos.kill(os.getpid(), 9)").wait(60) == -9
    memory = Memory(path)
    assert texts(memory) == ["kept"]
    memory.close()


# --- with an agent ---------------------------------------------------------------------------------


class Echo:
    """A Model that says again what it was asked last."""

    capabilities = Capabilities("echo", 400)

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count):
            yield Done(count=len(str(request.prompt)) // 40)
        elif isinstance(request, Score):
            yield Done(scores=tuple((-1.0, 1) for _ in request.continuations))
        else:
            assert isinstance(request, Generate)
            yield Done(text=getattr(request.prompt[-1], "content", ""))


def test_an_agent_remembers_by_rule_and_recalls(memory: Memory) -> None:
    with Agent(model=Echo(), memory=memory, margin=99.0) as agent:
        told = agent.run("Remember that my sister is called Ingrid.")
        assert (told.how, told.answer) == ("rule", "I will remember: my sister is called Ingrid.")
        result = agent.run("What is my sister's name?")
        assert result.answer == "What is known:\n- my sister is called Ingrid.\n\nWhat is my sister's name?"
        recall = next(step for step in result.steps if step.kind == "recall")
        assert recall.data == {"facts": [1]}
        assert agent.run("Why?").answer == "Why?"
    assert memory.get(1).source == "request"
    assert [turn.how for turn in memory.turns()] == ["model", "model", "rule"], "the newest first"
    assert memory.turns()[0].request == "Why?"
    assert memory.turns()[-1].calls[0]["outcome"] == {"result": "my sister is called Ingrid."}


def test_the_model_is_not_offered_to_remember(memory: Memory) -> None:
    agent = Agent(model=Echo(), memory=memory, only=["remember"], margin=-99.0)
    assert [tool.name for tool in agent.tools] == ["remember"]
    assert (agent.run("note my name").calls, memory.facts()) == ((), [])


def test_without_memory_nothing_is_kept() -> None:
    with Agent(model=Echo()) as agent:
        assert [tool.name for tool in agent.tools] == ["calculator"]
        agent.run("1 + 1")
    assert not memory_file().exists()


def test_a_call_is_noted_before_it_is_made(memory: Memory) -> None:
    seen: list[Any] = []

    @tool(rules=[Rule(prefix="do", to="what")])
    def do(what: str) -> None:
        """Does it."""
        seen.extend(memory.unfinished())

    with Agent([do], Echo(), memory=memory) as agent:
        agent.run("do it")
    assert [turn.calls[0]["arguments"] for turn in seen] == [{"what": "it"}]
    assert memory.unfinished() == []


def test_a_memory_at_fault_costs_no_answer_and_is_told(memory: Memory) -> None:
    with Agent(model=Echo(), memory=memory, margin=99.0) as agent:
        memory.close()
        result = agent.run("Why?")
    assert (result.answer, result.degraded) == ("Why?", ("the memory is closed",))


def test_an_agent_that_opens_a_memory_closes_it(tmp_path: Path) -> None:
    with Agent(model=Echo(), memory=tmp_path / "m.db") as agent:
        agent.run("Remember that I am Bo.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.db"], "no log is left beside it"
    torn_path = tmp_path / "t.db"
    torn(torn_path)
    with pytest.raises(StoreError):
        Agent(model=Echo(), memory=torn_path)


def test_other_errors_of_a_memory_are_not_swallowed() -> None:
    class Wrong:
        def begin(self, request: str) -> int:
            raise LinnetError("a fault")

    with pytest.raises(LinnetError, match="a fault"):
        Record(Wrong()).begin("a")  # type: ignore[arg-type]
