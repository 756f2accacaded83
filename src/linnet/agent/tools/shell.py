"""The tool that runs a program: a vector of words, no shell, and the sandbox as the boundary.

Hides how a command line becomes words. Nothing is expanded: `*`, `~` and `$HOME` are what they are, and what only a
shell could do (pipes, redirections, several commands) is refused and said. What the program may touch is the work of
`linnet.runtime.programs`: the roots that it is given, no network, no more than its time, and nothing of it survives.

Not covered: what `programs.py` says; a program that may write in its root may fill the disk.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.agent.tools.define import bound, define, note, text
from linnet.errors import LinnetError, ToolDenied, ToolError, ToolFailed, ToolTimeout
from linnet.limits import LIMITS
from linnet.runtime.programs import Outcome, run_program
from linnet.tools import Permission, Rule, Tool

_MARKS = "();<>|&`"
_OPERATORS = re.compile(r"[;&|<>()`]+")
_OUTPUT = LIMITS.tool_output_bytes // 16
"""Bytes of each output that are kept: as JSON a byte may take six."""


@dataclass(frozen=True)
class Shell:
    """What programs are given: folders to read, folders to write, time; `programs` are the only ones that may be run,
    by the first word of the command; None: any."""

    readable: Sequence[str | Path] = ()
    writable: Sequence[str | Path] = ()
    programs: Collection[str] | None = None
    seconds: float = LIMITS.tool_seconds - 5

    def run(self, command: str) -> dict[str, Any]:
        """What the program printed, and how it ended. Raises a ToolError."""
        words = vector(command)
        if self.programs is not None and words[0] not in self.programs:
            known = ", ".join(sorted(self.programs)) or "none"
            raise ToolDenied(f"{words[0]!r} is not a program that may be run", hint=f"Those that may: {known}.")
        try:
            outcome = run_program(
                words,
                readable=self.readable,
                writable=self.writable,
                seconds=self.seconds,
                output_bytes=_OUTPUT,
            )
        except ToolError:
            raise
        except LinnetError as error:
            raise ToolFailed(f"{words[0]} was not run: {error.message}", hint=error.hint, error=error.code) from error
        if outcome.ended == "deadline":
            raise ToolTimeout(f"{words[0]} did not end within {self.seconds:g} s and was ended", seconds=self.seconds)
        return _told(command, outcome)


def shell(given: Shell) -> Tool:
    """The tool."""
    return bound(definition(), given.run, answer="{output}{errors}{note}")


def definition() -> Tool:
    """The same tool without a function."""
    return define(
        "shell",
        "Runs a program on this computer with a shell command.",
        {"command": text("the program and its arguments, such as df -h")},
        {},
        Permission.RUN,
        answer="{result}",
        rules=[Rule(prefix="shell:", to="command")],
        examples=["Run the command uname -a", "Execute git status in the terminal"],
    )


def vector(command: str) -> list[str]:
    """The words of a command, quotation marks taken off. Raises ToolFailed where it is none, or wants a shell."""
    reader = shlex.shlex(command, posix=True, punctuation_chars=_MARKS)
    reader.whitespace_split, reader.commenters = True, ""
    bare = shlex.shlex(command, posix=False, punctuation_chars=_MARKS)
    bare.whitespace_split, bare.commenters = True, ""
    try:
        words, raw = list(reader), list(bare)
    except ValueError as error:
        raise ToolFailed(f"the command cannot be read: {str(error).lower()}") from error
    if not words or not words[0]:
        raise ToolFailed("there is no program in the command")
    operators = [word for word in raw if _OPERATORS.fullmatch(word)]
    if operators:
        hint = "Programs are run without a shell: one program and its arguments."
        raise ToolFailed(f"{operators[0][:20]!r} is for a shell, and there is none", hint=hint)
    return words


def _told(command: str, outcome: Outcome) -> dict[str, Any]:
    why = f"it was ended: {outcome.ended}" if outcome.ended else f"it ended with status {outcome.status}"
    parts = [why] if outcome.status != 0 else []
    parts += [f"the first {len(out):,} bytes of its {name}" for name, out, cut in _outputs(outcome) if cut]
    parts += [f"{outcome.left} processes that it left running were ended"] if outcome.left else []
    output, errors = (out.decode(errors="replace").replace("\0", "") for _, out, _ in _outputs(outcome))
    return {
        "command": command,
        "status": outcome.status,
        "output": output.rstrip("\n"),
        "errors": f"\n{errors.rstrip()}" if errors.strip() else "",
        "truncated": outcome.stdout_cut or outcome.stderr_cut,
        "note": note(parts),
    }


def _outputs(outcome: Outcome) -> tuple[tuple[str, bytes, bool], ...]:
    return (("output", outcome.stdout, outcome.stdout_cut), ("errors", outcome.stderr, outcome.stderr_cut))
