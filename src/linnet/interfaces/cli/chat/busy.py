"""What Ctrl-C does, moment by moment, and a terminal that echoes no keys into an answer that is being written.

What is typed meanwhile is kept by the system, for the next question or entry.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import Any


@contextmanager
def busy(interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `interrupt`, however often it is pressed, and raises nothing."""
    with _handled(lambda *_: interrupt()), _unechoed():
        yield


def deaf() -> AbstractContextManager[None]:
    """Ctrl-C does nothing: it was meant for what has just ended. A prompt has its own way with it."""
    return _handled(lambda *_: None)


def breakable() -> AbstractContextManager[None]:
    """Ctrl-C raises KeyboardInterrupt, as it does in any program."""
    return _handled(signal.default_int_handler)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _unechoed() -> Iterator[None]:
    try:
        import termios
    except ImportError:  # a system whose terminals are of another kind
        yield
        return
    keys = sys.stdin.fileno()
    as_it_was = termios.tcgetattr(keys)
    unechoed = [*as_it_was[:3], as_it_was[3] & ~termios.ECHO, *as_it_was[4:]]
    termios.tcsetattr(keys, termios.TCSANOW, unechoed)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSANOW, as_it_was)
