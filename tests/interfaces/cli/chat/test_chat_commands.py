"""The commands of a chat: what is one, and what each finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from linnet.agent.result import Result
from linnet.agent.trace import trace_of
from linnet.errors import InputInvalid
from linnet.interfaces.cli.chat.commands import COMMANDS, Command, Reply, parse
from linnet.interfaces.cli.chat.talk import Talk
from linnet.interfaces.cli.trace import draw
from linnet.tools import Permission, Tool, tool

ROOT = Path(__file__).parents[4]


@tool(permissions=[Permission.NETWORK])
def send(text: str) -> str:
    """Sends a text."""
    return text


KNOWN = Tool.from_schema("known", "Known by its schema only.")


def do(talk: Talk, entry: str) -> Reply:
    taken = parse(entry)
    assert isinstance(taken, tuple)
    command, argument = taken
    return command.do(talk, argument)


def ask(talk: Talk, text: str) -> Result:
    result = list(talk.ask(text))[-1]
    assert isinstance(result, Result)
    talk.answered(result)
    return result


@pytest.mark.parametrize(
    ("entry", "name", "argument"),
    [
        ("/help", "help", ""),
        (" /HELP ", "help", ""),
        ("/model  a b ", "model", "a b"),
        ("/save x.json", "save", "x.json"),
    ],
)
def test_what_is_a_command(entry: str, name: str, argument: str) -> None:
    taken = parse(entry)
    assert isinstance(taken, tuple) and isinstance(taken[0], Command)
    assert (taken[0].name, taken[1]) == (name, argument)


@pytest.mark.parametrize(
    ("entry", "request_"),
    [("hello", "hello"), ("/etc/hosts has what?", "/etc/hosts has what?"), ("//help me", "/help me"), ("/ 2", "/ 2"),
     ("1/2", "1/2"), ("/42", "/42")],
)  # fmt: skip
def test_what_is_a_request(entry: str, request_: str) -> None:
    assert parse(entry) == request_


@pytest.mark.parametrize(
    ("entry", "told", "hint"),
    [
        ("/halp", "no command /halp", "Did you mean /help?"),
        ("/xyzzy", "no command /xyzzy", "/help lists them"),
        ("/save", "/save needs FILE", "Type /save FILE."),
        ("/reset now", "takes nothing", "Type /reset."),
    ],
)
def test_what_is_neither(entry: str, told: str, hint: str) -> None:
    with pytest.raises(InputInvalid, match=told) as caught:
        parse(entry)
    assert hint in caught.value.hint


def test_help_has_every_command_and_so_has_the_page(talk_over: Any, says: Any) -> None:
    listed = [row["usage"] for row in do(talk_over(says("x")), "/help").data["commands"]]
    assert listed == [command.usage for command in COMMANDS]
    page = (ROOT / "docs" / "chat.md").read_text()
    assert [usage for usage in listed if f"| `{usage}` |" not in page] == []


def test_tools_and_what_they_may(talk_over: Any, says: Any) -> None:
    found = do(talk_over(says("x"), send, KNOWN), "/tools").data["tools"]
    assert {one["name"]: one["may"] for one in found} == {"send": "ask", "known": "unbound", "calculator": "run"}
    assert found[0]["permissions"] == ["network"]


def test_model(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("x"))
    assert do(talk, "/model").data == {"model": "says", "context": 1000, "encoding": ""}
    before = talk.agent
    do(talk, "/model other")
    assert talk.agent is not before


def test_context(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("x"))
    first = do(talk, "/context").data
    assert first["window"] == sum(first["sections"].values()) == 1000 and first["dropped"] == []
    assert first["sections"]["history"] == 0
    ask(talk, "hello")
    reply = do(talk, "/context")
    assert reply.data["sections"]["history"] > 0
    assert reply.parts


def test_trace(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("x"))
    with pytest.raises(InputInvalid, match="no turn"):
        do(talk, "/trace")
    ask(talk, "What is 2 + 3?")
    reply = do(talk, "/trace")
    assert [step["kind"] for step in reply.data["steps"]] == ["route", "tool"] and reply.data["how"] == "rule"
    assert [str(line) for line in reply.parts] == [str(line) for line in draw(trace_of(talk.last))]


def test_save_load_reset(talk_over: Any, says: Any, tmp_path: Path) -> None:
    talk = talk_over(says("fine"))
    ask(talk, "hello")
    history = talk.history
    file = tmp_path / "my talk.json"
    assert do(talk, f"/save {file}").data == {"saved": str(file), "messages": 2}
    assert do(talk, "/reset").data == {"forgotten": 2} and talk.history == ()
    assert do(talk, f"/load {file}").data == {"loaded": str(file), "messages": 2}
    assert talk.history == history and talk.asked == "hello"
    (tmp_path / "bad").write_text("{}")
    with pytest.raises(InputInvalid):
        do(talk, f"/load {tmp_path / 'bad'}")
    assert talk.history == history


def test_retry_and_quit(talk_over: Any, says: Any) -> None:
    talk = talk_over(says("x"))
    assert do(talk, "/retry").retry and do(talk, "/quit").over
