"""Warden: a small process beside a replica, that ends it where it has stopped.

Ray asks a replica that it has given up to end. Of one that cannot hear that (it was stopped, or hangs in the kernel)
it then thinks that it is gone, and leaves it its cores: no other can be begun there. Whoever was sent to it waits.
So a replica tells a process of its own again and again that it runs. Where it does not, though it could, it is
killed: Ray notices that at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from linnet import log
from linnet.limits import LIMITS
from linnet.runtime.silence import Silence

Opened = TypeVar("Opened")

_BEATS = 10
"""In the time after which a process counts as stopped."""

_BY_THE_CLOCK = 3
"""Times as long may a process take that the machine leaves without a processor: no longer than Ray takes to give it
up and end it (18 s and 30 s more), or it could miss being told."""


def beside(opener: Callable[[], Opened]) -> Opened:
    """What `opener` opens, in a process that has a warden from now on."""
    watch(LIMITS.replica_stopped_seconds)
    return opener()


def watch(seconds: float) -> None:
    """From now on this process is killed where it stops for so many seconds that it could have used."""
    threading.Thread(target=_beat, args=(seconds,), name="linnet-beat", daemon=True).start()


def _beat(seconds: float) -> None:
    """As long as this process lives. A warden that was lost is begun again."""
    command = [sys.executable, "-P", "-m", __name__, str(os.getpid()), str(seconds)]
    while True:
        with contextlib.suppress(OSError):  # it is lost, or could not be begun
            warden = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
            _tell(warden, seconds / _BEATS)
        log.note("warden_lost", replica=os.getpid())
        time.sleep(seconds)


def _tell(warden: subprocess.Popen[bytes], pause: float) -> None:
    """Raises BrokenPipeError where it is lost."""
    assert warden.stdin is not None
    try:
        while True:
            warden.stdin.write(b".")
            time.sleep(pause)
    finally:
        warden.stdin.close()
        warden.kill()
        warden.wait()


def keep(pid: int, seconds: float, beats: int) -> None:
    """Until the parent `pid` has ended, by itself or by this: its beats come from that descriptor."""
    silence = Silence()
    while os.getppid() == pid:
        if select.select([beats], [], [], seconds / _BEATS)[0]:
            if not os.read(beats, 4096):
                return
            silence.broken()
        if why := silence.look(pid).verdict(seconds, _BY_THE_CLOCK * seconds):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):  # Ray keeps it, unless its disk is full
                print(f"replica_stopped: {pid} {why} for {silence.clock:.1f} s, killed", file=sys.stderr, flush=True)
            return


if __name__ == "__main__":
    keep(int(sys.argv[1]), float(sys.argv[2]), sys.stdin.fileno())
