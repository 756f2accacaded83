"""What Ctrl-C does: one thing while an answer is written, nothing between, and the usual within a command."""

from __future__ import annotations

import os
import pty
import signal
import sys
import termios
from collections.abc import Iterator

import pytest

from linnet.interfaces.cli.chat.busy import breakable, busy, deaf


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield theirs
    os.close(ours)


def test_each_has_its_moment_and_leaves_what_was_before(keyboard: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    pressed: list[int] = []
    with deaf():
        signal.raise_signal(signal.SIGINT)
        with busy(lambda: pressed.append(1)):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), breakable():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert pressed == [1, 1] and signal.getsignal(signal.SIGINT) is before


def test_keys_are_not_echoed_while_an_answer_is_written(keyboard: int) -> None:
    def echoes() -> bool:
        return bool(termios.tcgetattr(keyboard)[3] & termios.ECHO)

    assert echoes()
    with pytest.raises(ValueError, match="x"), busy(lambda: None):
        assert not echoes()
        raise ValueError("x")
    assert echoes()
