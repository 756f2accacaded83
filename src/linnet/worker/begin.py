"""How every child begins, `python -P -m linnet.worker.begin MODULE SOCKET_FD PARENT_PID`: tied to its parent first.

A module's imports take longer than an orphan may live on a starved machine, so the kernel hears of the parent before
any of them: nothing but the standard library is imported here.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    module, parent = sys.argv[1], int(sys.argv[3])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
