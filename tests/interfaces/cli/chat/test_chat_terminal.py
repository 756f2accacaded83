"""`linnet chat` on a terminal: a real one, whose screen is read, with the real model behind it."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

TOOLS = r"""
import time
from linnet import tool
from linnet.tools import Rule
@tool(rules=[Rule(prefix="send:", to="text")], permissions=["network"])
def send(text: str) -> str:
    print("noise")
    return "sent " + text
@tool(rules=[Rule(prefix="leave:", to="text")], permissions=["network"])
def leave(text: str) -> str:
    return "left"
@tool(rules=[Rule(prefix="echo:", to="text")], answer="{result}")
def echo(text: str) -> str:
    return "\x1b[2J\u202e" + text
@tool(rules=[Rule(prefix="long:", to="text")], answer="{result}")
def long(text: str) -> str:
    return " ".join([text] * 20)
@tool(rules=[Rule(prefix="wait:", to="seconds")])
def wait(seconds: float) -> str:
    time.sleep(seconds)
    return "waited"
"""


@pytest.fixture
def chat(terminal: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    (tmp_path / "mine.py").write_text(TOOLS)

    def begin(*arguments: str, **options: str) -> Any:
        screen = terminal("--tools", str(tmp_path / "mine.py"), "--threads", "1", *arguments, **options)
        screen.wait_for("Ctrl-D ends")
        screen.wait_for("\n>")
        return screen

    return begin


def test_calls_approvals_commands_keys_and_the_look_of_it(chat: Callable[..., Any], home: Path) -> None:
    screen = chat()
    assert screen.lines[0] == "smollm2-135m · 6 tools · /help for commands, Ctrl-D ends"

    screen.type("What is 17 times 24?\r")
    shown = screen.wait_for("rule · no tokens")
    assert re.search(
        r'> What is 17 times 24\?\n  calculator\(expression="17 \* 24"\)\n'
        r"  → 408 · rule, \d\.\d\d s\n17 \* 24 = 408\n",
        shown,
    )
    # approvals: no, yes, always, and then nobody is asked
    for number, (typed, told) in enumerate([("n", "✗ tool_denied"), ("y", "sent 1"), ("a", "sent 2")]):
        screen.type(f"send: {number}\r")
        screen.wait_for("May it?", number + 1)
        screen.type(f"{typed}\r")
        screen.wait_for(told)
        screen.wait_for("rule · no tokens", number + 2)
    screen.type("send: 3\r")
    assert screen.wait_for('→ "sent 3"').count("May it?") == 3
    # another line, by both ways; Ctrl-C drops what was typed, and refuses what is asked
    screen.type("leave: 1\r")
    screen.wait_for("May it?", 4)
    screen.type("\x03")
    screen.wait_for("/retry asks it again\n>")
    screen.type("dropped\x03")
    screen.type("echo: a\x1b\rb\\\rc\r")
    shown = screen.wait_for("\\x1b[2J\\u202ea\nb\nc\n")
    assert "> echo: a\n  b\n  c\n" in shown
    # an unknown command, and completion by the tab key
    screen.type("/trcae\r")
    screen.wait_for("hint: Did you mean /trace?")
    screen.type("/tra\t\r")
    screen.wait_for("└─ tool")
    screen.wait_for_prompt()
    screen.type("\x04")
    assert screen.end() == 0
    assert "Traceback" not in screen.shown
    assert b"\x1b[2J\xe2\x80\xae" not in screen.bytes, "what a tool says drives no terminal"
    kept = (home / "xdg_state_home" / "linnet" / "chat_history").read_text()
    assert '"What is 17 times 24?"' in kept and "dropped" not in kept


def test_long_lines_wide_characters_and_a_resize(chat: Callable[..., Any]) -> None:
    screen = chat()
    screen.type("long: supercalifragilistic\r")
    screen.wait_for("rule · no tokens")
    text = [line for line in screen.lines if line.startswith("supercali")]
    assert text == ["supercalifragilistic supercalifragilistic supercalifragilistic"] * 6 + [
        "supercalifragilistic supercalifragilistic"
    ]
    screen.resize(50)
    screen.type("long: 漢字漢字\r")
    screen.wait_for("rule · no tokens", 2)
    wide = [line.replace(" ", "") for line in screen.lines if line.startswith("漢")]
    assert len(wide) >= 4 and all(cell_len(line) <= 50 for line in wide)
    assert sum(line.count("漢") for line in wide) == 40
    screen.type("/quit\r")
    assert screen.end() == 0


def test_ctrl_c_ends_the_answer_and_not_the_program(chat: Callable[..., Any]) -> None:
    """The engine is free at once: the next answer need not wait for the end of a very long one."""
    screen = chat("--context", "2048", LINNET_TOOLS="wait")
    screen.type("Tell me a story about a lighthouse.\r")
    screen.wait_for("The story")
    screen.type("\x03\x03")  # as one presses it
    shown = screen.wait_for("cancelled: it is not part of the conversation")
    assert "^C" not in shown
    screen.type("wait: 30\r")
    screen.wait_for("running wait")
    screen.process.send_signal(signal.SIGINT)
    screen.wait_for("cancelled: ", 2)
    screen.type("Say hello.\r")
    screen.wait_for("model · ")
    screen.type("/context\r")
    screen.wait_for("choosing")
    screen.wait_for_prompt()
    shown = screen.shown
    for section in ("system", "tools", "memory", "history", "answer", "free"):
        assert re.search(rf"^{section} +[\d,]+ +\d+\.\d%  [·█░]+$", shown, re.MULTILINE)
    assert all(len(line) <= 80 for line in screen.lines)
    screen.type("\x04")
    assert screen.end() == 0
