"""The README against what it speaks of: its program, its commands, its paths."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from linnet.interfaces.cli.commands import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`([^`\n]+)`", PROSE)
SHELL = [line for kind, body in FENCES if kind == "sh" for line in body.splitlines() if line]
COMMANDS = [text for text in (*SHELL, *INLINE) if text.startswith("linnet ")]


def blocks(kind: str) -> list[str]:
    return [body for fence, body in FENCES if fence == kind]


def resolved(line: str) -> tuple[Any, list[str]]:
    """The command that a line runs, and the words after its name."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{line!r}: there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_there_is_something_to_check() -> None:
    assert (
        len(COMMANDS) >= 6 and len(blocks("python")) == 1 and {kind for kind, _ in FENCES} == {"sh", "python", "text"}
    )


def test_the_first_program_is_the_example() -> None:
    assert blocks("python") == [(ROOT / "examples" / "first_program.py").read_text(encoding="utf-8")]


def test_the_first_program_prints_what_the_readme_says() -> None:
    shown = next(block for block in blocks("text") if "ToolResult" in block).strip().removesuffix("...")
    program = str(ROOT / "examples" / "first_program.py")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith(shown.strip())


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_known_with_its_options(line: str) -> None:
    command, words = resolved(line)
    known = {name for parameter in command.params for name in parameter.opts}
    assert [word for word in words if word.startswith("-") and word not in known] == []


def test_every_make_target_is_known() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [text.split()[1] for text in (*SHELL, *INLINE) if text.startswith("make ")]
    assert {"run", "test"} <= set(named) and set(named) <= targets


def test_every_path_exists() -> None:
    links = set(re.findall(r"\]\(([^)#:]+)\)", PROSE))
    words = {word for text in (*SHELL, *INLINE) for word in shlex.split(text)}
    paths = links | {word for word in words if re.fullmatch(r"[\w-][\w./-]*(?:/[\w./-]*|\.(?:py|md|toml|txt))", word)}
    assert "examples/tools.py" in paths and "docs/architecture.md" in paths
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_what_is_not_built_is_no_option() -> None:
    """So that the list of what is missing shrinks as it should."""
    listed = re.search(r"^- ((?:`--[\w-]+`,? (?:and )?)+)(?:is|are) designed and not built", README, re.MULTILINE)
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    built = {name for command in commands for option in command.params for name in option.opts}
    assert built.isdisjoint(re.findall(r"`(--[\w-]+)`", listed[1] if listed else ""))
