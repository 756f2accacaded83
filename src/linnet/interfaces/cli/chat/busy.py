"""The terminal while an answer is written: Ctrl-C does one thing, and keys are not echoed into the text.

What is typed meanwhile is kept by the system, for the next question or entry.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def busy(interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `interrupt`, however often it is pressed, and raises nothing."""
    before = signal.signal(signal.SIGINT, lambda *_: interrupt())
    try:
        with _unechoed():
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
