"""What outlives a model in the process that held it, in a process of its own: a mistake here is a dead process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DROPPED = """
import gc, os, sys
from linnet.protocol import Load
from linnet.worker.llama import Entry, Llama, warm_imports

warm_imports()

def load():
    return Llama(Load(model_fd=os.open(sys.argv[1], os.O_RDONLY), context=256), lambda done: None)

kept, dropped = load(), load()
del dropped
gc.collect()
held = [bytearray(64) for _ in range(50_000)]  # so that what was freed is written over
ticks = []
kept.decode([Entry(40, 0, 0, True)], lambda: ticks.append(1))
kept.decode([Entry(41, 1, 0, True)])
print(len(ticks) > 0, len(kept.logits(0)))
"""


def test_a_model_goes_on_after_another_was_dropped(model_path: Path) -> None:
    """The library keeps the bare pointer of whoever takes its log, and logs the setting of a callback."""
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, str(model_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.split() == ["True", "49152"]
