"""The help of every command: paragraphs that flow, and flags without a value."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from typer.testing import CliRunner

from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.helping import flowing
from linnet.interfaces.reference.commands import each


@pytest.mark.parametrize(("words", "command"), [pytest.param(*one, id=" ".join(one[0][1:])) for one in each()])
def test_no_flag_is_shown_with_a_value(words: tuple[str, ...], command: Any) -> None:
    told = CliRunner().invoke(app, [*words[1:], "--help"], env={"COLUMNS": "80"})
    assert told.exit_code == 0 and "<bool>" not in told.stdout
    if any(one.is_flag for one in command.params if one.param_type_name == "option"):
        assert any(line.rstrip().endswith("│") and "--" in line for line in told.stdout.splitlines())


def test_paragraphs_are_as_wide_as_the_terminal_and_no_narrower() -> None:
    shown = CliRunner().invoke(app, ["batch", "--help"], env={"COLUMNS": "80"}).stdout.splitlines()
    start = next(number for number, line in enumerate(shown) if "A line of the output" in line)
    paragraph = shown[start : next(number for number in range(start, len(shown)) if not shown[number].strip())]
    for line, following in pairwise(paragraph):
        assert len(line.rstrip()) + 1 + len(following.split()[0]) > 78, "the next word had room"


def test_a_paragraph_flows_and_a_table_stays() -> None:
    assert flowing("One\ntwo.\n\nThree\nfour.\n") == "One two.\n\nThree four."
    assert flowing("Codes:\n  1 failed\n  2 usage\n\nMore\ntext.") == "Codes:\n  1 failed\n  2 usage\n\nMore text."


def test_parse_on_a_terminal_says_what_it_wants_in_place_of_waiting() -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "linnet", "parse"]
    done = subprocess.run(command, stdin=follower, capture_output=True, text=True, timeout=60)
    os.close(follower)
    os.close(leader)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no text on standard input" in done.stderr and "| linnet parse" in done.stderr
