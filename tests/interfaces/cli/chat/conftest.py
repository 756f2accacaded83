"""What the tests of a chat share: agents over a model that says what it is told, and a terminal to look at."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from linnet import Agent, Tool
from linnet.errors import LinnetError
from linnet.interfaces.cli.chat.talk import Talk
from linnet.requests import Capabilities, Count, Done, Event, Piece, Request, Score

PATIENCE = 60


class Says:
    """A Model that says these pieces to every request, or raises."""

    capabilities = Capabilities("says", 1000)

    def __init__(self, *pieces: str, error: LinnetError | None = None) -> None:
        self.pieces, self.error = pieces, error

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count):
            yield Done(count=1)
            return
        if isinstance(request, Score):
            yield Done(scores=tuple((-1.0, 1) for _ in request.continuations))
            return
        for text in self.pieces:
            yield Piece(text, (1,))
        if self.error:
            raise self.error
        yield Done(text="".join(self.pieces))


@pytest.fixture
def says() -> type[Says]:
    return Says


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """None of the settings, and none of the history, of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def talk_over() -> Iterator[Callable[..., Talk]]:
    """`talk_over(model, tool, ...)`: a Talk over that model, and over `Says(NAME)` once it changes to NAME."""
    made = []

    def make(model: object, *tools: Tool) -> Talk:
        made.append(Talk(lambda name: Agent(tools, model if name is None else Says(name))))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for talk in made:
        talk.agent.close()


class Screen:
    """A terminal with `linnet chat` in it: what it shows, line by line, and keys to press."""

    def __init__(self, *arguments: str, columns: int = 80, lines: int = 40, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self._emulated = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._emulated)
        self._emulated.write_process_input = lambda data: self.type(data)
        self.bytes = b""
        self._size(columns, lines)
        command = [sys.executable, "-m", "linnet", "chat", *arguments]
        given = {**os.environ, "TERM": "xterm-256color", **environment}
        given.pop("COLUMNS", None)
        given.pop("LINES", None)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=given, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str, times: int = 1) -> str:
        """The whole screen, once the text is on it so many times."""
        end = time.monotonic() + PATIENCE
        while self.shown.count(text) < times:
            assert time.monotonic() < end, f"{text!r} never came:\n{self.shown}"
            self._read(0.1)
        return self.shown

    def wait_for_prompt(self) -> None:
        """Until it waits for a line: a key that comes while none is read may be lost, as Ctrl-D between two is."""
        end = time.monotonic() + PATIENCE
        while self.shown.splitlines()[-1:] != [">"]:
            assert time.monotonic() < end, f"no prompt came:\n{self.shown}"
            self._read(0.1)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._emulated.display]

    @property
    def shown(self) -> str:
        return "\n".join(self.lines).rstrip()

    def resize(self, columns: int, lines: int = 40) -> None:
        self._emulated.resize(lines, columns)
        self._size(columns, lines)

    def end(self) -> int:
        """The exit code, once it has come."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.1)
        return self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)

    def _read(self, seconds: float) -> None:
        if not select.select([self._ours], [], [], seconds)[0]:
            return
        try:
            piece = os.read(self._ours, 65_536)
        except OSError:  # Linux ends a terminal so
            time.sleep(seconds)
            return
        self.bytes += piece
        self._stream.feed(piece)

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if hasattr(self, "process"):
            os.killpg(self.process.pid, signal.SIGWINCH)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Screen]]:
    made = []

    def make(*arguments: str, **options: object) -> Screen:
        made.append(Screen(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for screen in made:
        screen.close()
